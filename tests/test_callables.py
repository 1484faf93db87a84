"""`lazy("module:attr")` wherever a callable is taken."""

from __future__ import annotations

import asyncio
import gc
import inspect
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette._utils import is_async_callable
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from hotserve import lazy, reference
from hotserve.errors import LoadError, ModuleNotFound, NotCallable
from hotserve.reference import ImportOnce, Lazy
from tests.asgi import Modules, get, live


@pytest.fixture
def modules(tmp_path: Path) -> Iterator[Modules]:
    with Modules.importable(tmp_path) as written:
        yield written


def awaited(awaitable: Any) -> Any:
    async def wait() -> Any:
        return await awaitable

    return asyncio.run(wait())


WORK = """
    import contextlib
    import threading

    from starlette.endpoints import HTTPEndpoint
    from starlette.responses import PlainTextResponse

    async def double(number, *, plus=0):
        return number * 2 + plus, threading.get_ident()

    def double_sync(number, *, plus=0):
        return number * 2 + plus, threading.get_ident()

    class Worker:
        async def double(self, number):
            return type(self).__name__, number * 2

        @contextlib.asynccontextmanager
        async def lifespan(self, app):
            events.append("worker up")
            yield
            events.append("worker down")

    class Page(HTTPEndpoint):
        async def get(self, request):
            return PlainTextResponse("a page")

    number = 3
    events = []

    @contextlib.asynccontextmanager
    async def state(app):
        yield {"pool": app}

    async def generator(app):
        events.append("up")
        yield
        events.append("down")
"""


def test_starlette_sees_it_as_async(modules: Modules) -> None:
    call = lazy("lazily.work:double_sync")
    assert is_async_callable(call)
    assert BackgroundTask(call).is_async
    assert sys.version_info < (3, 12) or inspect.iscoroutinefunction(call.__call__)
    assert modules.imported() == []


def test_an_async_target_runs_on_the_loops_thread_and_a_sync_one_in_a_worker(modules: Modules) -> None:
    modules.write("lazily/work.py", WORK)
    me = threading.get_ident()
    assert awaited(lazy("lazily.work:double")(3, plus=1)) == (7, me)
    result, thread = awaited(lazy("lazily.work:double_sync")(3, plus=1))
    assert (result, thread == me) == (7, False)


def test_a_method_is_called_on_a_new_instance(modules: Modules) -> None:
    modules.write("lazily/work.py", WORK)
    assert awaited(lazy("lazily.work:Worker.double")(4)) == ("Worker", 8)
    assert live(Starlette(lifespan=lazy("lazily.work:Worker.lifespan"))) == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    assert modules.load("lazily.work:events") == ["worker up", "worker down"]


def test_it_serves_as_an_asgi_application(modules: Modules) -> None:
    modules.write("lazily/work.py", WORK)
    app = Starlette(routes=[Mount("/page", app=lazy("lazily.work:Page"))])
    assert get(app, "/page/").text == "a page"


def test_a_lifespan_gives_its_state_to_the_application(modules: Modules) -> None:
    modules.write("lazily/work.py", WORK)

    async def enter() -> Any:
        async with lazy("lazily.work:state")("the app") as state:
            return state

    assert asyncio.run(enter()) == {"pool": "the app"}


@pytest.mark.filterwarnings("ignore:async generator function lifespans are deprecated")
def test_a_lifespan_may_be_of_every_kind_that_starlette_takes(modules: Modules) -> None:
    modules.write("lazily/work.py", WORK)
    live(Starlette(lifespan=lazy("lazily.work:generator")))
    assert modules.load("lazily.work:events") == ["up", "down"]


def test_a_lifespan_that_cannot_be_loaded_fails_the_start() -> None:
    with pytest.raises(ModuleNotFound):
        live(Starlette(lifespan=lazy("nowhere:lifespan")))


def test_a_call_that_nobody_awaits_is_told() -> None:
    with pytest.warns(RuntimeWarning, match=r'lazy\("nowhere:task"\) was called but never awaited'):
        lazy("nowhere:task")()
        gc.collect()


def test_what_cannot_be_called_is_refused_by_name(modules: Modules) -> None:
    file = modules.write("lazily/work.py", WORK)
    with pytest.raises(NotCallable) as caught:
        awaited(lazy("lazily.work:number")())
    assert str(caught.value) == (
        f"`lazily.work:number` in lazy(...): this is of type 'int' and cannot be called ({file})."
    )


def broken_handler() -> Starlette:
    async def fail(request: Any) -> Any:
        raise ZeroDivisionError

    handlers: dict[Any, Any] = {ZeroDivisionError: lazy("nowhere:on_crash")}
    return Starlette(routes=[Route("/", fail)], exception_handlers=handlers)


def test_an_exception_handler_that_cannot_be_loaded_raises_in_production() -> None:
    with pytest.raises(ModuleNotFound, match=r"`nowhere:on_crash` in lazy\(\.\.\.\): no module named 'nowhere'"):
        get(broken_handler(), "/")


class Showing(ImportOnce):
    """Shows failures, as the hot resolver does."""

    def failed(self, lazy: Lazy, error: LoadError) -> Any:
        return PlainTextResponse(f"page: {error.reference}", status_code=500)


def test_an_exception_handler_that_cannot_be_loaded_answers_with_its_page_where_there_is_one() -> None:
    reference.use(Showing())
    try:
        response = get(broken_handler(), "/")
        assert (response.status_code, response.text) == (500, "page: nowhere:on_crash")
        # A task has nowhere to show a page.
        with pytest.raises(ModuleNotFound):
            awaited(lazy("nowhere:task")("word", ValueError()))
    finally:
        reference.use(None)


def test_a_new_version_is_called_once_the_old_one_is_forgotten(modules: Modules) -> None:
    modules.write("lazily/work.py", "async def task(): return 'old'\n")
    task = lazy("lazily.work:task")
    assert awaited(task()) == "old"
    modules.write("lazily/work.py", "def task(): return 'new'\n")
    modules.unload()
    assert awaited(task()) == "old"
    task._lazy.forget()
    assert awaited(task()) == "new"
