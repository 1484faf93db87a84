"""The uvicorn.Server of `--hmr`: same protocols and options, but it ends promptly and can be replaced."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any

import uvicorn

from hotserve.hmr.kernel import Kernel
from hotserve.server import drain, sockets
from hotserve.server.dev_app import DevApp
from hotserve.server.restart import Command, Handover, RestartFailed, end_interpreter, replace_process
from hotserve.terminal.console import Console

# What uvicorn says of its own coming and going; the banner and the lines for updates say it under --hmr.
_REPLACED = (
    "Started server process",
    "Finished server process",
    "Waiting for application s",
    "Application startup complete",
    "Application shutdown complete",
    "Uvicorn running on",
    "Shutting down",
)

# Seconds that a lifespan's shutdown may take before a restart goes on without it.
_END_GRACE = 10.0
# Seconds that threads get to end once everything else has.
_THREAD_GRACE = 0.3

logger = logging.getLogger("uvicorn.error")


class DevServer(uvicorn.Server):
    """Serves a DevApp until Ctrl+C, or until a restart replaces the process.

    on_loop:    called once the event loop runs
    on_started: called once requests can be answered
    failure:    why a restart did not come about, or None
    """

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        dev_app: DevApp,
        kernel: Kernel,
        console: Console,
        command: Command,
        listeners: list[socket.socket],
        on_loop: Callable[[], None],
        on_started: Callable[[], None],
        announced: bool,
    ) -> None:
        """announced: has a process before this one said the address?"""
        super().__init__(config)
        self.failure: str | None = None
        self._dev_app = dev_app
        self._kernel = kernel
        self._console = console
        self._command = command
        self._on_loop = on_loop
        self._on_started = on_started
        # Copies: asyncio closes the ones that it serves.
        self._listeners = [listener.dup() for listener in listeners]
        self._inherited: list[socket.socket] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken = asyncio.Event()
        self._forced = asyncio.Event()
        self._handover: Handover | None = None
        # Has the address been said, by this process or one before it?
        self._announced = announced
        self._drain: drain.Drain | None = None
        self._interrupted = False
        self._ended = False

    # -- asked for from outside ------------------------------------------------------------------------------------

    def inherit(self, connections: list[socket.socket]) -> None:
        """Serve these connections, which the process before this one accepted."""
        self._inherited = connections

    def restart(self, reason: str, phantom: str | None = None) -> None:
        """Replace the process, soon. On the event loop's thread; one restart, however often it is asked for."""
        if self._handover is not None or self._interrupted:
            return
        self._handover = Handover(reason, time.time_ns(), port=self._port(), phantom=phantom, announced=self._announced)
        self._dev_app.give_up()
        if self.started and not self._ended:
            # Now, not when the main loop has come to it: what arrives from here on is for the successor.
            self._begin_drain()
        self._woken.set()

    def restart_soon(self, reason: str, phantom: str | None = None) -> None:
        """`restart`, from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.restart, reason, phantom)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Ctrl+C or a termination signal: the first one ends in order, a second Ctrl+C at once."""
        # Not should_exit as in uvicorn: up to 0.35 it leaves out the shutdown if that is set before the main loop.
        self._captured_signals.append(sig)
        if self._interrupted and sig == signal.SIGINT:
            self.force_exit = True
        self._interrupted = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._interrupt)

    def _interrupt(self) -> None:
        self._dev_app.give_up()
        self._woken.set()
        if self._drain is not None:
            # Of a restart that was under way, which has more patience.
            self._drain.request_grace = min(self._drain.request_grace, drain.EXIT_GRACE)
        if self.force_exit:
            self._forced.set()

    # -- uvicorn's life cycle --------------------------------------------------------------------------------------

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until the end."""
        self._loop = asyncio.get_running_loop()
        self._on_loop()
        quiet = _Quiet(self)
        logger.addFilter(quiet)
        try:
            await super().serve(sockets)
        finally:
            logger.removeFilter(quiet)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, then listen; not if the start was given up: then nothing here can answer."""
        await self.lifespan.startup()
        if self._handover is not None or self._interrupted:
            self.servers = []
            self.started = True
            return
        self.lifespan.startup = _done
        await super().startup(sockets=sockets)
        await self._adopt_connections()
        if self._handover is None and not self._interrupted:
            self._on_started()
            self._announced = True

    async def main_loop(self) -> None:
        """Until a signal or a restart; uvicorn looks for either every 100 ms, here they wake it."""
        ticking = asyncio.create_task(super().main_loop(), name="hotserve-tick")
        woken = asyncio.create_task(self._woken.wait())
        await asyncio.wait({ticking, woken}, return_when=asyncio.FIRST_COMPLETED)
        for task in (ticking, woken):
            task.cancel()
        await asyncio.wait({ticking, woken})

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End in order: requests, lifespan, dispose callbacks; then make room for the successor, if there is one."""
        if self._ended:
            return
        self._ended = True
        freed = await self._begin_drain().run()
        await self._patiently(self.lifespan.shutdown(), "the lifespan's shutdown")
        await self._patiently(self._kernel.dispose_all(), "the dispose callbacks")
        # Inherited, and not adopted since the start was given up.
        freed += [sock.detach() for sock in self._inherited]
        if self._handover is not None and not self._interrupted:
            await self._replace(freed)
        for fd in freed:
            os.close(fd)
        for listener in self._listeners:
            listener.close()
        self._remove_unix_socket()
        if self._interrupted and signal.SIGTERM not in self._captured_signals:
            # On SIGTERM uvicorn raises the signal itself at the end, which waits for nothing.
            self._leave_soon()

    # -- inside ----------------------------------------------------------------------------------------------------

    def _begin_drain(self) -> drain.Drain:
        """Accept no more, and free what is idle; the rest takes its time in `shutdown`."""
        restarting = self._handover is not None and not self._interrupted
        if self._drain is None:
            drain.stop_listening(self.servers)
            tls = self.config.is_ssl
            if tls and restarting:
                state = self.server_state
                state.default_headers = [*state.default_headers, (b"connection", b"close")]
            patience = drain.REQUEST_GRACE if restarting else drain.EXIT_GRACE
            grace = self.config.timeout_graceful_shutdown
            self._drain = drain.Drain(
                connections=self.server_state.connections,
                tasks=self.server_state.tasks,
                hand_over=restarting,
                tls=tls,
                request_grace=patience if grace is None else float(grace),
                forced=lambda: self.force_exit,
            )
            self._drain.free()
        if not restarting:
            for listener in self._listeners:
                listener.close()
        return self._drain

    async def _patiently(self, coroutine: Coroutine[Any, Any, None], what: str) -> None:
        """Wait for `coroutine`, unless and until a second Ctrl+C says not to; for a restart not forever either."""
        if self.force_exit:
            coroutine.close()
            return
        work, forced = asyncio.ensure_future(coroutine), asyncio.ensure_future(self._forced.wait())
        seconds = _END_GRACE if self._handover is not None else None
        await asyncio.wait({work, forced}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if not forced.done():
            forced.cancel()
            if not work.done():
                self._console.warn(f"{what} has not ended within {_END_GRACE:.0f} s; going on without it")
        if not work.done():
            work.cancel()
        elif (error := work.exception()) is not None:
            logger.error("Error at the end of the process", exc_info=error)

    def _leave_soon(self) -> None:
        """See that the process ends: a thread that still works on a request would keep the interpreter waiting."""

        def leave() -> None:
            time.sleep(_THREAD_GRACE)
            end_interpreter()
            os._exit(0)

        threading.Thread(target=leave, name="hotserve-end", daemon=True).start()

    async def _replace(self, freed: list[int]) -> None:
        assert self._handover is not None
        await drain.end_tasks()
        if self._interrupted:
            return
        handover = self._handover
        listeners = tuple(listener.fileno() for listener in self._listeners)
        try:
            replace_process(
                self._command,
                Handover(handover.reason, handover.since, listeners, tuple(freed), handover.port, handover.phantom),
            )
        except RestartFailed as exc:
            self.failure = str(exc)

    async def _adopt_connections(self) -> None:
        loop = asyncio.get_running_loop()
        for sock in self._inherited:
            sock.setblocking(False)
            try:
                _, protocol = await loop.connect_accepted_socket(self._protocol, sock)
            except OSError:
                sock.close()  # the client has gone meanwhile
                continue
            # A connection between two requests has a timeout, which uvicorn sets at the end of a response.
            handler = getattr(protocol, "timeout_keep_alive_handler", None)
            if handler is not None and getattr(protocol, "timeout_keep_alive_task", self) is None:
                seconds = self.config.timeout_keep_alive
                protocol.timeout_keep_alive_task = loop.call_later(seconds, handler)  # type: ignore[attr-defined]
        self._inherited = []

    def _protocol(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
            _loop=asyncio.get_running_loop(),
        )  # type: ignore[call-arg]

    def _port(self) -> int | None:
        name = self._listeners[0].getsockname()
        return name[1] if isinstance(name, tuple) else None

    def _remove_unix_socket(self) -> None:
        sockets.remove_unix_socket({"uds": self.config.uds, "fd": self.config.fd})


async def _done() -> None:
    """What uvicorn awaits in place of a lifespan's startup that has already been."""


class _Quiet(logging.Filter):
    """Keeps back uvicorn's lines that hotserve's replace, and the tracebacks of tasks that were ended on purpose."""

    def __init__(self, server: DevServer) -> None:
        super().__init__()
        self._server = server

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno == logging.INFO and isinstance(record.msg, str) and record.msg.startswith(_REPLACED):
            return False
        error = record.exc_info[1] if record.exc_info else None
        return not (self._server._ended and isinstance(error, asyncio.CancelledError))
