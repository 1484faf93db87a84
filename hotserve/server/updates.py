"""One update at a time: what the watcher delivers is planned, and the plan is carried out."""

from __future__ import annotations

import asyncio
import contextlib
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

# Seconds that requests wait for a save that was announced. One that takes longer (a branch switch) is served when it is
# complete; until then the old code answers.
PATIENCE = 0.25


class Updates:
    """Takes changes from the watcher's thread and carries them out on the event loop's.

    restart: called with the reason when nothing less than a restart will do
    changed: whether anything has been delivered to this process so far
    """

    def __init__(
        self,
        kernel: Kernel,
        dev_app: DevApp,
        console: Console,
        restart: Callable[[str], None],
        check_successor: Callable[[], None],
    ) -> None:
        """check_successor: raises ConfigError where a new process could not even start."""
        self.changed = False
        self._kernel = kernel
        self._dev_app = dev_app
        self._console = console
        self._restart = restart
        self._check_successor = check_successor
        # The reason of a restart that waits for the settings to be mended.
        self._blocked: str | None = None
        self._lock = threading.Lock()
        # What was delivered and is not planned yet; under the lock, since the watcher's thread adds to it.
        self._pending: set[str] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        # Holds requests from the announcement of a save until it is carried out.
        self._announced: contextlib.ExitStack | None = None

    def deliver(self, paths: frozenset[str]) -> None:
        """Absolute paths that may have changed. From any thread; kept until `begin`."""
        with self._lock:
            self._pending |= paths
        self._call(self._wake)

    def announce(self) -> None:
        """A save was seen, and will be delivered or retracted in a moment: requests wait. From any thread."""
        self._call(self._hold)

    def retract(self) -> None:
        """What was announced does not matter. From any thread."""
        self._call(self._let_go)

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

    def _call(self, function: Callable[[], None]) -> None:
        with self._lock:
            loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop was closed: the process ends
                loop.call_soon_threadsafe(function)

    def _hold(self) -> None:
        if self._announced is None:
            self._announced = contextlib.ExitStack()
            self._announced.enter_context(self._dev_app.held())
            expiry = asyncio.get_running_loop().call_later(PATIENCE, self._let_go)
            self._announced.callback(expiry.cancel)

    def _let_go(self) -> None:
        announced, self._announced = self._announced, None
        if announced is not None:
            announced.close()

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
            self._let_go()
        # Delivered between the last look and here.
        if self._pending:
            self._wake()

    async def _update(self, paths: set[str]) -> None:
        began = time.perf_counter()
        if self._blocked is not None:
            self._replace(self._blocked)
            return
        try:
            update = self._kernel.plan(paths)
        except ConfigError as exc:
            self._console.warn(f"{exc} The settings in force stay.")
            return
        match update:
            case None:
                return
            case AppSwap() | Restart():
                self._replace(str(update))
            case HotUpdate() | NotLoaded() if self._dev_app.broken:
                # Nothing that was loaded is in use: the application is to be tried again as a whole.
                self._replace(f"{', '.join(update.changed[:3])} changed, and the application could not be started")
            case NotLoaded():
                self._console.note(str(update))
            case HotUpdate():
                applied = await self._kernel.apply(update)
                if applied.restart is not None:
                    self._replace(applied.restart)
                    return
                self._console.hot_update(str(update), time.perf_counter() - began, applied.open_connections)

    def _replace(self, reason: str) -> None:
        """Restart, unless the successor would only fail to start: then the error page answers until that is mended."""
        try:
            self._check_successor()
        except ConfigError as exc:
            if self._blocked is None:
                self._dev_app.show(ConfigError(str(exc)))  # where it was raised is of no use to anybody
            self._blocked = reason
            return
        self._restart(reason)
