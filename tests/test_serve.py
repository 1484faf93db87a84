"""Sockets, what counts as an application, the updates' queue, and the guard against restarting for ever."""

from __future__ import annotations

import asyncio
import io
import os
import re
import socket
import stat
from collections.abc import Collection
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from hotserve.config import Config
from hotserve.hmr.kernel import Applied, Kernel
from hotserve.hmr.plan import AppSwap, HotUpdate, NotLoaded
from hotserve.reference import Reference
from hotserve.server import sockets
from hotserve.server.application import as_application
from hotserve.server.dev_app import DevApp, Target
from hotserve.server.restart import Command, Handover
from hotserve.server.serve import _HotServer
from hotserve.server.updates import Updates
from hotserve.terminal.console import Console
from tests.conftest import Project

# -- sockets -----------------------------------------------------------------------------------------------------------


def test_port_0_takes_a_free_one_and_the_url_names_it() -> None:
    [sock] = sockets.bind({"host": "127.0.0.1", "port": 0})
    with sock:
        port = sock.getsockname()[1]
        assert port != 0
        assert sockets.url_of([sock], {"host": "127.0.0.1", "port": 0}) == f"http://127.0.0.1:{port}"


def test_a_name_with_two_addresses_is_served_on_both_under_one_port(monkeypatch: pytest.MonkeyPatch) -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    found = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 0, 0, 0)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: found)
    bound = sockets.bind({"host": "localhost", "port": 0})
    try:
        ports = {sock.getsockname()[1] for sock in bound}
        assert len(ports) == 1
    finally:
        for sock in bound:
            sock.close()


@pytest.mark.parametrize(
    ("host", "name", "extra", "url"),
    [
        ("127.0.0.1", ("127.0.0.1", 81), {}, "http://127.0.0.1:81"),
        ("localhost", ("127.0.0.1", 81), {}, "http://localhost:81"),
        ("::1", ("::1", 81, 0, 0), {}, "http://[::1]:81"),
        ("0.0.0.0", ("0.0.0.0", 81), {}, "http://127.0.0.1:81 (on every interface)"),
        ("::", ("::", 81, 0, 0), {}, "http://[::1]:81 (on every interface)"),
        ("127.0.0.1", ("127.0.0.1", 81), {"ssl_certfile": "cert.pem"}, "https://127.0.0.1:81"),
        ("127.0.0.1", "/run/app.sock", {}, "unix:/run/app.sock"),
    ],
)
def test_the_url_is_one_that_a_browser_can_open(host: str, name: Any, extra: dict[str, Any], url: str) -> None:
    class Named:
        def getsockname(self) -> Any:
            return name

    assert sockets.url_of([Named()], {"host": host, **extra}) == url  # type: ignore[list-item]


def test_a_port_in_use_is_named_with_the_fix() -> None:
    [sock] = sockets.bind({"host": "127.0.0.1", "port": 0})
    with sock:
        sock.listen()
        port = sock.getsockname()[1]
        with pytest.raises(sockets.CannotListen) as caught:
            sockets.bind({"host": "127.0.0.1", "port": port})
    assert str(caught.value) == (
        f"port {port} on 127.0.0.1 is in use; "
        "stop what listens there, or choose another with --port (0 takes a free one)."
    )


def test_a_port_in_use_is_one_line_and_exit_code_1(project: Project) -> None:
    [sock] = sockets.bind({"host": "127.0.0.1", "port": 0})
    project.write("app.py", "routes = []")
    with sock:
        sock.listen()
        port = str(sock.getsockname()[1])
        with project.serve("app:routes", "--hmr", "--port", port, banner=False) as server:
            assert server.wait() == 1
            assert len(server.lines) == 1
            assert server.lines[0].startswith(f"hotserve: port {port} on 127.0.0.1 is in use; ")


def test_a_host_of_another_machine_is_named() -> None:
    with pytest.raises(sockets.CannotListen, match=r"--host 203\.0\.113\.7 is no address of this machine"):
        sockets.bind({"host": "203.0.113.7", "port": 0})


def test_a_unix_socket_that_nobody_serves_is_replaced_and_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    left_over = socket.socket(socket.AF_UNIX)
    left_over.bind(str(path))
    left_over.close()
    path.chmod(0o600)
    [sock] = sockets.bind({"uds": str(path)})
    with sock:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        sock.listen()
        with pytest.raises(sockets.CannotListen, match="is in use"):
            sockets.bind({"uds": str(path)})


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("mine")
    with pytest.raises(sockets.CannotListen, match="exists and is not a socket"):
        sockets.bind({"uds": str(path)})
    assert path.read_text() == "mine"


