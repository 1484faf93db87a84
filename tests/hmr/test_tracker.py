"""Which edges there are: what a module depends on, as seen while it executes."""

from __future__ import annotations

import builtins
import importlib
import sys
import threading
from typing import Any

import pytest

from hotserve.hmr.plan import AppSwap, NotLoaded, Restart
from tests.hmr.conftest import Project


def imports(project: Project, name: str) -> set[str]:
    return set(project.kernel.graph.imports(name))


@pytest.mark.parametrize(
    ("statement", "edges"),
    [
        ("import shop.prices", {"shop", "shop.prices"}),
        ("import shop.prices as p", {"shop", "shop.prices"}),
        ("from shop import prices", {"shop", "shop.prices"}),
        ("from shop.prices import VAT", {"shop.prices"}),
        ("from shop.prices import *", {"shop.prices"}),
        ("from shop import *", {"shop", "shop.prices"}),
        ("import importlib; importlib.import_module('shop.prices')", {"shop", "shop.prices"}),
        ("import importlib; importlib.import_module('.prices', 'shop')", {"shop", "shop.prices"}),
        ("__import__('shop.prices')", {"shop", "shop.prices"}),
        ("import json, os.path", set()),
        ("from json import decoder", set()),
    ],
)
def test_an_import_statement_is_an_edge_to_what_it_binds(project: Project, statement: str, edges: set[str]) -> None:
    project.write("shop/__init__.py", "__all__ = ['prices']")
    project.write("shop/prices.py", "VAT = 19")
    project.write("app.py", statement + "\nroutes = []")
    project.start()
    assert imports(project, "app") == edges


@pytest.mark.parametrize("loaded_before", [False, True])
@pytest.mark.parametrize(
    ("statement", "edges"),
    [
        ("from . import prices", {"shop", "shop.prices"}),
        ("from .prices import VAT", {"shop.prices"}),
        ("from ..shop.prices import VAT", None),
        ("from .sub import deep", {"shop.sub", "shop.sub.deep"}),
    ],
)
def test_relative_imports_are_edges_to_absolute_names(
    project: Project, statement: str, edges: set[str] | None, loaded_before: bool
) -> None:
    project.write("shop/__init__.py")
    project.write("shop/prices.py", "VAT = 19")
    project.write("shop/sub/__init__.py")
    project.write("shop/sub/deep.py")
    project.write("shop/cart.py", statement)
    first = "import shop.prices, shop.sub.deep" if loaded_before else ""
    if edges is None:
        project.write("app.py", f"{first}\ntry:\n    import shop.cart\nexcept ImportError: pass\nroutes = []")
        project.start()
        return
    project.write("app.py", f"{first}\nimport shop.cart\nroutes = []")
    project.start()
    assert imports(project, "shop.cart") == edges


def test_an_import_of_a_module_that_is_loaded_already_is_an_edge(project: Project) -> None:
    project.write("config.py", "DEBUG = True")
    project.write("a.py", "import config")
    project.write("b.py", "import config")
    project.write("app.py", "import a, b\nroutes = []")
    project.start()
    assert set(project.kernel.graph.importers("config")) == {"a", "b"}


def test_an_import_inside_a_function_is_an_edge(project: Project) -> None:
    project.write("leaf.py", "VALUE = 1")
    project.write("page.py", "def index():\n    import leaf\n    return leaf.VALUE")
    project.write("app.py", "routes = []")
    project.start()
    assert project.ask("page:index") == 1
    assert imports(project, "page") == {"leaf"}
    project.save(project.edit("leaf.py", "1", "2"))
    assert project.ask("page:index") == 2


def test_an_import_inside_a_function_of_a_declared_boundary_is_no_edge(project: Project) -> None:
    project.boundaries = ("pages/*.py",)
    project.write("pages/__init__.py")
    project.write("pages/other.py", "def name():\n    return 'one'")
    project.write("pages/index.py", "def index():\n    from pages import other\n    return other.name()")
    project.write("app.py", "routes = []")
    project.start()
    assert project.ask("pages.index:index") == "one"
    update = project.save(project.edit("pages/other.py", "one", "two"))
    assert update.stale == {"pages.other"}
    assert project.ask("pages.index:index") == "two"


def test_with_boundaries_declared_a_reference_to_another_file_passes_none(project: Project) -> None:
    project.boundaries = ("pages/*.py",)
    project.write("other.py", "def index():\n    return 1")
    project.write("app.py", "routes = []")
    project.start()
    assert project.ask("other:index") == 1
    assert isinstance(project.requires_more(project.edit("other.py", "1", "2")), AppSwap)


