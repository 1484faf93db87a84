"""What is left of modules that a fresh process would not have: each case was found by the property test."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from hotserve.errors import LoadError
from tests.hmr.conftest import Project

REGISTRY = "LIST = []\nBUS = {}\nclass Base: pass\n"
PLUGIN = "import reg\nreg.LIST.append('plugin')"
READER = "import reg\ndef index(): return list(reg.LIST)"


@pytest.fixture(autouse=True)
def no_automatic_collection() -> Iterator[None]:
    """The promise must not depend on when the garbage collector runs."""
    gc.disable()
    yield
    gc.enable()


def write_all(project: Project, **files: str) -> None:
    """Write modules (shop__cart is shop/cart.py) and start the application."""
    project.write("app.py", "routes = []")
    for name, text in files.items():
        package, _, module = name.partition("__")
        project.write(f"{package}/{module}.py" if module else f"{package}.py", text)
    project.start()


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(None, id="deleted"),
        pytest.param("def index(): return 1", id="no longer imports it"),
        pytest.param("undefined_name\nimport plugin\ndef index(): return 1", id="breaks before it imports it"),
    ],
)
def test_a_registration_goes_with_the_last_that_imported_its_module(project: Project, edit: str | None) -> None:
    write_all(project, reg=REGISTRY, plugin=PLUGIN, reader=READER, page="import plugin\ndef index(): return 1")
    project.ask("page:index")
    assert project.ask("reader:index") == ["plugin"]
    project.save(project.delete("page.py") if edit is None else project.write("page.py", edit))
    assert project.ask("reader:index") == []


def test_a_module_that_others_still_import_keeps_its_registration(project: Project) -> None:
    write_all(
        project,
        reg=REGISTRY,
        plugin=PLUGIN,
        reader=READER,
        page="import plugin\ndef index(): return 1",
        other="import plugin\ndef index(): return 1",
    )
    project.ask("page:index")
    project.ask("other:index")
    project.save(project.delete("page.py"))
    assert project.ask("reader:index") == ["plugin"]


def test_a_module_with_nothing_to_see_stays_warm_under_a_stale_importer(project: Project) -> None:
    write_all(project, model="WEIGHTS = object()", page="import model\nX = 1\ndef index(): return model.WEIGHTS")
    weights = project.ask("page:index")
    project.save(project.edit("page.py", "X = 1", "X = 2"))
    assert project.ask("page:index") is weights


def test_the_re_import_does_not_see_what_a_dropped_module_had_patched(project: Project) -> None:
    write_all(
        project,
        prices="def price(): return 'own'",
        users="import prices\nprices.price = lambda: 'patched'",
        page="import prices, users\nfrom prices import price\ndef index(): return price()",
    )
    assert project.ask("page:index") == "patched"
    project.save(project.edit("page.py", "import prices, users", "import prices"))
    assert project.ask("page:index") == "own"


def test_a_patched_name_that_others_have_imported_is_replaced_there_too(project: Project) -> None:
    write_all(
        project,
        prices="def price(): return 'own'",
        patch="import prices\nprices.price = lambda: 'patched'\ndef index(): return 1",
        page="from prices import price\ndef index(): return price()",
    )
    project.ask("patch:index")
    assert project.ask("page:index") == "patched"
    project.save(project.edit("patch.py", "'patched'", "'patched again'"))
    project.ask("patch:index")
    assert project.ask("page:index") == "patched again"


def test_a_list_that_several_modules_show_belongs_to_the_one_that_made_it(project: Project) -> None:
    write_all(
        project,
        base="LIST = [47]",
        tools="from base import LIST",
        admin="import base\nbase.LIST.append('admin')\ndef index(): return list(base.LIST)",
        settings="import admin\nX = 1",
        home="import tools\nimport settings\ndef index(): return 1",
    )
    project.ask("home:index")
    project.save(project.edit("settings.py", "X = 1", "X = 2"))
    assert project.ask("admin:index") == [47, "admin"]


def test_an_entry_made_before_a_later_import_shows_the_list_again_is_the_module_s_own(project: Project) -> None:
    write_all(
        project,
        base="LIST = []",
        again="from base import LIST\nclass Holder:\n    held = LIST",
        page="import base\nbase.LIST.append('page')\nimport again\nX = 1\ndef index(): return list(base.LIST)",
        other="import again\ndef index(): return 1",
    )
    project.ask("other:index")
    assert project.ask("page:index") == ["page"]
    project.save(project.edit("page.py", "X = 1", "X = 2"))
    assert project.ask("page:index") == ["page"]


def test_a_key_goes_with_its_list_when_all_who_filled_it_are_stale(project: Project) -> None:
    write_all(
        project,
        reg=REGISTRY,
        leaf="X = 1",
        one="import reg, leaf\nreg.BUS.setdefault('saved', []).append('one')\nimport two\n"
        "def index(): return dict(reg.BUS)",
        two="import reg, leaf\nreg.BUS['first'] = 1\nreg.BUS.setdefault('saved', []).append('two')\n"
        "def index(): return list(reg.BUS)",
    )
    assert project.ask("one:index") == {"saved": ["one", "two"], "first": 1}
    project.save(project.edit("leaf.py", "1", "2"))
    assert project.ask("two:index") == ["first", "saved"]


def test_a_key_goes_with_the_last_who_put_something_into_its_list(project: Project) -> None:
    write_all(
        project,
        reg=REGISTRY,
        one="import reg\nreg.BUS.setdefault('saved', []).append('one')\ndef index(): return dict(reg.BUS)",
        two="import reg\nreg.BUS.setdefault('saved', []).append('two')\ndef index(): return dict(reg.BUS)",
        reader="import reg\ndef index(): return dict(reg.BUS)",
    )
    project.ask("one:index")
    assert project.ask("two:index") == {"saved": ["one", "two"]}
    project.save(project.delete("one.py"))
    assert project.ask("reader:index") == {"saved": ["two"]}
    project.save(project.delete("two.py"))
    assert project.ask("reader:index") == {}


def test_classes_of_an_import_that_failed_are_not_found_by_the_next(project: Project) -> None:
    write_all(
        project,
        reg=REGISTRY,
        helper="undefined_name",
        plug="import reg\nclass Plug(reg.Base): pass\nimport helper",
        page="import plug\ndef index(): return 1",
        reader="import reg\ntry:\n    import plug\nexcept NameError: pass\n"
        "def index(): return [c.__name__ for c in reg.Base.__subclasses__()]",
    )
    with pytest.raises(LoadError):
        project.ask("page:index")
    project.failures.clear()
    project.save(project.write("helper.py", "x = 1"))
    assert project.ask("reader:index") == ["Plug"]


def test_a_package_runs_when_an_import_reaches_it_and_not_before(project: Project) -> None:
    write_all(
        project,
        reg=REGISTRY,
        plugins____init__="import reg\nreg.LIST.append('plugins')",
        plugins__tools="x = 1",
        home="import reg\nreg.LIST.append('home')\nimport plugins.tools\ndef index(): return list(reg.LIST)",
    )
    assert project.ask("home:index") == ["home", "plugins"]
    project.save(project.edit("plugins/__init__.py", "'plugins'", "'plugins 2'"))
    assert project.ask("home:index") == ["home", "plugins 2"]


def test_the_first_error_on_the_way_is_the_one_that_is_told(project: Project) -> None:
    write_all(
        project,
        plugins____init__="x = 1",
        plugins__tools="x = 1",
        home="from plugins.tools import x\ndef index(): return x",
    )
    assert project.ask("home:index") == 1
    project.save(
        project.write("plugins/__init__.py", "1 / 0"),
        project.write("home.py", "undefined_name\nfrom plugins.tools import x\ndef index(): return x"),
    )
    with pytest.raises(LoadError, match="undefined_name"):
        project.ask("home:index")


def test_a_package_that_failed_runs_again_before_what_lies_below_it(project: Project) -> None:
    write_all(
        project,
        ctl____init__="import helpers\nundefined_name",
        ctl__api="def index(): import helpers; return helpers.VALUE",
        ctl__home="def index(): return 1",
        helpers="import ctl.api\nVALUE = 1",
    )
    with pytest.raises(LoadError):
        project.ask("ctl.home:index")
    project.save(project.write("ctl/__init__.py", "import helpers\nfrom helpers import VALUE"))
    assert project.ask("ctl.api:index") == 1


def test_a_package_without_its_init_file_imports_nothing_any_more(project: Project) -> None:
    write_all(
        project,
        leaf="X = 1",
        services____init__="import leaf",
        services__orders="VALUE = 1",
        page="import services.orders\ndef index(): return services.orders.VALUE",
    )
    assert project.ask("page:index") == 1
    project.save(project.delete("services/__init__.py"))
    assert project.ask("page:index") == 1
    assert "services" not in project.kernel.graph.importers("leaf")
    assert project.ask("page:index") == 1


def test_a_star_import_binds_submodules_that_somebody_has_loaded(project: Project) -> None:
    write_all(
        project,
        ctl____init__="",
        ctl__cart="VALUE = 1\ndef index(): return VALUE",
        ctl__home="from ctl import *\ndef index(): return cart.VALUE",
    )
    project.ask("ctl.cart:index")
    assert project.ask("ctl.home:index") == 1
    project.save(project.edit("ctl/cart.py", "VALUE = 1", "VALUE = 2"))
    assert project.ask("ctl.cart:index") == 2
    assert project.ask("ctl.home:index") == 2


def test_what_was_deleted_and_comes_back_with_the_same_content_is_a_change(project: Project) -> None:
    write_all(
        project,
        leaf="VALUE = 'leaf'",
        page="try:\n    from leaf import VALUE\nexcept ImportError:\n    VALUE = 'fallback'\ndef index(): return VALUE",
    )
    assert project.ask("page:index") == "leaf"
    project.save(project.delete("leaf.py"))
    assert project.ask("page:index") == "fallback"
    project.save(project.write("leaf.py", "VALUE = 'leaf'"))
    assert project.ask("page:index") == "leaf"