def test_a_unix_socket_survives_a_restart_and_is_removed_at_the_end(project: Project) -> None:
    project.write("app.py", "routes = []  # 1")
    path = project.path("s")
    # A path relative to the project: the absolute one of a temporary folder may be too long for a socket.
    with project.serve("app:routes", "--hmr", "--uds", "s") as server:
        transport = httpx.HTTPTransport(uds=str(os.path.relpath(path)))
        with httpx.Client(transport=transport, base_url="http://unix") as client:
            assert client.get("/").status_code == 404
            project.write("app.py", "routes = []  # 2")
            server.wait_for_line("restart     app.py")
            assert client.get("/").status_code == 404
        server.end()
        assert not path.exists()


def test_an_inherited_socket_is_served_and_survives_a_restart(project: Project) -> None:
    project.write("app.py", "routes = []  # 1")
    [sock] = sockets.bind({"host": "127.0.0.1", "port": 0})
    with sock:
        port, fd = sock.getsockname()[1], sock.fileno()
        with project.serve("app:routes", "--hmr", "--fd", str(fd), pass_fds=(fd,)) as server:
            assert server.url == f"http://127.0.0.1:{port}"
            assert server.get("/").status_code == 404
            project.write("app.py", "routes = []  # 2")
            server.wait_for_line("restart     app.py")
            assert server.get("/").status_code == 404


# -- what counts as an application -------------------------------------------------------------------------------------


def ask(app: Any) -> str:
    async def main() -> str:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as client:
            return (await client.get("/")).text

    return asyncio.run(main())


def routes() -> list[Route]:
    return [Route("/", lambda request: PlainTextResponse("routes"))]


async def asgi3(scope: Any, receive: Any, send: Any) -> None:
    await PlainTextResponse("asgi3")(scope, receive, send)


class Asgi2:
    def __init__(self, scope: Any) -> None:
        self.scope = scope

    async def __call__(self, receive: Any, send: Any) -> None:
        await PlainTextResponse("asgi2")(self.scope, receive, send)


@pytest.mark.parametrize(
    ("value", "options", "text"),
    [
        (routes(), {}, "routes"),
        (tuple(routes()), {}, "routes"),
        (Starlette(routes=routes()), {}, "routes"),
        (asgi3, {}, "asgi3"),
        (Asgi2, {"interface": "asgi2"}, "asgi2"),
        (routes, {"factory": True}, "routes"),
        (lambda: asgi3, {"factory": True}, "asgi3"),
        (lambda: asgi3, {}, "asgi3"),  # uvicorn detects a factory, too
    ],
)
def test_everything_that_uvicorn_serves_is_an_application(value: Any, options: dict[str, Any], text: str) -> None:
    assert ask(as_application(value, **options)) == text


# -- updates -----------------------------------------------------------------------------------------------------------


class StubKernel:
    """Plans what it is told, and notes what it is asked."""

    def __init__(self, *plans: Any) -> None:
        self.plans = list(plans)
        self.planned: list[set[str]] = []
        self.applied: list[HotUpdate] = []
        self.may_finish = asyncio.Event()
        self.may_finish.set()

    def plan(self, paths: Collection[str]) -> Any:
        self.planned.append(set(paths))
        plan = self.plans.pop(0) if self.plans else None
        if isinstance(plan, Exception):
            raise plan
        return plan

    async def apply(self, update: HotUpdate) -> Applied:
        self.applied.append(update)
        await self.may_finish.wait()
        return Applied(1, 0)

    def compile_ahead(self, file: str) -> bool:
        return True


HOT = HotUpdate(("a.py",), frozenset({"a"}), ("a",))


class Harness:
    """Updates over a stub kernel, with an application that answers "ok"."""

    def __init__(self, *plans: Any, broken: bool = False) -> None:
        self.kernel = StubKernel(*plans)
        kernel: Any = self.kernel
        self.dev_app = DevApp(Target(Reference("app", "app")), kernel, lambda error: asgi3)
        self.dev_app._app = asgi3
        self.dev_app._release()
        self.dev_app.broken = broken
        self.stream = io.StringIO()
        self.restarts: list[str] = []
        self.updates = Updates(kernel, self.dev_app, Console(self.stream), self.restarts.append, lambda: None)

    async def idle(self) -> None:
        """Until nothing is under way."""
        await asyncio.sleep(0)
        while self.updates._task is not None:
            await asyncio.wait({self.updates._task}, timeout=5)
            await asyncio.sleep(0)


def test_changes_that_come_before_the_server_stands_are_planned_when_it_does() -> None:
    async def main() -> None:
        harness = Harness(HOT)
        harness.updates.deliver(frozenset({"/p/a.py"}))
        harness.updates.deliver(frozenset({"/p/b.py"}))
        assert harness.kernel.planned == []
        harness.updates.begin()
        await harness.idle()
        assert harness.kernel.planned == [{"/p/a.py", "/p/b.py"}]

    asyncio.run(main())