def test_a_name_that_was_missing_is_an_edge_until_it_appears(project: Project) -> None:
    project.write("shop/__init__.py")
    project.write(
        "page.py",
        """
        try:
            from shop import vat
            RATE = vat.RATE
        except ImportError:
            RATE = 0
        def index():
            return RATE
        """,
    )
    project.write("app.py", "routes = []")
    project.start()
    assert project.ask("page:index") == 0
    project.save(project.write("shop/vat.py", "RATE = 19"))
    assert project.ask("page:index") == 19
    project.save(project.delete("shop/vat.py"))
    assert project.ask("page:index") == 0


def test_a_module_that_failed_is_tried_again_when_a_missing_import_appears(project: Project) -> None:
    project.write("page.py", "import later\ndef index():\n    return later.VALUE")
    project.write("app.py", "routes = []")
    project.start()
    with pytest.raises(Exception, match="No module named 'later'"):
        project.ask("page:index")
    project.save(project.write("later.py", "VALUE = 1"))
    assert project.ask("page:index") == 1


def test_a_module_that_becomes_a_package_and_back_replaces_its_importers(project: Project) -> None:
    project.write("x.py", "VALUE = 'module'")
    project.write("page.py", "from x import VALUE\ndef index():\n    return VALUE")
    project.write("app.py", "routes = []")
    project.start()
    assert project.ask("page:index") == "module"
    removed = project.delete("x.py")
    project.save(removed, project.write("x/__init__.py", "VALUE = 'package'"), project.path("x"))
    assert project.ask("page:index") == "package"
    removed = project.delete("x/__init__.py")
    (project.root / "x").rmdir()
    project.save(removed, project.path("x"), project.write("x.py", "VALUE = 'again'"))
    assert project.ask("page:index") == "again"


def test_a_package_beside_a_module_of_its_name_takes_its_place(project: Project) -> None:
    project.write("x.py", "VALUE = 'module'")
    project.write("page.py", "from x import VALUE\ndef index():\n    return VALUE")
    project.write("app.py", "routes = []")
    project.start()
    assert project.ask("page:index") == "module"
    project.save(project.write("x/__init__.py", "VALUE = 'package'"))
    assert project.ask("page:index") == "package"


def test_files_read_while_a_module_executes_are_its_dependencies(project: Project) -> None:
    project.write("prices.json", '{"tea": 3}')
    project.write(
        "page.py",
        """
        import json, pathlib
        PRICES = json.loads(pathlib.Path(__file__).with_name("prices.json").read_text())
        def index():
            return PRICES["tea"]
        """,
    )
    project.write("app.py", "routes = []")
    project.start()
    assert project.ask("page:index") == 3
    project.save(project.write("prices.json", '{"tea": 4}'))
    assert project.ask("page:index") == 4


def test_a_file_read_through_a_helper_that_caches_concerns_the_helper_too(project: Project) -> None:
    project.write("prices.txt", "3")
    project.write(
        "files.py",
        "import functools, pathlib\n@functools.cache\ndef load(name):\n    return pathlib.Path(name).read_text()",
    )
    project.write(
        "page.py",
        f"from files import load\nPRICE = load({project.path('prices.txt')!r})\ndef index():\n    return PRICE",
    )
    project.write("app.py", "routes = []")
    project.start()
    assert project.ask("page:index") == "3"
    assert project.save(project.write("prices.txt", "4")).stale == {"files", "page"}
    assert project.ask("page:index") == "4"


def test_a_file_that_a_module_writes_is_no_dependency(project: Project) -> None:
    log = project.path("app.log")
    project.write("page.py", f"LOG = open({log!r}, 'a')\nLOG.write('started')\nLOG.close()\ndef index():\n    return 1")
    project.write("app.py", "routes = []")
    project.start()
    project.ask("page:index")
    assert project.plan(project.write("app.log", "more")) is None


def test_a_folder_listed_while_a_module_executes_is_its_dependency(project: Project) -> None:
    project.write("plugins/__init__.py")
    project.write("plugins/one.py")
    project.write(
        "page.py",
        """
        import pkgutil, plugins
        NAMES = sorted(info.name for info in pkgutil.iter_modules(plugins.__path__))
        def index():
            return NAMES
        """,
    )
    project.write("app.py", "routes = []")
    project.start()
    assert project.ask("page:index") == ["one"]
    project.save(project.write("plugins/two.py"))
    assert project.ask("page:index") == ["one", "two"]


