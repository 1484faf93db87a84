"""The `project` fixture: a folder with an application, and the real command serving it."""

from __future__ import annotations

import contextlib
import inspect
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

# Seconds until a test gives up on an event. Long: only a failing test waits for it, and the machine may be busy.
DEADLINE = 20.0

_URL = re.compile(r"(https?://\S+|unix:\S+)")


class Server:
    """A running `python -m hotserve run`, and a client for it.

    lines: what it has written to the terminal so far
    url:   where it serves, from the banner
    """

    def __init__(
        self, command: list[str], folder: Path, environ: dict[str, str], pass_fds: tuple[int, ...] = ()
    ) -> None:
        self.lines: list[str] = []
        self._arrived = threading.Condition()
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            pass_fds=pass_fds,
            # Signals are sent to this process only, not to pytest's group.
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.url = ""
        self.client = httpx.Client(timeout=DEADLINE, trust_env=False)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def get(self, path: str = "/", **options: Any) -> httpx.Response:
        return self.client.get(self.url + path, **options)

    def websocket(self, path: str) -> ClientConnection:
        """A WebSocket to `path`."""
        # websockets 15 began to look for proxies in the environment.
        options: dict[str, Any] = {"proxy": None} if "proxy" in inspect.signature(connect).parameters else {}
        connection: ClientConnection = connect(
            self.url.replace("http", "ws", 1) + path, open_timeout=DEADLINE, **options
        )
        return connection

    def wait_for_line(self, pattern: str, *, after: int = 0, timeout: float = DEADLINE) -> str:
        """The first line matching `pattern`, among those from number `after` on."""
        expression = re.compile(pattern)
        deadline = time.monotonic() + timeout
        with self._arrived:
            while True:
                for line in self.lines[after:]:
                    if expression.search(line):
                        return line
                remaining = deadline - time.monotonic()
                if remaining <= 0 or (not self._reader.is_alive() and self._process.poll() is not None):
                    raise AssertionError(f"no line matches {pattern!r} in:\n{self.text}")
                self._arrived.wait(min(remaining, 0.2))

    def wait_for(self, condition: Callable[[], Any], *, timeout: float = DEADLINE) -> Any:
        """Ask again until `condition()` is true; what it returned."""
        deadline = time.monotonic() + timeout
        while not (value := condition()):
            assert time.monotonic() < deadline, f"not in {timeout} s:\n{self.text}"
            time.sleep(0.005)
        return value

    def wait_for_text(self, text: str, path: str = "/", *, timeout: float = DEADLINE) -> httpx.Response:
        """Request `path` until the answer is `text`."""
        last: list[httpx.Response] = []

        def answers() -> bool:
            last[:] = [self.get(path)]
            return last[0].text == text

        try:
            self.wait_for(answers, timeout=timeout)
        except AssertionError as error:
            raise AssertionError(f"{path} answers {last[0].text!r}, not {text!r}\n{error}") from None
        return last[0]

    def send_signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self, timeout: float = DEADLINE) -> int:
        """The exit code, once the process has ended."""
        code = self._process.wait(timeout)
        self._reader.join(timeout)
        return code

    def is_running(self) -> bool:
        return self._process.poll() is None

    def end(self) -> None:
        """End the process whatever it does."""
        self.client.close()
        if self.is_running():
            self.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
        if self.is_running():
            self._process.kill()
            self._process.wait(DEADLINE)
        self._reader.join(DEADLINE)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._arrived:
                self.lines.append(line.rstrip("\n"))
                self._arrived.notify_all()
        with self._arrived:
            self._arrived.notify_all()


class Project:
    """A folder with the files of an application."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.servers: list[Server] = []

    def path(self, name: str) -> Path:
        return self.folder / name

    def write(self, name: str, text: str) -> Path:
        """Write a file, dedented, in place; a Python package's folders become packages."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
        return path

    def write_atomically(self, name: str, text: str) -> None:
        """Write beside and rename over, as editors do that keep backups."""
        path = self.path(name)
        beside = path.with_name(f".{path.name}.tmp~")
        beside.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
        os.replace(beside, path)

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text that occurs in the file."""
        path = self.path(name)
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {name}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def delete(self, name: str) -> None:
        self.path(name).unlink()

    def rename(self, old: str, new: str) -> None:
        self.path(new).parent.mkdir(parents=True, exist_ok=True)
        self.path(old).rename(self.path(new))

    @contextlib.contextmanager
    def serve(
        self,
        target: str,
        *options: str,
        environ: dict[str, str] | None = None,
        banner: bool = True,
        launcher: tuple[str, ...] = ("-m", "hotserve"),
        pass_fds: tuple[int, ...] = (),
    ) -> Iterator[Server]:
        """Run `python -m hotserve run TARGET OPTIONS` on a free port; waits for the banner.

        launcher: what stands between `python` and `run`
        pass_fds: file descriptors that the process inherits
        """
        inherited = {
            name: value
            for name, value in os.environ.items()
            # PYTHONDONTWRITEBYTECODE would hide that stale bytecode is never trusted.
            if name not in ("PYTHONDONTWRITEBYTECODE", "NO_COLOR") and not name.startswith(("HOTSERVE_", "COV_"))
        }
        places = () if {"--port", "--uds", "--fd"} & set(options) else ("--port", "0")
        command = [sys.executable, *launcher, "run", target, *places, *options]
        repository = str(Path(__file__).parent.parent)
        inherited["PYTHONPATH"] = os.pathsep.join(filter(None, [repository, inherited.get("PYTHONPATH")]))
        server = Server(command, self.folder, {**inherited, "PYTHONUNBUFFERED": "1", **(environ or {})}, pass_fds)
        self.servers.append(server)
        try:
            if banner:
                line = server.wait_for_line(r"^  hotserve .* ready in |Uvicorn running on")
                found = _URL.search(line)
                assert found is not None
                server.url = found[1]
            yield server
        finally:
            server.end()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A failing test shows what its servers wrote to the terminal."""
    report = yield
    project = getattr(item, "funcargs", {}).get("project")
    if call.when == "call" and report.failed and isinstance(project, Project):  # type: ignore[attr-defined]
        for server in project.servers:
            report.sections.append(("terminal of hotserve", server.text))  # type: ignore[attr-defined]
    return report


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A folder for an application; `project.serve` runs the real command on it."""
    # Resolved: what the server shows and reports are real paths.
    folder = tmp_path.resolve() / "project"
    folder.mkdir()
    return Project(folder)