def test_changes_during_an_update_are_merged_and_planned_after_it() -> None:
    async def main() -> None:
        harness = Harness(HOT, HOT)
        harness.updates.begin()
        harness.kernel.may_finish.clear()
        harness.updates.deliver(frozenset({"/p/a.py"}))
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(harness.kernel.applied) == 1
        harness.updates.deliver(frozenset({"/p/b.py"}))
        harness.updates.deliver(frozenset({"/p/c.py"}))
        for _ in range(5):
            await asyncio.sleep(0)
        assert harness.kernel.planned == [{"/p/a.py"}]
        harness.kernel.may_finish.set()
        await harness.idle()
        assert harness.kernel.planned == [{"/p/a.py"}, {"/p/b.py", "/p/c.py"}]

    asyncio.run(main())


def test_a_request_that_comes_during_an_update_waits_for_its_end() -> None:
    async def main() -> None:
        harness = Harness(HOT)
        harness.updates.begin()
        harness.kernel.may_finish.clear()
        harness.updates.deliver(frozenset({"/p/a.py"}))
        for _ in range(5):
            await asyncio.sleep(0)
        transport = httpx.ASGITransport(harness.dev_app)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            request = asyncio.create_task(client.get("/"))
            for _ in range(20):
                await asyncio.sleep(0)
            assert not request.done()
            harness.kernel.may_finish.set()
            assert (await request).text == "asgi3"

    asyncio.run(main())


def test_what_a_hot_update_cannot_do_is_a_restart_with_the_reason_of_the_plan() -> None:
    async def main() -> None:
        harness = Harness(AppSwap(("app.py",), frozenset({"app"}), (), "app.py changed (application module)"))
        harness.updates.begin()
        harness.updates.deliver(frozenset({"/p/app.py"}))
        await harness.idle()
        assert harness.restarts == ["app.py changed (application module)"]
        assert harness.stream.getvalue() == ""

    asyncio.run(main())


@pytest.mark.parametrize("plan", [HOT, NotLoaded(("a.py",))])
def test_while_the_application_is_broken_every_change_of_code_tries_it_again(plan: Any) -> None:
    async def main() -> None:
        harness = Harness(plan, broken=True)
        harness.updates.begin()
        harness.updates.deliver(frozenset({"/p/a.py"}))
        await harness.idle()
        assert harness.restarts == ["a.py changed, and the application could not be started"]
        assert harness.kernel.applied == []

    asyncio.run(main())


def test_a_save_of_something_that_nobody_imported_is_said() -> None:
    async def main() -> None:
        harness = Harness(NotLoaded(("seed.py",)))
        harness.updates.begin()
        harness.updates.deliver(frozenset({"/p/seed.py"}))
        await harness.idle()
        assert re.search(r"^..:..:.. note        seed.py  not imported", harness.stream.getvalue())

    asyncio.run(main())


def test_an_update_that_fails_inside_hotserve_is_completed_by_a_restart(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        harness = Harness(ZeroDivisionError())
        harness.updates.begin()
        harness.updates.deliver(frozenset({"/p/a.py"}))
        await harness.idle()
        assert harness.restarts == ["an update failed (ZeroDivisionError)"]
        assert harness.dev_app._gate is None

    asyncio.run(main())
    assert "could not carry out an update" in caplog.text


# -- phantoms ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "changed", "restarts"),
    [
        (None, False, ["a could be imported"]),
        ("a could be imported", False, []),
        ("a could be imported", True, ["a could be imported"]),
        ("b could be imported", False, ["a could be imported"]),
    ],
)
def test_a_restart_that_did_not_help_is_not_tried_again_before_the_next_save(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str | None, changed: bool, restarts: list[str]
) -> None:
    config = Config(root=tmp_path, pyproject=None, app_dir=tmp_path)
    stream = io.StringIO()
    command = Command("python", (), {}, str(tmp_path))
    handover = Handover("why", 0, phantom=before) if before else None
    options = {"port": 0, "log_config": None}
    server = _HotServer(Reference("app", "routes"), config, options, Console(stream), command, handover)
    asked: list[str] = []
    monkeypatch.setattr(server._server, "restart_soon", lambda reason, phantom: asked.append(phantom))
    server._updates.changed = changed
    kernel: Kernel = server._kernel
    assert kernel.on_phantom is not None
    kernel.on_phantom("a could be imported")
    assert asked == restarts
    assert ("a restart has not helped" in stream.getvalue()) is not bool(restarts)
    for listener in (*server._listeners, *server._server._listeners):
        listener.close()
