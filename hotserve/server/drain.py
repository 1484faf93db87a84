"""Stop accepting, let what is under way end, and free the connections that wait for their next request.

uvicorn's own shutdown closes a connection on which no request has come yet, and a keep-alive connection between two
requests, at once; a client that sends at that moment sees a reset. Here both are taken out of the event loop with
nothing read from them, and handed to the successor, which reads the request when it stands.

What is known of uvicorn's protocols (0.30 to 0.54, httptools, h11 and zttp) is in `_is_idle` and below. A protocol that
lacks these attributes is treated as having a request under way.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

# Seconds that an open stream or WebSocket gets to end by itself.
STREAM_GRACE = 1.0
# Seconds that a request gets whose response has not begun, when the process is replaced.
REQUEST_GRACE = 5.0
# Seconds that either gets at Ctrl+C: whoever pressed it wants the prompt back.
EXIT_GRACE = 0.5
# Seconds from closing a connection to cancelling its task, and from that to going on without it.
_CANCEL_AFTER, _FORGET_AFTER = 0.25, 0.5
_POLL = 0.005
# Seconds for which connections with TLS are served on before a restart.
_TLS_GRACE = 0.25
# A connection that was accepted needs three iterations of the event loop until its protocol is told about it.
_SETTLE = 5

_MISSING = object()


@dataclass(slots=True)
class Drain:
    """One drain of a server.

    connections, tasks: uvicorn's sets of its protocols and of its requests' tasks
    hand_over:          free idle connections for a successor; otherwise close them
    tls:                the server speaks TLS, whose connections cannot be handed over
    request_grace:      seconds for requests whose response has not begun
    forced:             true once somebody is out of patience
    """

    connections: set[Any]
    tasks: set[asyncio.Task[None]]
    hand_over: bool
    tls: bool
    request_grace: float
    forced: Callable[[], bool]
    freed: list[int] = field(default_factory=list)
    _began: float = 0.0
    # WebSockets that were closed and tasks that were cancelled: each once.
    _told: set[Any] = field(default_factory=set)
    # Request cycles and WebSockets that are streams; of a task whose connection is closed only this tells what it was.
    _streams: set[Any] = field(default_factory=set)

    def free(self) -> None:
        """Free every connection that is idle now, and begin to count the graces."""
        if not self._began:
            self._began = asyncio.get_running_loop().time()
        for connection in list(self.connections):
            self._treat(connection)

    async def run(self) -> list[int]:
        """Wait until nothing is under way, as long as the graces allow. The file descriptors that were freed."""
        turn = 0
        while not self.forced():
            self.free()
            under_way = self._end_tasks()
            if not under_way and not self._waits() and turn >= _SETTLE:
                break
            await asyncio.sleep(0 if turn < _SETTLE else _POLL)
            turn += 1
        for connection in list(self.connections):
            connection.transport.abort()
        return self.freed

    def _age(self) -> float:
        return asyncio.get_running_loop().time() - self._began

    def _grace(self, is_stream: bool) -> float:
        return min(STREAM_GRACE, self.request_grace) if is_stream else self.request_grace

    def _treat(self, connection: Any) -> None:
        transport = connection.transport
        if transport is None:
            return
        if transport.is_closing():
            # A client that does not take what is left for it.
            if self._age() > self._grace(True) + _CANCEL_AFTER:
                transport.abort()
            return
        cycle = getattr(connection, "cycle", _MISSING)
        if cycle is _MISSING:
            self._treat_websocket(connection)
        elif _is_idle(connection):
            self._release(connection)
        else:
            self._treat_request(connection, cycle)

    def _treat_request(self, connection: Any, cycle: Any) -> None:
        # No cycle, or one that is complete: the client has sent a part of its next request, and nothing more.
        half_sent = cycle is None or cycle.response_complete
        begun = not half_sent and cycle.response_started
        if begun:
            self._streams.add(cycle)
        if self.hand_over and not half_sent and not cycle.more_body and not self.tls:
            # The next request stays in the kernel's buffer, where the successor finds it.
            connection.transport.pause_reading()
        if self._age() > self._grace(begun or half_sent):
            connection.transport.close()

    def _treat_websocket(self, connection: Any) -> None:
        self._streams.add(connection)
        if connection not in self._told and _handshake_is_complete(connection):
            # Nothing more is to come on it that could be waited for: 1012, "service restart". Its handler, which
            # receives the disconnect, has the grace to end.
            self._told.add(connection)
            connection.shutdown()
        elif self._age() > self._grace(True):
            connection.transport.close()

    def _release(self, connection: Any) -> None:
        transport = connection.transport
        if self.hand_over and self.tls:
            # What TLS has agreed upon cannot be handed over: the client gets a moment to send its next request.
            if self._age() > _TLS_GRACE:
                connection.shutdown()
            return
        if not self.hand_over:
            connection.shutdown()
            return
        # abort() closes the file descriptor without shutting the connection down, so that the copy stays connected.
        self.freed.append(os.dup(transport.get_extra_info("socket").fileno()))
        transport.pause_reading()
        transport.abort()

    def _waits(self) -> bool:
        if self.hand_over and self.tls and self._age() < _TLS_GRACE:
            return True  # connections in the middle of their handshake are not in the set yet
        limit = self.request_grace + _CANCEL_AFTER + _FORGET_AFTER
        return bool(self.connections) and self._age() < limit

    def _end_tasks(self) -> bool:
        """Cancel tasks that are past their grace. Whether any is left that is worth waiting for."""
        left = False
        for task in list(self.tasks):
            past = self._age() - self._grace(_served_by(task) in self._streams)
            if past > _CANCEL_AFTER and task not in self._told:
                self._told.add(task)
                task.cancel()
            left = left or past < _CANCEL_AFTER + _FORGET_AFTER
        return left


def stop_listening(servers: Iterable[asyncio.AbstractServer]) -> None:
    """Accept no more; connections that were accepted a moment ago are still served.

    asyncio's Server.close() makes a connection that was accepted in the same iteration fail (an AssertionError in
    Server._attach, up to Python 3.11), so the socket is only taken out of the selector. uvloop has no such gap.
    """
    loop = asyncio.get_running_loop()
    for server in servers:
        removed = False
        for sock in getattr(server, "sockets", None) or ():
            try:
                removed = loop.remove_reader(sock.fileno()) or removed
            except (NotImplementedError, RuntimeError, ValueError):
                continue
        if not removed:
            server.close()


async def end_tasks(seconds: float = 1.0) -> None:
    """Cancel every task but the one that calls, as the end of `asyncio.run` does, and give them `seconds` to end."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=seconds)
    await asyncio.wait({asyncio.ensure_future(asyncio.get_running_loop().shutdown_asyncgens())}, timeout=seconds)


def _is_idle(connection: Any) -> bool:
    """Whether every byte that was read from it has been answered, and every byte of the answer was written."""
    if connection.transport.get_write_buffer_size():
        return False
    cycle = connection.cycle
    if cycle is None:
        # httptools makes a scope at the first byte of a request, h11 at the last one of its head.
        trailing = getattr(getattr(connection, "conn", None), "trailing_data", None)
        return getattr(connection, "scope", _MISSING) is None and not (trailing and trailing[0])
    # The timer is set when a response is complete and removed by the first byte of the next request.
    return bool(cycle.response_complete) and getattr(connection, "timeout_keep_alive_task", None) is not None


def _handshake_is_complete(connection: Any) -> bool:
    event = getattr(connection, "handshake_completed_event", None)
    return bool(event.is_set() if event is not None else getattr(connection, "handshake_complete", True))


def _served_by(task: asyncio.Task[None]) -> object:
    """The protocol or request cycle whose `run_asgi` the task executes."""
    frame = getattr(task.get_coro(), "cr_frame", None)
    return frame.f_locals.get("self") if frame is not None else None
