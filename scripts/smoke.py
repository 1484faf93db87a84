"""Serve a copy of the example, edit it while requests come in, and stop it. Run by ./scripts/smoke.

Real sockets, a real terminal line by line, and no sleep that hopes: everything is waited for until a deadline.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

DEADLINE = 30.0  # seconds; only a failing run waits so long
STOP_DEADLINE = 5.0
VISITORS = 3

SERVED = "Saved by the smoke run"
# Appended to a service, three imports below the route that shows it.
NEW_SERVICE = f"\n\ndef by_category():\n    return {{{SERVED!r}: []}}\n"
# Appended to the application module itself, which no boundary covers.
NEW_ROUTE = (
    '\napp.router.routes.insert(0, Route("/smoke", "controllers.pages:PagesController.printable", name="smoke"))\n'
)


class Failed(Exception):
    """What the smoke run required and did not get."""


class Server:
    """The running command, what it has written, and requests to it."""

    def __init__(self, app: Path) -> None:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("HOTSERVE_")}
        command = [sys.executable, "-m", "hotserve", "run", "app:app", "--hmr", "--port", "0", "--no-access-log"]
        self.process = subprocess.Popen(
            command, cwd=app, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
        )
        self.lines: list[str] = []
        assert self.process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)
        self._reader.start()
        self.port = 0

    def _read(self, stream: TextIO) -> None:
        for line in stream:
            self.lines.append(line.rstrip("\n"))

    def wait_for_url(self) -> None:
        def found() -> bool:
            match = re.search(r"http://127\.0\.0\.1:(\d+)", "\n".join(self.lines))
            self.port = int(match[1]) if match else 0
            return match is not None

        self.wait(found, "a banner with the URL")

    def get(self, path: str) -> tuple[int, str]:
        """One request on a connection of its own, so that a server that refuses connections is noticed."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"Connection": "close", "Accept": "text/plain"})
            response = connection.getresponse()
            return response.status, response.read().decode()

    def wait_for(self, path: str, status: int, text: str) -> None:
        """Ask until the answer has this status and holds this text."""
        self.wait(lambda: self._answers(path, status, text), f"GET {path} to answer {status} with {text!r}")

    def _answers(self, path: str, status: int, text: str) -> bool:
        found, body = self.get(path)
        return found == status and text in body

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + DEADLINE
        while not condition():
            if self.process.poll() is not None:
                raise Failed(f"the server ended with code {self.process.returncode} while waiting for {what}")
            if time.monotonic() > end:
                raise Failed(f"waited {DEADLINE:.0f} s in vain for {what}")
            time.sleep(0.005)

    def stop(self) -> None:
        """Ctrl+C, and a clean end within seconds."""
        self.process.send_signal(signal.SIGINT)
        try:
            code = self.process.wait(STOP_DEADLINE)
        except subprocess.TimeoutExpired:
            raise Failed(f"the server was still there {STOP_DEADLINE:.0f} s after SIGINT") from None
        self._reader.join(STOP_DEADLINE)
        if code != 0:
            raise Failed(f"the server ended with code {code} after SIGINT")
        if "Traceback (most recent call last)" in "\n".join(self.lines[-20:]):
            raise Failed("the server ended with a traceback after SIGINT")


class Visitor(threading.Thread):
    """Asks for a page that no edit breaks, all the time; `failures` holds every answer that was not 200."""

    def __init__(self, server: Server, path: str) -> None:
        super().__init__(daemon=True)
        self._server = server
        self._path = path
        self._done = threading.Event()
        self.answers = 0
        self.failures: list[str] = []

    def run(self) -> None:
        while not self._done.wait(0.002):
            try:
                status, body = self._server.get(self._path)
            except (OSError, http.client.HTTPException) as exc:
                self.failures.append(repr(exc))
            else:
                self.answers += 1
                if status != 200:
                    self.failures.append(f"{status} {body[:200]}")

    def end(self) -> None:
        self._done.set()
        self.join(DEADLINE)
        if self.failures:
            raise Failed(f"{len(self.failures)} of {self.answers} requests failed meanwhile: {self.failures[0]}")
        if not self.answers:
            raise Failed("no request was answered meanwhile")


@contextlib.contextmanager
def step(text: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    print(f"smoke: {text}  {(time.perf_counter() - started) * 1000:.0f} ms", flush=True)


def edits(server: Server, app: Path) -> None:
    """A hot update, one further away, a broken save and its repair, and a change to the application module."""
    pages = app / "controllers" / "pages.py"
    source = pages.read_text(encoding="utf-8")
    if 'HEADLINE = "Cabin weekend"' not in source:
        raise Failed("controllers/pages.py has no HEADLINE to edit; adapt this script to the example")
    with step("an edited controller is served"):
        pages.write_text(source.replace("Cabin weekend", "Smoke weekend"), encoding="utf-8")
        server.wait_for("/list.txt", 200, "Smoke weekend")
    with step("an edited service is served"):
        service = app / "services" / "packing.py"
        service.write_text(service.read_text(encoding="utf-8") + NEW_SERVICE, encoding="utf-8")
        server.wait_for("/list.txt", 200, SERVED)
    with step("a broken controller answers 500 with its place"):
        pages.write_text(source + "\ndef broken(:\n", encoding="utf-8")
        server.wait_for("/list.txt", 500, "controllers/pages.py")
    with step("the repair alone heals it"):
        pages.write_text(source, encoding="utf-8")
        server.wait_for("/list.txt", 200, "Cabin weekend")
    with step("an edited application module is served, by the same process"):
        module = app / "app.py"
        module.write_text(module.read_text(encoding="utf-8") + NEW_ROUTE, encoding="utf-8")
        server.wait_for("/smoke", 200, SERVED)


def smoke(example: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="hotserve-smoke-") as folder:
        app = Path(folder).resolve() / "app"
        shutil.copytree(example, app, ignore=shutil.ignore_patterns("__pycache__", "data"))
        server = Server(app)
        try:
            with step("the example is served"):
                server.wait_for_url()
                server.wait_for("/list.txt", 200, "Cabin weekend")
            visitors = [Visitor(server, "/api/items") for _ in range(VISITORS)]
            for visitor in visitors:
                visitor.start()
            edits(server, app)
            for visitor in visitors:
                visitor.end()
            answers = sum(visitor.answers for visitor in visitors)
            print(f"smoke: {answers} requests meanwhile, none refused, none failed", flush=True)
            with step("stopped by SIGINT"):
                server.stop()
        except BaseException:
            print("\n".join(["smoke: what the server wrote:", *server.lines]), file=sys.stderr)
            raise
        finally:
            if server.process.poll() is None:
                server.process.kill()
                server.process.wait()


if __name__ == "__main__":
    try:
        smoke(Path(sys.argv[1]))
    except Failed as failure:
        sys.exit(f"smoke: failed: {failure}")
    print("smoke: passed")
