"""Hand the sockets over and re-execute: the successor is the same process, and nobody is refused."""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import MutableMapping
from dataclasses import asdict, dataclass, field
from typing import Any, NoReturn

from hotserve.errors import HotserveError

# Carries a Handover, as JSON, from a process to its successor.
VARIABLE = "HOTSERVE_HANDOVER"


class RestartFailed(HotserveError):
    """The process could not replace itself: why, and with which command."""


@dataclass(frozen=True, slots=True)
class Handover:
    """What a process leaves to its successor.

    reason:      why, as the terminal says it
    since:       when the restart was asked for, in nanoseconds since the epoch
    listeners:   file descriptors of the listening sockets
    connections: file descriptors of connections that wait for their next request
    port:        the port that was served; needed where sockets cannot be handed over
    phantom:     the error that was the reason, if a fresh interpreter was found to import what this one could not
    announced:   whether the address was said
    pid:         who the successor is: a child process that inherits the environment by accident is not it
    """

    reason: str
    since: int
    listeners: tuple[int, ...] = ()
    connections: tuple[int, ...] = ()
    port: int | None = None
    phantom: str | None = None
    announced: bool = False
    pid: int = field(default_factory=os.getpid)

    def age(self) -> float:
        """Seconds since the restart was asked for."""
        return (time.time_ns() - self.since) / 1e9

    def open_listeners(self) -> list[socket.socket]:
        """The listening sockets, as objects of this process."""
        return [_adopt(fd) for fd in self.listeners]

    def open_connections(self) -> list[socket.socket]:
        """The connections, as objects of this process."""
        return [_adopt(fd) for fd in self.connections]


@dataclass(frozen=True, slots=True)
class Command:
    """How this process was started: what its successor is started with."""

    executable: str
    argv: tuple[str, ...]
    environ: dict[str, str]
    folder: str

    @classmethod
    def remember(cls) -> Command:
        """To be called before the application, an --env-file or anything else changes the environment.

        The successor must read a changed .env file as a cold start does: with the values that this process took from
        it still in the environment, `load_dotenv()` would keep them.
        """
        # orig_argv (3.10) has the interpreter's own options and `-m hotserve` or the script, as they were typed.
        return cls(sys.executable or sys.orig_argv[0], tuple(sys.orig_argv), dict(os.environ), os.getcwd())


def take_handover(environ: MutableMapping[str, str] = os.environ) -> Handover | None:
    """What the process before this one left, if any. The variable is removed: it is not for the application."""
    text = environ.pop(VARIABLE, None)
    if text is None:
        return None
    fields: dict[str, Any] = json.loads(text)
    fields["listeners"] = tuple(fields["listeners"])
    fields["connections"] = tuple(fields["connections"])
    handover = Handover(**fields)
    if handover.pid != os.getpid() and os.name == "posix":
        return None
    return handover


def end_interpreter() -> None:
    """What an interpreter does at its end, and exec and os._exit leave out: atexit callbacks, flushed output."""
    atexit._run_exitfuncs()  # has no public counterpart
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.flush()


def replace_process(command: Command, handover: Handover) -> NoReturn:
    """End this process as an exit would, and start `command` in its place. Raises RestartFailed."""
    end_interpreter()
    environ = {**command.environ, VARIABLE: json.dumps(asdict(handover))}
    if os.name != "posix":
        _start_successor(command, environ)
    for fd in (*handover.listeners, *handover.connections):
        os.set_inheritable(fd, True)
    argv = [command.executable, *command.argv[1:]]
    try:
        os.chdir(command.folder)
        os.execve(command.executable, argv, environ)
    except OSError as exc:
        raise RestartFailed(f"cannot restart: {exc.strerror or exc} ({' '.join(argv)}).") from exc


def _start_successor(command: Command, environ: dict[str, str]) -> NoReturn:
    """The fallback where exec does not keep a process (Windows).

    There os.execve starts a new process and lets the terminal believe that this one ended, and sockets cannot be
    inherited. So this process stays as a parent that only waits: it closes its sockets, starts the successor, which
    binds the same port anew, and ends with the successor's exit code. A connection that comes in between is refused.
    """
    fields = json.loads(environ[VARIABLE])
    for fd in (*fields["listeners"], *fields["connections"]):
        socket.socket(fileno=fd).close()
    environ[VARIABLE] = json.dumps({**fields, "listeners": [], "connections": []})
    code = subprocess.call([command.executable, *command.argv[1:]], env=environ, cwd=command.folder)
    os._exit(code)


def _adopt(fd: int) -> socket.socket:
    sock = socket.socket(fileno=fd)
    # Processes that the application starts must not hold it.
    sock.set_inheritable(False)
    return sock
