"""What other Python reloaders get wrong: seen in uvicorn-hmr and jurigged."""

from __future__ import annotations

import os
import sys

import pytest

from hotserve.errors import AttributeNotFound, ImportFailed
from tests.hmr.conftest import Project


@pytest.mark.parametrize(
    "handler",
    [
        "from pkg import mid\ndef index():\n    return mid.get()",
        "import pkg.mid\ndef index():\n    return pkg.mid.get()",
        "import pkg.mid as m\ndef index():\n    return m.get()",
        "def index():\n    from pkg import mid\n    return mid.get()",
        "def index():\n    import pkg.mid\n    return pkg.mid.get()",
        "from pkg.mid import get\ndef index():\n    return get()",
        "from pkg.mid import *\ndef index():\n    return get()",
        "import importlib\nmid = importlib.import_module('pkg.mid')\ndef index():\n    return mid.get()",
    ],
)
def test_a_value_imported_two_modules_down_is_seen(project: Project, handler: str) -> None:
    project.write("pkg/__init__.py")
    project.write("pkg/leaf.py", "VALUE = 'v0'")
    project.write("pkg/mid.py", "from pkg.leaf import VALUE\ndef get():\n    return VALUE")
    project.write("page.py", handler)
    project.write("app.py", "routes = []")
    project.start()
    assert project.ask("page:index") == "v0"
    for value in ("v1", "v2"):
        project.save(project.write("pkg/leaf.py", f"VALUE = '{value}'"))
        assert project.ask("page:index") == value


def test_circular_imports_of_names(project: Project) -> None:
    project.write("a.py", "NAME = 'a0'\nfrom b import OTHER\ndef both():\n    return NAME, OTHER")
    project.write("b.py", "OTHER = 'b0'\nfrom a import NAME\ndef back():\n    return NAME")
    project.write("page.py", "from a import both\nfrom b import back\ndef index():\n    return both(), back()")
    project.write("app.py", "routes = []")
    project.start()
    assert project.ask("page:index") == (("a0", "b0"), "a0")
    project.save(project.edit("a.py", "a0", "a1"))
    assert project.ask("page:index") == (("a1", "b0"), "a1")
    project.save(project.edit("b.py", "b0", "b1"))
    assert project.ask("page:index") == (("a1", "b1"), "a1")


def test_a_name_removed_from_a_module_does_not_answer(project: Project) -> None:
    project.write("page.py", "def index():\n    return helper()\ndef helper():\n    return 1")
    project.write("app.py", "routes = []")
    project.start()
    assert project.ask("page:index") == 1
    project.save(project.write("page.py", "def index():\n    return helper()"))
    with pytest.raises(NameError):
        project.ask("page:index")
    project.save(project.write("page.py", "def other():\n    return 1"))
    with pytest.raises(AttributeNotFound):
        project.ask("page:index")


def test_a_module_that_raised_half_way_is_not_half_applied(project: Project) -> None:
    project.write("page.py", "FIRST = 1\nSECOND = 1\ndef index():\n    return FIRST, SECOND")
    project.write("app.py", "routes = []")
    project.start()
    project.ask("page:index")
    project.save(project.write("page.py", "FIRST = 2\n1 / 0\nSECOND = 2\ndef index():\n    return FIRST, SECOND"))
    for _ in range(2):
        with pytest.raises(ImportFailed, match="division by zero"):
            project.ask("page:index")
        assert "page" not in sys.modules


def test_a_symbol_renamed_in_two_files_at_once(project: Project) -> None:
    project.write("service.py", "def old_name():\n    return 1")
    project.write("page.py", "from service import old_name\ndef index():\n    return old_name()")
    project.write("app.py", "routes = []")
    project.start()
    assert project.ask("page:index") == 1
    project.save(
        project.edit("service.py", "old_name():\n    return 1", "new_name():\n    return 2"),
        project.edit("page.py", "old_name", "new_name"),
    )
    assert project.ask("page:index") == 2


def test_the_two_files_of_a_rename_saved_one_after_the_other_with_a_request_between(project: Project) -> None:
    project.write("service.py", "def old_name():\n    return 1")
    project.write("page.py", "from service import old_name\ndef index():\n    return old_name()")
    project.write("app.py", "routes = []")
    project.start()
    project.ask("page:index")
    project.save(project.edit("service.py", "old_name", "new_name"))
    with pytest.raises(ImportFailed, match="cannot import name 'old_name'"):
        project.ask("page:index")
    project.save(project.edit("page.py", "old_name", "new_name"))
    assert project.ask("page:index") == 1


def test_a_decorated_and_cached_function(project: Project) -> None:
    project.write("rates.py", "RATE = 1")
    project.write(
        "service.py",
        """
        import functools
        from rates import RATE
        def traced(function):
            @functools.wraps(function)
            def wrapper(*args):
                return function(*args)
            return wrapper
        @functools.lru_cache(maxsize=None)
        @traced
        def price(amount):
            return amount * RATE
        """,
    )
    project.write("page.py", "import service\ndef index():\n    return service.price(10)")
    project.write("app.py", "routes = []")
    project.start()
    assert project.ask("page:index") == 10
    project.save(project.edit("rates.py", "1", "2"))
    assert project.ask("page:index") == 20


def test_an_atomic_save(project: Project) -> None:
    project.write("page.py", "def index():\n    return 1")
    project.write("app.py", "routes = []")
    project.start()
    project.ask("page:index")
    new = project.write("page.py.tmp~", "def index():\n    return 2")
    os.replace(new, project.path("page.py"))
    project.save(new, project.path("page.py"))
    assert project.ask("page:index") == 2


def test_a_class_and_its_subclass_in_another_module_stay_of_one_version(project: Project) -> None:
    project.write("base.py", "class Base:\n    TAG = 0")
    project.write("child.py", "from base import Base\nclass Child(Base):\n    pass")
    project.write(
        "page.py",
        "from base import Base\nfrom child import Child\ndef index():\n    return isinstance(Child(), Base), Child.TAG",
    )
    project.write("app.py", "routes = []")
    project.start()
    assert project.ask("page:index") == (True, 0)
    project.save(project.edit("base.py", "0", "1"))
    assert project.ask("page:index") == (True, 1)
    project.save(project.edit("child.py", "pass", "TAG = 2"))
    assert project.ask("page:index") == (True, 2)


def test_a_handler_of_a_boundary_that_others_use_through_a_function_level_import(project: Project) -> None:
    project.boundaries = ("pages/*.py",)
    project.write("pages/__init__.py")
    project.write("leaf.py", "VALUE = 1")
    project.write("pages/a.py", "from leaf import VALUE\ndef index():\n    return VALUE")
    project.write("pages/b.py", "def index():\n    from pages.a import index\n    return index()")
    project.write("app.py", "routes = []")
    project.start()
    assert project.ask("pages.b:index") == 1
    project.save(project.edit("leaf.py", "1", "2"))
    assert project.ask("pages.b:index") == 2
