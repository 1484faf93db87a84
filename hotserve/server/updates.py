"""One update at a time: what the watcher delivers is planned, and the plan is carried out."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable

from hotserve.errors import ConfigError
from hotserve.hmr.kernel import Kernel
from hotserve.hmr.plan import AppSwap, HotUpdate, NotLoaded, Restart
from hotserve.server.dev_app import DevApp
from hotserve.terminal.console import Console

logger = logging.getLogger("uvicorn.error")


class Updates:
    """Takes changes from the watcher's thread and carries them out on the event loop's.

    restart: called with the reason when nothing less than a restart will do
    changed: whether anything has been delivered to this process so far
    """

    def __init__(self, kernel: Kernel, dev_app: DevApp, console: Console, restart: Callable[[str], None]) -> None:
        self.changed = False
        self._kernel = kernel
        self._dev_app = dev_app
        self._console = console
        self._restart = restart
        self._lock = threading.Lock()
        # What was delivered and is not planned yet; under the lock, since the watcher's thread adds to it.
        self._pending: set[str] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    def deliver(self, paths: frozenset[str]) -> None:
        """Absolute paths that may have changed. From any thread; kept until `begin`."""
        with self._lock:
            self._pending |= paths
            loop = self._loop
        if loop is not None:
            try:
                loop.call_soon_threadsafe(self._wake)
            except RuntimeError:
                return  # the loop was closed: the process ends

    def begin(self) -> None:
        """The event loop runs: carry out what came so far, and what comes from now on."""
        with self._lock:
            self._loop = asyncio.get_running_loop()
            waiting = bool(self._pending)
        if waiting:
            self._wake()

    def end(self) -> None:
        """Carry out nothing more."""
        with self._lock:
            self._loop = None

    def _wake(self) -> None:
        # An update that is under way takes what has come meanwhile when it has finished: see _run.
        if self._task is None and self._loop is not None:
            self._task = asyncio.create_task(self._run(), name="hotserve-update")

    def _take(self) -> set[str]:
        with self._lock:
            paths, self._pending = self._pending, set()
        return paths

    async def _run(self) -> None:
        try:
            with self._dev_app.held():
                while self._loop is not None and (paths := self._take()):
                    self.changed = True
                    await self._update(paths)
        except Exception as exc:
            # A fault of hotserve's: half an update may have been done, and only a restart is sure to be right.
            logger.exception("hotserve could not carry out an update")
            self._restart(f"an update failed ({type(exc).__name__})")
        finally:
            self._task = None
        # Delivered between the last look and here.
        if self._pending:
            self._wake()

    async def _update(self, paths: set[str]) -> None:
        began = time.perf_counter()
        try:
            update = self._kernel.plan(paths)
        except ConfigError as exc:
            self._console.warn(f"{exc} The settings in force stay.")
            return
        match update:
            case None:
                return
            case AppSwap() | Restart():
                self._restart(str(update))
            case HotUpdate() | NotLoaded() if self._dev_app.broken:
                # Nothing that was loaded is in use: the application is to be tried again as a whole.
                self._restart(f"{', '.join(update.changed[:3])} changed, and the application could not be started")
            case NotLoaded():
                self._console.note(str(update))
            case HotUpdate():
                applied = await self._kernel.apply(update)
                if applied.restart is not None:
                    self._restart(applied.restart)
                    return
                self._console.hot_update(str(update), time.perf_counter() - began, applied.open_connections)
