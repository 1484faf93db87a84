"""Handing over: what goes through the environment, which connections are free to go, and what stops a restart."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from hotserve.server import drain
from hotserve.server.drain import Drain
from hotserve.server.restart import VARIABLE, Command, Handover, take_handover
from tests.conftest import Project

# -- the environment ---------------------------------------------------------------------------------------------------


def test_a_handover_reaches_the_successor_and_leaves_its_environment() -> None:
    left = Handover("app.py changed", time.time_ns(), listeners=(3,), connections=(4, 5), port=8000, phantom="x")
    environ = {VARIABLE: json.dumps(asdict(left)), "HOME": "/home"}
    assert take_handover(environ) == left
    assert environ == {"HOME": "/home"}
    assert take_handover(environ) is None


def test_a_process_that_inherited_the_variable_by_accident_takes_nothing_over() -> None:
    environ = {VARIABLE: json.dumps(asdict(Handover("x", 0, listeners=(3,), pid=os.getpid() + 1)))}
    assert take_handover(environ) is None
    assert environ == {}


def test_the_age_counts_from_when_the_restart_was_asked_for() -> None:
    assert 1.9 < Handover("x", time.time_ns() - 2_000_000_000).age() < 10


def test_the_command_is_the_one_that_was_typed_with_the_environment_of_that_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "orig_argv", ["python", "-X", "dev", "-m", "hotserve", "run", "app:routes"])
    command = Command.remember()
    monkeypatch.setenv("SET_BY_THE_APPLICATION", "1")
    assert command.argv[1:] == ("-X", "dev", "-m", "hotserve", "run", "app:routes")
    assert command.executable == sys.executable
    assert "SET_BY_THE_APPLICATION" not in command.environ


# -- exec --------------------------------------------------------------------------------------------------------------

REPLACE = """
import atexit, os, sys
from hotserve.server.restart import Command, Handover, RestartFailed, replace_process

atexit.register(print, "atexit")
print("no newline", end=" ")
os.environ["SET_BY_THE_APPLICATION"] = "1"
read, write = os.pipe()
os.write(write, b"kept open")
environ = {name: value for name, value in os.environ.items() if name != "SET_BY_THE_APPLICATION"}
command = Command(sys.argv[1], ("python", *sys.argv[2:]), environ, os.getcwd())
os.chdir("/")
try:
    replace_process(command, Handover("why", 0, listeners=(read,)))
except RestartFailed as error:
    print(error)
"""

SUCCESSOR = """
import json, os
handover = json.loads(os.environ["HOTSERVE_HANDOVER"])
print(os.getpid() == handover["pid"], os.getcwd() != "/", "SET_BY_THE_APPLICATION" in os.environ)
print(os.read(handover["listeners"][0], 99).decode())
"""


def replace(*command: str, folder: Path) -> list[str]:
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    done = subprocess.run(
        [sys.executable, "-c", REPLACE, *command], cwd=folder, env=environ, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_the_successor_is_the_same_process_with_the_folder_environment_and_sockets_of_the_start(tmp_path: Path) -> None:
    assert replace(sys.executable, "-c", SUCCESSOR, folder=tmp_path) == [
        "no newline atexit",
        "True True False",
        "kept open",
    ]


def test_an_exec_that_fails_says_so_with_the_command(tmp_path: Path) -> None:
    *_, line = replace("/nowhere/python", "-m", "hotserve", folder=tmp_path)
    assert line == "cannot restart: No such file or directory (/nowhere/python -m hotserve)."


# -- draining ----------------------------------------------------------------------------------------------------------


class Served:
    """A uvicorn server in this event loop, whose handlers wait for `release`."""

    def __init__(self, server: uvicorn.Server, address: tuple[str, int]) -> None:
        self.server = server
        self.address = address
        self.release = asyncio.Event()
        self.entered = asyncio.Event()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        known = len(self.server.server_state.connections)
        streams = await asyncio.open_connection(*self.address)
        await until(lambda: len(self.server.server_state.connections) > known)
        return streams

    def drain(self, **options: Any) -> Drain:
        state = self.server.server_state
        defaults: dict[str, Any] = {
            "hand_over": True,
            "tls": False,
            "request_grace": 5.0,
            "forced": lambda: False,
        }
        return Drain(connections=state.connections, tasks=state.tasks, **{**defaults, **options})


async def until(condition: Callable[[], bool]) -> None:
    """Run the event loop until `condition()` is true."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)


