"""The ASGI application that uvicorn holds for good; it forwards to the current application."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hotserve.errors import ImportFailed
from hotserve.hmr.kernel import Kernel
from hotserve.reference import ASGIApp, Reference
from hotserve.server.application import as_application
from hotserve.server.lifespan import Lifespan, Mode

logger = logging.getLogger("uvicorn.error")


@dataclass(frozen=True, slots=True)
class Target:
    """What to serve, and by which of uvicorn's options it becomes an application."""

    reference: Reference
    factory: bool = False
    interface: str = "auto"
    lifespan: Mode = "auto"


class DevApp:
    """Forwards every request to the current application; while an update is under way, requests wait for its end.

    broken: the application could not be imported or started, and the error page answers instead
    """

    def __init__(self, target: Target, kernel: Kernel, failed: Callable[[BaseException], ASGIApp]) -> None:
        """`failed(error)` tells people about the error and returns the application that answers meanwhile."""
        self.broken = False
        self._target = target
        self._kernel = kernel
        self._failed = failed
        self._app: ASGIApp = _nothing
        self._lifespan: Lifespan | None = None
        # The dict of which uvicorn copies into the scope of each request; it holds what the current lifespan put there.
        self._state: dict[str, Any] = {}
        # The object that the target names, or why it cannot be had; None before `load` and after `start`.
        self._loaded: Any = None
        self._load_error: BaseException | None = None
        self._starting: asyncio.Task[None] | None = None
        self._given_up = False
        # What new requests wait for; None while there is nothing to wait for. Looking at it is the whole cost that
        # an update has for a request. It is closed as long as `_holds` is not 0: at first for the start.
        self._gate: asyncio.Event | None = asyncio.Event()
        self._holds = 1

    def __call__(self, scope: Any, receive: Any, send: Any) -> Awaitable[None]:
        # Not a coroutine function: the application's coroutine goes to uvicorn without another one around it.
        if self._gate is None:
            return self._app(scope, receive, send)  # type: ignore[no-any-return]
        return self._call_slowly(scope, receive, send)

    async def _call_slowly(self, scope: Any, receive: Any, send: Any) -> None:
        # uvicorn's lifespan comes first of all, before the start has opened the gate, and never again.
        if scope["type"] == "lifespan":
            await self._answer_lifespan(scope, receive, send)
            return
        while (gate := self._gate) is not None:
            await gate.wait()
        if "state" in scope:
            # The copy that uvicorn made when the request came is of the application before the update.
            scope["state"] = self._state.copy()
        await self._app(scope, receive, send)

    @contextmanager
    def held(self) -> Iterator[None]:
        """New requests wait as long as this lasts."""
        self._holds += 1
        if self._gate is None:
            self._gate = asyncio.Event()
        try:
            yield
        finally:
            self._release()

    def load(self) -> None:
        """Import the target. An error is kept, and shown once the server stands."""
        try:
            self._loaded = self._kernel.load_application(self._target.reference)
        except SystemExit as exc:
            self._load_error = _exited(self._target.reference, exc)
        except Exception as exc:
            self._load_error = exc

    def show(self, error: BaseException) -> None:
        """Answer with the error page from now on; the application stays as it is, for the restart that is to come."""
        self.broken = True
        self._app = self._failed(error)

    def give_up(self) -> None:
        """Stop waiting for a startup that hangs: the process is to end or to be replaced."""
        self._given_up = True
        if self._starting is not None:
            self._starting.cancel()

    def _release(self) -> None:
        self._holds -= 1
        if self._holds == 0 and self._gate is not None:
            gate, self._gate = self._gate, None
            gate.set()

    async def _answer_lifespan(self, scope: Any, receive: Any, send: Any) -> None:
        self._state = scope.get("state", self._state)
        await receive()
        self._starting = asyncio.create_task(self._start(), name="hotserve-start")
        if self._given_up:
            self._starting.cancel()
        await asyncio.wait({self._starting})
        self._starting = None
        self._release()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _start(self) -> None:
        """Make the application of what was loaded and start it; the error page is an application like any other."""
        loaded, self._loaded = self._loaded, None
        error, self._load_error = self._load_error, None
        lifespan: Lifespan | None = None
        try:
            if error is not None:
                raise error
            with self._kernel.starting():
                app = as_application(loaded, factory=self._target.factory, interface=self._target.interface)
                lifespan = Lifespan(app, self._target.lifespan)
                await lifespan.startup()
        except SystemExit as exc:
            app = self._fail(_exited(self._target.reference, exc))
        except Exception as exc:
            app = self._fail(exc)
        else:
            self.broken = False
            self._lifespan = lifespan
            self._state.clear()
            self._state.update(lifespan.state)
        self._app = app

    def _fail(self, error: BaseException) -> ASGIApp:
        self.broken = True
        self._lifespan = None
        self._state.clear()
        return self._failed(error)

    async def _stop(self) -> None:
        lifespan, self._lifespan = self._lifespan, None
        if lifespan is not None:
            await lifespan.shutdown()


def _exited(reference: Reference, exc: SystemExit) -> ImportFailed:
    """An application that calls sys.exit() (a setting is missing) has failed; it does not end the server."""
    error = ImportFailed(f"`{reference}`: the application called sys.exit({exc.code!r})", reference=str(reference))
    error.__cause__ = exc
    return error


async def _nothing(scope: Any, receive: Any, send: Any) -> None:
    """Stands in before the first start, and after one that was given up; the process is about to end."""
    raise RuntimeError("the application has not been started")
