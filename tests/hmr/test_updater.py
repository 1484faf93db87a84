"""What unloading means, and that nothing of an old version stays behind."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import weakref
from typing import Any

import pytest

from hotserve.hmr.plan import HotUpdate, Restart
from hotserve.hot import hot
from tests.hmr.conftest import Project


def test_unloading_also_unbinds_the_module_from_its_package(project: Project) -> None:
    project.write("a/__init__.py")
    project.write("a/b.py", "VALUE = 1")
    project.write("page.py", "def index():\n    from a import b\n    return b.VALUE")
    project.write("app.py", "routes = []")
    project.start()
    assert project.ask("page:index") == 1
    package = sys.modules["a"]
    project.save(project.edit("a/b.py", "1", "2"))
    assert not hasattr(package, "b")
    assert project.ask("page:index") == 2


def test_a_package_that_runs_again_gets_its_fresh_submodules_bound(project: Project) -> None:
    project.write("a/__init__.py", "NAME = 'old'")
    project.write("a/b.py", "x = 1")
    project.write("page.py", "import a.b\ndef index():\n    return a.NAME, a.b.x")
    project.write("app.py", "routes = []")
    project.start()
    assert project.ask("page:index") == ("old", 1)
    fresh = sys.modules["a.b"]
    project.save(project.edit("a/__init__.py", "old", "new"))
    assert project.ask("page:index") == ("new", 1)
    assert sys.modules["a.b"] is fresh


def test_a_name_in_a_package_wins_over_its_submodule_as_in_a_fresh_process(project: Project) -> None:
    project.write("a/__init__.py", "from a.b import b\nNAME = 'old'")
    project.write("a/b.py", "def b():\n    return 'function'")
    project.write("page.py", "import a\ndef index():\n    return a.b(), a.NAME")
    project.write("app.py", "routes = []")
    project.start()
    assert project.ask("page:index") == ("function", "old")
    project.save(project.edit("a/__init__.py", "old", "new"))
    assert project.ask("page:index") == ("function", "new")


def test_a_boundary_below_a_package_sees_its_failure(project: Project) -> None:
    project.write("a/__init__.py", "")
    project.write("a/page.py", "def index():\n    return 1")
    project.write("app.py", "routes = []")
    project.start()
    assert project.ask("a.page:index") == 1
    update = project.save(project.write("a/__init__.py", "raise RuntimeError('package')"))
    assert update.boundaries == ("a.page",)
    with pytest.raises(Exception, match="package"):
        project.ask("a.page:index")
    project.save(project.write("a/__init__.py", "ready = True"))
    assert project.ask("a.page:index") == 1
    assert sys.modules["a"].ready


def test_a_boundary_sees_the_failure_of_a_package_around_what_it_imports(project: Project) -> None:
    project.write("a/__init__.py", "")
    project.write("a/b.py", "VALUE = 1")
    project.write("page.py", "from a.b import VALUE\ndef index():\n    return VALUE")
    project.write("app.py", "routes = []")
    project.start()
    assert project.ask("page:index") == 1
    project.save(project.write("a/__init__.py", "raise RuntimeError('package')"))
    with pytest.raises(Exception, match="package"):
        project.ask("page:index")
    project.save(project.write("a/__init__.py", ""))
    assert project.ask("page:index") == 1


def test_a_package_around_what_the_application_imports_runs_again_at_once(project: Project) -> None:
    project.write("core/__init__.py", "STEPS = []")
    project.write("core/settings.py", "DEBUG = True")
    project.write("app.py", "from core.settings import DEBUG\nroutes = []")
    project.start()
    update = project.plan(project.write("core/__init__.py", "STEPS = ['new']"))
    assert isinstance(update, HotUpdate)
    assert project.apply(update).restart is None
    assert sys.modules["core"].STEPS == ["new"]


def test_if_it_cannot_run_again_the_process_restarts(project: Project) -> None:
    project.write("core/__init__.py", "")
    project.write("core/settings.py", "DEBUG = True")
    project.write("app.py", "from core.settings import DEBUG\nroutes = []")
    project.start()
    update = project.plan(project.write("core/__init__.py", "raise RuntimeError"))
    assert isinstance(update, HotUpdate)
    reason = project.apply(update).restart
    assert reason == "core cannot be imported again (RuntimeError), and the application needs it"


def test_an_old_version_dies(project: Project) -> None:
    project.write("model.py", "class User:\n    pass\ncache = {}")
    project.write(
        "page.py", "import model\nclass Page:\n    def index(self):\n        return model.User()\ndef index(): return 1"
    )
    project.write("app.py", "routes = []")
    project.start()
    project.ask("page:index")
    old = [
        weakref.ref(sys.modules["page"]),
        weakref.ref(sys.modules["model"]),
        weakref.ref(sys.modules["model"].User),
        weakref.ref(sys.modules["page"].index),
    ]
    project.save(project.edit("model.py", "{}", "{1: 1}"))
    project.ask("page:index")
    gc.collect()
    assert [reference() for reference in old] == [None] * 4


def test_an_old_version_dies_though_its_successor_is_broken(project: Project) -> None:
    project.write("page.py", "def index():\n    return 1")
    project.write("app.py", "routes = []")
    project.start()
    project.ask("page:index")
    old = weakref.ref(sys.modules["page"])
    project.save(project.write("page.py", "class Leak: pass\nraise RuntimeError(Leak)"))
    with pytest.raises(Exception, match="importing page failed"):
        project.ask("page:index")
    project.failures.clear()
    project.save(project.write("page.py", "def index():\n    return 2"))
    assert project.ask("page:index") == 2
    gc.collect()
    assert old() is None
    assert not [each for each in gc.get_objects() if isinstance(each, type) and each.__name__ == "Leak"]


def test_what_is_in_flight_keeps_the_version_it_began_with(project: Project) -> None:
    project.write("page.py", "VALUE = 1\ndef start():\n    return read\ndef read():\n    return VALUE")
    project.write("app.py", "routes = []")
    project.start()
    read = project.ask("page:start")
    project.save(project.edit("page.py", "VALUE = 1", "VALUE = 2"))
    assert project.ask("page:start")() == 2
    assert read() == 1


def test_an_update_waits_for_an_import_that_runs_in_another_thread(project: Project) -> None:
    started, go_on = threading.Event(), threading.Event()
    project.write("gate.py", "def index(): ...")
    project.write("page.py", "def load():\n    import slow\n    return slow.VALUE")
    project.write("slow.py", "import gate\ngate.started.set()\nassert gate.go_on.wait(10)\nimport slow_too\nVALUE = 1")
    project.write("slow_too.py", "VALUE = 1")
    project.write("app.py", "routes = []")
    project.start()
    project.ask("gate:index")
    vars(sys.modules["gate"]).update(started=started, go_on=go_on)
    load = project.lazy("page:load").value()
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(load()))
    thread.start()
    assert started.wait(10)
    assert project.kernel.tracker.executing_elsewhere()
    update = project.plan(project.edit("page.py", "return slow.VALUE", "return slow.VALUE + 1"))
    assert isinstance(update, HotUpdate)

    async def main() -> None:
        applying = asyncio.create_task(project.kernel.apply(update))
        await asyncio.sleep(0)
        assert not applying.done()
        go_on.set()
        await asyncio.wait_for(applying, 10)

    asyncio.run(main())
    thread.join(10)
    assert results == [1]


def test_what_nobody_imports_any_more_is_unloaded(project: Project) -> None:
    project.write("registry.py", "NAMES = []")
    project.write("plugin.py", "import registry\nregistry.NAMES.append('plugin')")
    project.write("page.py", "import plugin, registry\ndef index():\n    return list(registry.NAMES)")
    project.write("app.py", "import registry\nroutes = []")
    project.start()
    assert project.ask("page:index") == ["plugin"]
    project.save(project.edit("page.py", "import plugin, registry", "import registry"))
    assert project.ask("page:index") == []
    assert "plugin" not in sys.modules


def test_a_module_that_another_still_imports_stays(project: Project) -> None:
    project.write("shared.py", "")
    project.write("one.py", "import shared\ndef index(): return 1")
    project.write("two.py", "import shared\ndef index(): return 2")
    project.write("app.py", "routes = []")
    project.start()
    project.ask("one:index")
    project.ask("two:index")
    shared = sys.modules["shared"]
    project.save(project.edit("one.py", "import shared", ""))
    project.ask("one:index")
    assert sys.modules["shared"] is shared


def test_subclasses_of_an_old_version_are_not_found(project: Project) -> None:
    project.write(
        "base.py", "class Plugin:\n    pass\ndef names():\n    return [c.TAG for c in Plugin.__subclasses__()]"
    )
    project.write("one.py", "import base\nclass One(base.Plugin):\n    TAG = 'one'\ndef index(): return base.names()")
    project.write("two.py", "import base\nclass Two(base.Plugin):\n    TAG = 'two'\ndef index(): return base.names()")
    project.write("app.py", "import base\nroutes = []")
    project.start()
    project.ask("one:index")
    gc.disable()
    try:
        assert project.ask("two:index") == ["one", "two"]
        project.save(project.edit("one.py", "'one'", "'eins'"))
        assert project.ask("two:index") == ["two"]
        assert project.ask("one:index") == ["two", "eins"]
    finally:
        gc.enable()


def test_dispose_callbacks_run_importers_first_and_last_registered_first(project: Project) -> None:
    project.write("log.py", "LINES = []")
    body = "from hotserve.hot import hot\nimport log{more}\n"
    body += "hot.dispose(lambda: log.LINES.append('{name} 1'))\nhot.dispose(lambda: log.LINES.append('{name} 2'))\n"
    project.write("leaf.py", body.format(more="", name="leaf"))
    project.write("middle.py", body.format(more=", leaf", name="middle"))
    project.write("page.py", body.format(more=", middle", name="page") + "def index(): return list(log.LINES)")
    project.write("app.py", "import log\nroutes = []")
    project.start()
    project.ask("page:index")
    project.save(project.write("leaf.py", body.format(more="", name="leaf") + "# edited"))
    assert project.ask("page:index") == ["page 2", "page 1", "middle 2", "middle 1", "leaf 2", "leaf 1"]


def test_an_async_dispose_callback_is_awaited_before_the_new_version_runs(project: Project) -> None:
    project.write("log.py", "LINES = []")
    project.write(
        "page.py",
        """
        import asyncio, log
        from hotserve.hot import hot
        log.LINES.append("run")  # taken back when this version goes
        @hot.dispose
        async def close(data):
            await asyncio.sleep(0)
            log.LINES.append("closed")
            data["handed"] = "over"
        def index():
            return log.LINES, dict(hot.data)
        """,
    )
    project.write("app.py", "import log\nroutes = []")
    project.start()
    assert project.ask("page:index") == (["run"], {})
    project.save(project.edit("page.py", '"run"', '"run again"'))
    assert project.ask("page:index") == (["closed", "run again"], {"handed": "over"})


def test_an_exception_in_a_dispose_callback_is_reported_and_stops_nothing(project: Project) -> None:
    project.write(
        "page.py", "from hotserve.hot import hot\nhot.dispose(lambda: 1 / 0)\nVALUE = 1\ndef index():\n    return VALUE"
    )
    project.write("app.py", "routes = []")
    project.start()
    errors: list[str] = []
    project.kernel.on_dispose_error = lambda module, exc: errors.append(f"{module}: {exc}")
    project.ask("page:index")
    project.save(project.edit("page.py", "VALUE = 1", "VALUE = 2"))
    assert project.ask("page:index") == 2
    assert errors == ["page: division by zero"]


def test_data_and_kept_objects_outlive_the_versions_of_their_module(project: Project) -> None:
    project.write(
        "page.py",
        """
        from hotserve.hot import hot
        hot.data["versions"] = hot.data.get("versions", 0) + 1
        pool = hot.keep("pool", lambda: object())
        def index():
            return hot.data["versions"], pool
        """,
    )
    project.write("app.py", "routes = []")
    project.start()
    assert hot
    _, pool = project.ask("page:index")
    project.save(project.edit("page.py", "def index", "# edited\ndef index"))
    assert project.ask("page:index") == (2, pool)


def test_a_deleted_module_keeps_nothing(project: Project) -> None:
    text = "from hotserve.hot import hot\nhot.data['n'] = hot.data.get('n', 0) + 1\ndef index(): return hot.data['n']"
    project.write("page.py", text)
    project.write("app.py", "routes = []")
    project.start()
    assert project.ask("page:index") == 1
    project.save(project.delete("page.py"))
    project.save(project.write("page.py", text))
    assert project.ask("page:index") == 1


def test_a_module_that_declines_restarts(project: Project) -> None:
    project.write("native.py", "from hotserve.hot import hot\nhot.decline()\nVALUE = 1")
    project.write("leaf.py", "X = 1")
    project.write("page.py", "import native, leaf\ndef index(): return 1")
    project.write("app.py", "routes = []")
    project.start()
    project.ask("page:index")
    update = project.requires_more(project.edit("native.py", "VALUE = 1", "VALUE = 2"))
    assert update == Restart(("native.py",), "native.py changed, and native declined hot updates")


def test_the_end_runs_every_dispose_callback(project: Project) -> None:
    project.write(
        "page.py",
        "from hotserve.hot import hot\nDONE = []\nhot.dispose(lambda: DONE.append(1))\ndef index(): return DONE",
    )
    project.write("app.py", "routes = []")
    project.start()
    done = project.ask("page:index")
    asyncio.run(project.kernel.dispose_all())
    assert done == [1]