def test_a_module_imported_from_outside_the_project_restarts(project: Project, tmp_path: Any) -> None:
    project.write("settings.py", "DEBUG = 1")
    project.write("app.py", "routes = []")
    project.start()
    namespace: dict[str, Any] = {"__name__": "django.conf", "importlib": importlib}
    exec("def load():\n    return importlib.import_module('settings')", namespace)
    namespace["load"]()
    update = project.requires_more(project.edit("settings.py", "1", "2"))
    assert isinstance(update, Restart)
    assert "settings is held by django.conf" in update.reason


def test_a_library_that_imports_for_a_module_makes_an_edge_of_that_module(project: Project) -> None:
    namespace: dict[str, Any] = {"__name__": "some_library", "importlib": importlib}
    exec("def load(name):\n    return importlib.import_module(name)", namespace)
    sys.modules["some_library"] = type(sys)("some_library")
    try:
        vars(sys.modules["some_library"]).update(namespace)
        project.write("leaf.py", "VALUE = 1")
        project.write(
            "page.py", "import some_library\nleaf = some_library.load('leaf')\ndef index(): return leaf.VALUE"
        )
        project.write("app.py", "routes = []")
        project.start()
        assert project.ask("page:index") == 1
        project.save(project.edit("leaf.py", "1", "2"))
        assert project.ask("page:index") == 2
    finally:
        del sys.modules["some_library"]


def test_bytecode_is_never_trusted(project: Project) -> None:
    """`a = 1` to `a = 2` within one second: a .pyc, keyed by whole seconds and size, keeps the old code."""
    project.write("page.py", "VALUE = 1\ndef index():\n    return VALUE")
    project.write("app.py", "routes = []")
    project.start()
    for value in range(2, 8):
        project.ask("page:index")
        project.save(project.write("page.py", f"VALUE = {value}\ndef index():\n    return VALUE"))
        assert project.ask("page:index") == value
    assert not (project.root / "__pycache__").exists()


def test_a_new_file_that_shadows_a_loaded_module_restarts(project: Project) -> None:
    sys.modules.pop("colorsys", None)  # one that hotserve itself has loaded would win in a fresh process too
    project.write("app.py", "import colorsys\nroutes = []")
    project.start()
    update = project.requires_more(project.write("colorsys.py", "x = 1"))
    assert "takes the place of the loaded module colorsys" in update.reason


def test_a_new_file_that_nobody_asked_for_changes_nothing(project: Project) -> None:
    project.write("app.py", "routes = []")
    project.start()
    assert project.plan(project.write("tools/job.py")) == NotLoaded(("tools/job.py",))


def test_a_touch_changes_nothing(project: Project) -> None:
    file = project.write("app.py", "routes = []")
    project.start()
    assert project.plan(file) is None


def test_an_import_in_another_thread_is_an_edge(project: Project) -> None:
    project.write("leaf.py", "VALUE = 1")
    project.write("page.py", "def load():\n    import leaf\n    return leaf.VALUE")
    project.write("app.py", "routes = []")
    project.start()
    load = project.lazy("page:load").value()
    thread = threading.Thread(target=load)
    thread.start()
    thread.join()
    assert imports(project, "page") == {"leaf"}


def test_uninstalling_leaves_the_import_system_as_it_was(project: Project) -> None:
    before = (builtins.__import__, importlib.import_module, list(sys.meta_path))
    project.write("app.py", "routes = []")
    project.start()
    assert builtins.__import__ is not before[0]
    project.kernel.uninstall()
    assert (builtins.__import__, importlib.import_module, list(sys.meta_path)) == before


def test_another_import_hook_for_a_project_file_is_tracked_too(project: Project) -> None:
    from importlib.abc import MetaPathFinder
    from importlib.machinery import PathFinder, SourceFileLoader

    class Shouting(SourceFileLoader):
        def source_to_code(self, data: Any, path: Any, *, _optimize: int = -1) -> Any:  # type: ignore[override]
            return super().source_to_code(bytes(data).replace(b"whisper", b"SHOUT"), path)

        def get_code(self, fullname: str) -> Any:
            return self.source_to_code(self.get_data(self.path), self.path)

    class Finder(MetaPathFinder):
        def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
            spec = PathFinder.find_spec(fullname, path, target)
            if fullname == "page" and spec is not None and spec.origin is not None:
                spec.loader = Shouting(fullname, spec.origin)
                return spec
            return None

    project.write("page.py", "def index():\n    return 'whisper 1'")
    project.write("app.py", "routes = []")
    finder = Finder()
    sys.meta_path.insert(0, finder)
    try:
        project.start()
        assert project.ask("page:index") == "SHOUT 1"
        project.save(project.edit("page.py", "1", "2"))
        assert project.ask("page:index") == "SHOUT 2"
    finally:
        project.kernel.uninstall()
        sys.meta_path.remove(finder)
