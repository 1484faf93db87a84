"""Start a server as a user does, ask it, and end it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import psutil

from benchmarks.project import FIRST, Project

HOST = "127.0.0.1"
_BOOT_TIMEOUT = 90.0  # seconds
_REQUEST_TIMEOUT = 20.0
_STOP_TIMEOUT = 5.0
_SHOWN = 2_000  # characters of its output that are shown of a server that did not start


class Failed(Exception):
    """A server did not do what is to be measured; the message says what it wrote."""


@dataclass(frozen=True, slots=True)
class Command:
    """A way to serve the project. `arguments` follow `python -m`."""

    name: str
    arguments: tuple[str, ...]

    def plus(self, *arguments: str) -> Command:
        """The same with more arguments."""
        return Command(self.name, (*self.arguments, *arguments))


HOT = Command("hotserve run --hmr", ("hotserve", "run", "app_lazy:routes", "--hmr"))
HOT_PROBE = Command("hotserve run --hmr", ("hotserve", "run", "app_probe:routes", "--hmr"))
LAZY = Command("hotserve run", ("hotserve", "run", "app_lazy:routes"))
PLAIN = Command("uvicorn", ("uvicorn", "app_eager:app"))
RELOADING = Command("uvicorn --reload", ("uvicorn", "app_eager:app", "--reload"))


@dataclass(slots=True)
class Server:
    """A running server, `boot` seconds after its process was started able to answer."""

    command: Command
    port: int
    process: psutil.Process
    boot: float = 0.0
    _children: list[psutil.Process] = field(default_factory=list)

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of one request on a connection of its own, so that one refused or reset is noticed.

        Raises OSError.
        """
        request = (
            f"GET {path} HTTP/1.1\r\nHost: {HOST}:{self.port}\r\nAccept: text/html,*/*\r\nConnection: close\r\n\r\n"
        )
        data = b""
        with socket.create_connection((HOST, self.port), timeout=_REQUEST_TIMEOUT) as connection:
            connection.sendall(request.encode())
            while chunk := connection.recv(65536):
                data += chunk
        head, _, body = data.partition(b"\r\n\r\n")
        status = int(head.split(None, 2)[1]) if head else 0
        return status, body.decode("utf-8", "replace")

    def processes(self) -> list[psutil.Process]:
        """Its process and those that it started."""
        return [self.process, *self.process.children(recursive=True)]

    def cpu_seconds(self) -> float:
        """What it has computed so far, in user and system mode, with the processes that it started."""
        return sum(sum(each.cpu_times()[:2]) for each in self.processes())


@contextmanager
def serving(command: Command, project: Project) -> Iterator[Server]:
    """Start `command` in the project, wait until /c0 answers, and end it by Ctrl+C. Raises Failed."""
    port = free_port()
    arguments = [sys.executable, "-m", *command.arguments, "--host", HOST, "--port", str(port)]
    with TemporaryFile() as output:
        began = time.perf_counter()
        # A session of its own: Ctrl+C at this terminal is for the benchmark, which then ends the server.
        popen = subprocess.Popen(
            arguments,
            cwd=project.folder,
            env=_environment(project.outside),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            server = Server(command, port, psutil.Process(popen.pid))
            _wait_for_boot(server, popen, began, output)
            yield server
        finally:
            _stop(popen)


def free_port() -> int:
    """A port that the system says is free."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _environment(outside: Path) -> dict[str, str]:
    """As on a user's machine: bytecode is cached, and no setting of hotserve or uvicorn comes from here."""
    left_out = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "WEB_CONCURRENCY")
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in left_out and not name.startswith(("HOTSERVE_", "UVICORN_", "WATCHFILES_"))
    }
    return {**environment, "PYTHONPATH": str(outside)}


def _wait_for_boot(server: Server, popen: subprocess.Popen[bytes], began: float, output: IO[bytes]) -> None:
    while True:
        try:
            status, body = server.get("/c0")
            if status == 200 and FIRST in body:
                server.boot = time.perf_counter() - began
                return
        except OSError:
            pass
        code, waited = popen.poll(), time.perf_counter() - began
        if code is not None or waited > _BOOT_TIMEOUT:
            output.seek(0)
            written = output.read().decode("utf-8", "replace")[-_SHOWN:]
            what = f"ended with code {code}" if code is not None else f"did not answer within {waited:.0f} s"
            raise Failed(f"`python -m {' '.join(server.command.arguments)}` {what}:\n{written}")
        time.sleep(0.005)


def _stop(popen: subprocess.Popen[bytes]) -> None:
    """SIGINT to the process, as Ctrl+C does; what has not ended then is killed."""
    try:
        started = psutil.Process(popen.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        started = []
    popen.send_signal(signal.SIGINT)
    try:
        popen.wait(_STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        popen.kill()
        popen.wait()
    for process in psutil.wait_procs(started, timeout=_STOP_TIMEOUT)[1]:
        process.kill()
