"""References under HMR: broken saves, phantom errors, and what a boundary is."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from hotserve.errors import AttributeNotFound, ImportFailed, ModuleNotFound
from hotserve.hmr.plan import AppSwap, HotUpdate, NotLoaded
from tests.hmr.conftest import Project

# Refuses a second registration, and keeps the first where the journal cannot see it: in a closure.
REFUSING_REGISTRY = """
def make():
    seen = set()
    def register(name):
        if name in seen:
            raise ValueError(f"{name} is registered already")
        seen.add(name)
    return register
register = make()
"""


def test_a_change_stops_at_the_boundary(project: Project) -> None:
    project.write("leaf.py", "VALUE = 1")
    project.write("page.py", "from leaf import VALUE\ndef index():\n    return VALUE")
    project.write("other.py", "def index():\n    return 'other'")
    project.write("app.py", "routes = []")
    project.start()
    assert (project.ask("page:index"), project.ask("other:index")) == (1, "other")
    other = sys.modules["other"]
    update = project.save(project.edit("leaf.py", "1", "2"))
    assert str(update) == "leaf.py → page  2 modules"
    assert project.ask("page:index") == 2
    assert sys.modules["other"] is other


def test_a_boundary_that_is_also_imported_eagerly_swaps_the_application(project: Project) -> None:
    project.write("page.py", "def index():\n    return 1")
    project.write("app.py", "import page\nroutes = []")
    project.start()
    project.ask("page:index")
    update = project.requires_more(project.edit("page.py", "1", "2"))
    assert isinstance(update, AppSwap)
    assert update.reason == "page.py changed (page is imported eagerly by app.py)"


def test_the_reason_of_an_app_swap_names_the_import_path(project: Project) -> None:
    project.write("models.py", "X = 1")
    project.write("bootstrap.py", "import models")
    project.write("app.py", "import bootstrap\nroutes = []")
    project.start()
    update = project.requires_more(project.edit("models.py", "1", "2"))
    assert update.reason == "models.py changed (app.py → bootstrap.py → models.py passes no boundary)"


def test_what_was_never_asked_for_is_not_imported(project: Project) -> None:
    project.write("page.py", "def index():\n    return 1")
    project.write("app.py", "from hotserve.reference import Lazy\nroutes = [Lazy('page:index')]")
    project.start()
    assert "page" not in sys.modules
    assert project.kernel.boundaries() == ["page"]
    assert project.kernel.imported_boundaries() == []
    assert project.plan(project.edit("page.py", "1", "2")) == NotLoaded(("page.py",))


def test_what_is_resolved_while_the_application_starts_belongs_to_the_application(project: Project) -> None:
    project.write("events.py", "def connect():\n    return 1")
    project.write("app.py", "routes = []")
    project.start()
    with project.kernel.starting():
        project.ask("events:connect")
    assert isinstance(project.requires_more(project.edit("events.py", "1", "2")), AppSwap)


def test_what_is_resolved_while_a_module_executes_is_imported_by_it(project: Project) -> None:
    project.write("leaf.py", "def value():\n    return 1")
    project.write(
        "page.py",
        "from hotserve.reference import Lazy\nVALUE = Lazy('leaf:value').value()()\ndef index(): return VALUE",
    )
    project.write("app.py", "routes = []")
    project.start()
    assert project.ask("page:index") == 1
    project.save(project.edit("leaf.py", "1", "2"))
    assert project.ask("page:index") == 2


def test_a_syntax_error_breaks_only_the_boundary_that_needs_it(project: Project) -> None:
    project.write("leaf.py", "VALUE = 1")
    project.write("page.py", "from leaf import VALUE\ndef index():\n    return VALUE")
    project.write("other.py", "def index():\n    return 'other'")
    project.write("app.py", "routes = []")
    project.start()
    project.ask("page:index")
    project.ask("other:index")
    project.save(project.write("leaf.py", "VALUE = ("))
    for _ in range(3):
        with pytest.raises(ImportFailed, match=r"leaf\.py, line 1\): SyntaxError: '\(' was never closed"):
            project.ask("page:index")
    assert len(project.failures) == 1, "said once"
    assert project.ask("other:index") == "other"
    project.save(project.write("leaf.py", "VALUE = 2"))
    assert project.ask("page:index") == 2


def test_a_broken_boundary_is_watched_with_all_that_it_managed_to_import(project: Project) -> None:
    project.write("first.py", "VALUE = 1")
    project.write(
        "page.py", "from first import VALUE\nassert VALUE == 2, 'first must be 2'\ndef index():\n    return VALUE"
    )
    project.write("app.py", "routes = []")
    project.start()
    with pytest.raises(ImportFailed, match="first must be 2"):
        project.ask("page:index")
    project.save(project.edit("first.py", "1", "2"))
    assert project.ask("page:index") == 2


def test_a_request_to_a_broken_boundary_tries_again(project: Project) -> None:
    project.write(
        "page.py",
        "import sys\nif not hasattr(sys, '_ready_for_test'): raise RuntimeError('not yet')\ndef index(): return 1",
    )
    project.write("app.py", "routes = []")
    project.start()
    with pytest.raises(ImportFailed, match="not yet"):
        project.ask("page:index")
    sys._ready_for_test = True  # type: ignore[attr-defined]
    try:
        assert project.ask("page:index") == 1
    finally:
        del sys._ready_for_test  # type: ignore[attr-defined]


def test_a_missing_module_a_missing_name_and_a_failing_import_are_told_apart(project: Project) -> None:
    project.write("page.py", "import does_not_exist\ndef index(): return 1")
    project.write("good.py", "def index(): return 1")
    project.write("app.py", "routes = []")
    project.start()
    with pytest.raises(ModuleNotFound, match=r"no module named 'pge'\. Did you mean 'page'"):
        project.ask("pge:index")
    with pytest.raises(AttributeNotFound, match=r"has no attribute 'indx'\. Did you mean 'index'"):
        project.ask("good:indx")
    with pytest.raises(ImportFailed, match="No module named 'does_not_exist'"):
        project.ask("page:index")


def test_a_partial_import_that_fails_is_repeated_whole(project: Project) -> None:
    """`registry` is fresh and refuses a second registration: something that the journal cannot see (a closure)."""
    project.write("registry.py", REFUSING_REGISTRY)
    project.write("page.py", "import registry\nregistry.register('page')\nVALUE = 1\ndef index():\n    return VALUE")
    project.write("app.py", "routes = []")
    project.start()
    assert project.ask("page:index") == 1
    project.save(project.edit("page.py", "VALUE = 1", "VALUE = 2"))
    assert project.ask("page:index") == 2
    assert project.failures == []


def test_a_genuine_error_does_not_cost_the_state_of_other_modules(project: Project) -> None:
    project.write("model.py", "WEIGHTS = object()")
    project.write("page.py", "import model\ndef index():\n    return model.WEIGHTS")
    project.write("app.py", "routes = []")
    project.start()
    weights = project.ask("page:index")
    project.save(project.write("page.py", "import model\nundefined_name\ndef index(): ..."))
    with pytest.raises(ImportFailed, match="NameError"):
        project.ask("page:index")
    project.save(project.write("page.py", "import model\ndef index():\n    return model.WEIGHTS"))
    assert project.ask("page:index") is weights


def test_a_phantom_error_is_found_out_by_a_fresh_interpreter(project: Project) -> None:
    """The application module holds the registry, so that not even the whole tree can be imported again here."""
    found = threading.Event()
    reasons: list[str] = []
    project.write("registry.py", REFUSING_REGISTRY)
    project.write("page.py", "import registry\nregistry.register('page')\nVALUE = 1\ndef index():\n    return VALUE")
    project.write("app.py", "import registry\nroutes = []")
    project.start()

    def on_phantom(reason: str) -> None:
        reasons.append(reason)
        found.set()

    project.kernel.on_phantom = on_phantom
    assert project.ask("page:index") == 1
    project.save(project.edit("page.py", "VALUE = 1", "VALUE = 2"))
    with pytest.raises(ImportFailed, match="registered already"):
        project.ask("page:index")
    assert found.wait(30)
    assert reasons == ["page:index could be imported by a fresh process, though not here (ValueError)"]


def test_a_genuine_error_is_no_phantom(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []
    asked = threading.Event()
    real = subprocess.run

    def run(*args: object, **options: object) -> object:
        done = real(*args, **options)  # type: ignore[call-overload]
        codes.append(done.returncode)
        asked.set()
        return done

    monkeypatch.setattr("hotserve.hmr.fresh.subprocess.run", run)
    project.write("page.py", "VALUE = 1\ndef index():\n    return VALUE")
    project.write("app.py", "routes = []")
    project.start()
    project.kernel.on_phantom = lambda reason: pytest.fail(reason)
    project.ask("page:index")
    project.save(project.edit("page.py", "VALUE = 1", "VALUE = 1 / 0"))
    with pytest.raises(ImportFailed, match="division by zero"):
        project.ask("page:index")
    assert asked.wait(30)
    assert codes == [1]


def test_a_deleted_module_is_not_served_any_more(project: Project) -> None:
    project.write("leaf.py", "VALUE = 1")
    project.write("page.py", "from leaf import VALUE\ndef index():\n    return VALUE")
    project.write("app.py", "routes = []")
    project.start()
    project.ask("page:index")
    project.save(project.delete("leaf.py"))
    with pytest.raises(ImportFailed, match="No module named 'leaf'"):
        project.ask("page:index")


def test_references_into_fresh_modules_keep_their_objects(project: Project) -> None:
    project.write("page.py", "def index():\n    return 1")
    project.write("other.py", "def index():\n    return 1")
    project.write("app.py", "routes = []")
    project.start()
    page, other = project.lazy("page:index"), project.lazy("other:index")
    first = (page.value(), other.value())
    update = project.save(project.edit("page.py", "1", "2"))
    assert isinstance(update, HotUpdate)
    assert page.value() is not first[0]
    assert other.value() is first[1]
