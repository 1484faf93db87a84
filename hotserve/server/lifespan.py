"""Starts and stops the ASGI lifespan of an application that comes and goes while the server stays."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Literal

from hotserve.errors import HotserveError
from hotserve.reference import ASGIApp

Mode = Literal["off", "on", "auto"]

logger = logging.getLogger("uvicorn.error")


class StartupFailed(HotserveError):
    """The application's startup failed: what it said. `__cause__` is the exception, if it raised one."""


class Lifespan:
    """One run of an application's lifespan: `startup`, then `shutdown`, both in one task as the specification asks.

    state: what the application put into `scope["state"]`; each request gets a copy of it
    """

    def __init__(self, app: ASGIApp, mode: Mode = "auto") -> None:
        self.state: dict[str, Any] = {}
        self._app = app
        self._mode = mode
        self._task: asyncio.Task[None] | None = None
        self._messages: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._started = asyncio.Event()
        self._stopped = asyncio.Event()
        # What "lifespan.startup.failed" and "lifespan.shutdown.failed" said; None as long as nothing did.
        self._startup_failed: str | None = None
        self._shutdown_failed: str | None = None

    async def startup(self) -> None:
        """Run the application's startup to its end. Raises StartupFailed."""
        if self._mode == "off":
            return
        self._task = asyncio.create_task(self._run(), name="hotserve-lifespan")
        self._messages.put_nowait({"type": "lifespan.startup"})
        try:
            await _first(self._started.wait(), self._task)
        except asyncio.CancelledError:
            # Whoever waited has given up on this startup (Ctrl+C, a newer save): it must not go on by itself.
            await self._cancel()
            raise
        if self._startup_failed is not None:
            await asyncio.wait({self._task}, timeout=1.0)
            error = self._error()
            raise StartupFailed(self._startup_failed or str(error or "")) from error
        if self._started.is_set():
            return
        error = self._error()
        if self._mode == "on":
            raise StartupFailed(str(error) if error else "the lifespan ended before startup.complete") from error
        # "auto": an application that raises, or returns, at a lifespan scope does not speak the protocol.
        logger.debug("ASGI 'lifespan' protocol appears unsupported.", exc_info=error)

    async def shutdown(self) -> None:
        """Run the application's shutdown to its end; what it raises is logged, since the application is gone anyway."""
        if self._task is None or self._task.done():
            return
        self._messages.put_nowait({"type": "lifespan.shutdown"})
        try:
            await _first(self._stopped.wait(), self._task)
        except asyncio.CancelledError:
            await self._cancel()
            raise
        if self._shutdown_failed is not None or (self._task.done() and self._error() is not None):
            await asyncio.wait({self._task}, timeout=1.0)
            logger.error("Application shutdown failed. %s", self._shutdown_failed or "", exc_info=self._error())
        elif not self._task.done():
            # What stands after `yield` has run; let the task end rather than be found pending when the loop closes.
            await asyncio.wait({self._task}, timeout=1.0)
        await self._cancel()

    async def _cancel(self) -> None:
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=1.0)

    def _error(self) -> BaseException | None:
        if self._task is None or not self._task.done() or self._task.cancelled():
            return None
        return self._task.exception()

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self._app(scope, self._messages.get, self._send)
        except (KeyboardInterrupt, SystemExit) as exc:
            # Let out of a task these would end the event loop at once, without any clean-up.
            raise RuntimeError(f"{type(exc).__name__} in the application's lifespan") from exc

    async def _send(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "lifespan.startup.complete":
                self._started.set()
            case "lifespan.startup.failed":
                self._startup_failed = message.get("message", "")
                self._started.set()
            case "lifespan.shutdown.complete":
                self._stopped.set()
            case "lifespan.shutdown.failed":
                self._shutdown_failed = message.get("message", "")
                self._stopped.set()
            case other:
                raise RuntimeError(f"Unexpected ASGI message {other!r} in a lifespan.")


async def _first(event: Any, task: asyncio.Task[None]) -> None:
    """Wait until `event` happened or `task` ended, and leave the task alone."""
    waiting = asyncio.ensure_future(event)
    try:
        await asyncio.wait({waiting, task}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
