"""The lifespan driver, with applications of every kind."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.applications import Starlette

from hotserve.server.lifespan import Lifespan, StartupFailed


def application(log: list[str], *, startup: Exception | None = None, shutdown: Exception | None = None) -> Starlette:
    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Any]]:
        log.append("startup")
        if startup is not None:
            raise startup
        yield {"pool": 1}
        log.append("shutdown")
        if shutdown is not None:
            raise shutdown

    return Starlette(lifespan=lifespan)


async def without_lifespan(scope: Any, receive: Any, send: Any) -> None:
    """An application that knows only HTTP, as many small ones do."""
    assert scope["type"] == "http"


@pytest.mark.parametrize("mode", ["auto", "on"])
def test_startup_and_shutdown_run_once_and_the_state_is_kept(mode: Any) -> None:
    log: list[str] = []

    async def main() -> None:
        lifespan = Lifespan(application(log), mode)
        await lifespan.startup()
        assert log == ["startup"]
        assert lifespan.state == {"pool": 1}
        await lifespan.shutdown()
        assert log == ["startup", "shutdown"]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_off_leaves_the_application_alone() -> None:
    log: list[str] = []

    async def main() -> None:
        lifespan = Lifespan(application(log), "off")
        await lifespan.startup()
        await lifespan.shutdown()

    asyncio.run(main())
    assert log == []


def test_auto_accepts_an_application_without_a_lifespan() -> None:
    async def main() -> None:
        lifespan = Lifespan(without_lifespan, "auto")
        await lifespan.startup()
        await lifespan.shutdown()
        assert lifespan.state == {}

    asyncio.run(main())


def test_on_does_not() -> None:
    async def main() -> None:
        with pytest.raises(StartupFailed) as caught:
            await Lifespan(without_lifespan, "on").startup()
        assert isinstance(caught.value.__cause__, AssertionError)

    asyncio.run(main())


@pytest.mark.parametrize("mode", ["auto", "on"])
def test_a_startup_that_fails_says_why(mode: Any) -> None:
    async def main() -> None:
        lifespan = Lifespan(application([], startup=ConnectionError("no database")), mode)
        with pytest.raises(StartupFailed) as caught:
            await lifespan.startup()
        assert isinstance(caught.value.__cause__, ConnectionError)
        await lifespan.shutdown()

    asyncio.run(main())


def test_a_shutdown_that_fails_is_logged_and_does_not_raise(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        lifespan = Lifespan(application([], shutdown=ConnectionError("lost")))
        await lifespan.startup()
        await lifespan.shutdown()

    with caplog.at_level(logging.ERROR, "uvicorn.error"):
        asyncio.run(main())
    assert "lost" in caplog.text


def test_sys_exit_in_a_startup_is_a_failed_startup() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise SystemExit("no settings")

    async def main() -> None:
        with pytest.raises(StartupFailed, match="SystemExit"):
            await Lifespan(app, "on").startup()

    asyncio.run(main())


def test_a_startup_that_hangs_ends_when_nobody_waits_for_it_any_more() -> None:
    log: list[str] = []
    hanging = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            hanging.set()
            await asyncio.Event().wait()
        finally:
            log.append("cancelled")

    async def main() -> None:
        waiting = asyncio.create_task(Lifespan(app).startup())
        await hanging.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert log == ["cancelled"]

    asyncio.run(main())


def test_a_shutdown_after_an_application_that_ended_early_does_not_hang() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})

    async def main() -> None:
        lifespan = Lifespan(app, "on")
        await lifespan.startup()
        await asyncio.wait_for(lifespan.shutdown(), 5)

    asyncio.run(main())