@asynccontextmanager
async def serving(http: str) -> AsyncIterator[Served]:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        served.entered.set()
        if scope["path"] == "/slow":
            await served.release.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"o", "more_body": True})
        if scope["path"] == "/stream":
            await served.release.wait()
        await send({"type": "http.response.body", "body": b"k"})

    config = uvicorn.Config(app, http=http, lifespan="off", log_config=None, ws="none")
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    await server.startup(sockets=[sock])
    served = Served(server, sock.getsockname())
    try:
        yield served
    finally:
        served.release.set()
        for listener in server.servers:
            listener.close()
        for connection in list(server.server_state.connections):
            connection.transport.abort()
        if server.server_state.tasks:
            await asyncio.wait(server.server_state.tasks, timeout=5)


def request(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode()


http_protocols = pytest.mark.parametrize("http", ["httptools", "h11"])


@http_protocols
def test_a_connection_without_a_request_is_freed_unread(http: str) -> None:
    async def main() -> None:
        async with serving(http) as served:
            reader, writer = await served.connect()
            drain.stop_listening(served.server.servers)
            [fd] = await served.drain().run()
            writer.write(request("/"))
            with socket.socket(fileno=fd) as sock:
                sock.settimeout(5)
                sock.setblocking(False)
                received = await asyncio.get_running_loop().sock_recv(sock, 1000)
                assert received == request("/")
                await asyncio.get_running_loop().sock_sendall(sock, b"from the successor")
            assert await reader.read() == b"from the successor"
            writer.close()

    asyncio.run(main())


@http_protocols
def test_a_keep_alive_connection_between_two_requests_is_freed(http: str) -> None:
    async def main() -> None:
        async with serving(http) as served:
            reader, writer = await served.connect()
            writer.write(request("/"))
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
            [fd] = await served.drain().run()
            os.close(fd)
            assert await reader.read() == b""
            writer.close()

    asyncio.run(main())


@http_protocols
def test_a_request_under_way_is_answered_and_the_next_one_left_to_the_successor(http: str) -> None:
    async def main() -> None:
        async with serving(http) as served:
            reader, writer = await served.connect()
            writer.write(request("/slow"))
            await served.entered.wait()
            draining = asyncio.create_task(served.drain().run())
            # The drain has looked at the connection when it stops reading from it.
            [protocol] = served.server.server_state.connections
            await until(lambda: not protocol.transport.is_reading())
            writer.write(request("/next"))
            await writer.drain()
            served.release.set()
            [fd] = await draining
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
            with socket.socket(fileno=fd) as sock:
                sock.setblocking(False)
                assert await asyncio.get_running_loop().sock_recv(sock, 1000) == request("/next")
            writer.close()

    asyncio.run(main())


@http_protocols
def test_a_request_of_which_a_part_has_come_is_not_handed_over(http: str) -> None:
    async def main() -> None:
        async with serving(http) as served:
            reader, writer = await served.connect()
            first, rest = request("/")[:9], request("/")[9:]
            writer.write(first)
            protocol = next(iter(served.server.server_state.connections))
            await until(lambda: not drain._is_idle(protocol))
            going = served.drain()
            draining = asyncio.create_task(going.run())
            await until(lambda: going._began > 0)
            writer.write(rest)
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
            # Answered here; as a whole connection it may go then.
            assert len(await draining) == 1
            writer.close()

    asyncio.run(main())


@http_protocols
def test_an_open_stream_is_closed_after_its_grace(http: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "STREAM_GRACE", 0.1)

    async def main() -> None:
        async with serving(http) as served:
            reader, writer = await served.connect()
            writer.write(request("/stream"))
            await reader.readuntil(b"\r\n\r\no")
            began = time.monotonic()
            assert await served.drain().run() == []
            assert 0.1 <= time.monotonic() - began < 2.0
            assert await reader.read() == b""
            assert not served.server.server_state.connections
            assert not served.server.server_state.tasks, "the handler was not cancelled"
            writer.close()

    asyncio.run(main())


@http_protocols
def test_without_a_successor_idle_connections_are_closed(http: str) -> None:
    async def main() -> None:
        async with serving(http) as served:
            reader, writer = await served.connect()
            assert await served.drain(hand_over=False).run() == []
            assert await reader.read() == b""
            writer.close()

    asyncio.run(main())


def test_a_connection_accepted_in_the_moment_of_the_restart_is_freed_too() -> None:
    async def main() -> None:
        async with serving("httptools") as served:
            for _ in range(20):
                with socket.socket() as client:
                    client.connect(served.address)  # in the backlog: the event loop has not run since
                    await asyncio.sleep(0)
                    served_now = served.drain()
                    freed = await served_now.run()
                    assert len(freed) == 1
                    os.close(freed[0])

    asyncio.run(main())


def test_impatience_ends_the_drain_at_once() -> None:
    async def main() -> None:
        async with serving("httptools") as served:
            _, writer = await served.connect()
            writer.write(request("/slow"))
            await served.entered.wait()
            began = time.monotonic()
            await served.drain(forced=lambda: time.monotonic() - began > 0.05).run()
            assert time.monotonic() - began < 2.0
            writer.close()

    asyncio.run(main())


# -- the real process --------------------------------------------------------------------------------------------------


def test_the_console_script_is_started_again_as_it_was_typed(project: Project) -> None:
    project.write("bin/hotserve", "from hotserve.cli import main\n\nmain()\n")
    project.write("app.py", "routes = []  # 1\n")
    # The script's own folder is what Python puts into sys.path here, so the application is found by --app-dir alone.
    with project.serve("app:routes", "--hmr", "--app-dir", ".", launcher=("-X", "dev", "bin/hotserve")) as server:
        project.write("app.py", "routes = []  # 2\n")
        server.wait_for_line("restart     app.py")
        assert server.get("/").status_code == 404


def test_a_burst_of_changes_that_restart_is_served_by_the_last_of_them(project: Project) -> None:
    app = """
        import time
        from pathlib import Path
        from starlette.responses import PlainTextResponse
        from starlette.routing import Route

        with Path("boots").open("a") as boots:
            boots.write("boot\\n")
        routes = [Route("/", lambda request: PlainTextResponse("number 0"))]
        """
    project.write("app.py", app)
    with project.serve("app:routes", "--hmr") as server:
        assert server.get("/").text == "number 0"
        for number in range(1, 11):
            project.write("app.py", app.replace("number 0", f"number {number}"))
        server.wait_for_text("number 10")
        assert len(project.path("boots").read_text().split()) <= 11


# -- what a successor could not start with -----------------------------------------------------------------------------

PAGE = "from starlette.responses import PlainTextResponse\nasync def index(request): return PlainTextResponse('one')\n"


def test_a_restart_waits_until_a_broken_pyproject_is_mended(project: Project) -> None:
    project.write("pyproject.toml", "[tool.hotserve]\nrestart = []\n")
    project.write("page.py", PAGE)
    project.write("app.py", "from hotserve import Route\nroutes = [Route('/', 'page:index')]\n")
    with project.serve("app:routes", "--hmr") as server:
        assert server.get("/").text == "one"
        project.write("pyproject.toml", "[tool.hotserve\n")
        server.wait_for_line("The settings in force stay")
        project.edit("app.py", "routes =", "\nroutes =")
        server.wait_for(lambda: server.get("/").status_code == 500)
        assert "pyproject.toml" in server.get("/").text
        project.write("pyproject.toml", "[tool.hotserve]\nrestart = []\n")
        server.wait_for(lambda: server.get("/").text == "one")
        server.wait_for_line(r"restart +app\.py changed")


def test_an_env_file_that_is_gone_for_a_moment_ends_nothing(project: Project) -> None:
    project.write(".env", "A=1\n")
    project.write("page.py", PAGE)
    project.write("app.py", "from hotserve import Route\nroutes = [Route('/', 'page:index')]\n")
    with project.serve("app:routes", "--hmr", "--env-file", ".env") as server:
        assert server.get("/").text == "one"
        project.rename(".env", "aside")
        server.wait_for(lambda: server.get("/").status_code == 500)
        assert "--env-file '.env': there is no such file" in server.get("/").text
        project.rename("aside", ".env")
        server.wait_for(lambda: server.get("/").text == "one")


def test_the_address_is_said_by_the_successor_when_the_first_process_did_not_get_there(project: Project) -> None:
    project.write(".env", "A=1\n")
    project.write(
        "app.py",
        """
        import pathlib
        if not pathlib.Path("seen").exists():
            pathlib.Path("seen").touch()
            pathlib.Path(".env").write_text("A=2")
            import time
            time.sleep(0.5)
        from hotserve import Route
        routes = [Route("/", "page:index")]
        """,
    )
    project.write("page.py", PAGE)
    with project.serve("app:routes", "--hmr") as server:
        server.wait_for_line(r"restart +\.env changed")
        assert server.get("/").text == "one"
