"""The promise, on a real process over real sockets: after a save, the next answer is what a fresh start would give."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.conftest import DEADLINE, Project, Server

APP = """
    from hotserve import Route, WebSocketRoute

    routes = [
        Route("/", "controllers.home:index"),
        Route("/other", "controllers.other:index"),
        Route("/unused", "controllers.unused:index"),
        Route("/stream", "controllers.live:stream"),
        Route("/pid", "controllers.process:pid"),
        WebSocketRoute("/socket", "controllers.live:socket"),
    ]
"""

HOME = """
    from starlette.responses import PlainTextResponse
    from services.greeting import WORD

    async def index(request):
        return PlainTextResponse(WORD)
"""

OTHER = """
    from starlette.responses import PlainTextResponse

    async def index(request):
        return PlainTextResponse("other")
"""

LIVE = """
    import asyncio
    from starlette.responses import StreamingResponse
    from services.greeting import WORD

    async def stream(request):
        async def events():
            while True:
                yield f"data: {WORD}\\n\\n"
                await asyncio.sleep(0.01)
        return StreamingResponse(events(), media_type="text/event-stream")

    async def socket(websocket):
        await websocket.accept()
        async for message in websocket.iter_text():
            await websocket.send_text(f"{WORD} {message}")
"""


PROCESS = """
    import os
    from starlette.responses import JSONResponse

    async def pid(request):
        return JSONResponse(os.getpid())
"""


@pytest.fixture
def shop(project: Project) -> Project:
    """Controllers, a service that two of them share, and a controller that nobody asks for."""
    project.write("app.py", APP)
    project.write("controllers/__init__.py", "")
    project.write("controllers/home.py", HOME)
    project.write("controllers/other.py", OTHER)
    project.write("controllers/unused.py", "raise RuntimeError('imported without being asked for')")
    project.write("controllers/live.py", LIVE)
    project.write("controllers/process.py", PROCESS)
    project.write("services/__init__.py", "")
    project.write("services/greeting.py", "WORD = 'one'\n")
    return project


def word(text: str) -> str:
    return f"WORD = {text!r}\n"


# -- a save reaches the next request -----------------------------------------------------------------------------------


def test_a_save_reaches_the_next_request_and_says_so_in_one_line(shop: Project) -> None:
    with shop.serve("app:routes", "--hmr", "--no-access-log") as server:
        assert server.get("/").text == "one"
        pid = server.pid
        shop.write("services/greeting.py", word("two"))
        server.wait_for_text("two")
        server.wait_for_line(
            r"^\d\d:\d\d:\d\d hot update  services/greeting.py → controllers.home  2 modules  [\d.]+ ms$"
        )
        assert server.pid == pid
        assert len(server.lines) == 2, server.text


def test_the_banner_names_the_url_the_time_and_the_boundaries(shop: Project) -> None:
    with shop.serve("app:routes", "--hmr") as server:
        assert "(hot: 5 boundaries, 0 imported so far)" in server.lines[0]
        assert f"http://127.0.0.1:{server.port}  ready in " in server.lines[0]
        assert len(server.lines) == 1, server.text


@pytest.mark.parametrize("way", ["in place", "atomic rename", "truncate, then write", "delete, then write"])
def test_a_save_is_seen_however_the_editor_writes(shop: Project, way: str) -> None:
    with shop.serve("app:routes", "--hmr") as server:
        assert server.get("/").text == "one"
        path = shop.path("services/greeting.py")
        match way:
            case "in place":
                shop.write("services/greeting.py", word("two"))
            case "atomic rename":
                shop.write_atomically("services/greeting.py", word("two"))
            case "truncate, then write":
                with path.open("w") as file:
                    file.flush()
                    file.write(word("two"))
            case "delete, then write":
                path.unlink()
                path.write_text(word("two"))
        server.wait_for_text("two")


def test_edits_of_the_same_size_within_a_second_are_all_seen(shop: Project) -> None:
    with shop.serve("app:routes", "--hmr") as server:
        assert server.get("/").text == "one"
        for number in range(20):
            shop.write("services/greeting.py", word(f"{number:03}"))
            server.wait_for_text(f"{number:03}")


def test_of_five_saves_in_a_row_the_last_one_is_served(shop: Project) -> None:
    with shop.serve("app:routes", "--hmr") as server:
        assert server.get("/").text == "one"
        for number in range(5):
            shop.write("services/greeting.py", word(f"save {number}"))
        server.wait_for_text("save 4")


@pytest.mark.parametrize("milliseconds", [0, 5, 15, 30, 60])
def test_a_save_right_after_an_answer_is_not_lost(shop: Project, milliseconds: int) -> None:
    with shop.serve("app:routes", "--hmr") as server:
        for number in range(10):
            shop.write("services/greeting.py", word(f"save {number}"))
            server.wait_for_text(f"save {number}")
            time.sleep(milliseconds / 1000)  # the case itself, not a wait for something to happen


def test_a_burst_of_300_files_is_one_update(shop: Project) -> None:
    shop.write("controllers/home.py", HOME.replace("services.greeting", "services.many"))
    names = [f"part{number}" for number in range(300)]
    shop.write("services/many.py", "".join(f"import services.{name}\n" for name in names) + word("one"))
    for name in names:
        shop.write(f"services/{name}.py", "X = 1\n")
    with shop.serve("app:routes", "--hmr", "--no-access-log") as server:
        assert server.get("/").text == "one"
        for name in names:
            shop.write(f"services/{name}.py", "X = 2\n")
        shop.write("services/many.py", "".join(f"import services.{name}\n" for name in names) + word("two"))
        server.wait_for_text("two")
        server.wait_for_line("hot update .* 302 modules|hot update")
        assert len(server.lines) <= 4, server.text


def test_a_new_module_and_a_deleted_one_are_served_as_a_fresh_start_would(shop: Project) -> None:
    with shop.serve("app:routes", "--hmr") as server:
        assert server.get("/").text == "one"
        shop.write("services/extra.py", word("extra"))
        shop.edit("controllers/home.py", "services.greeting", "services.extra")
        server.wait_for_text("extra")
        shop.delete("services/extra.py")
        server.wait_for(lambda: server.get("/").status_code == 500)
        assert "No module named 'services.extra'" in server.get("/").text
        shop.edit("controllers/home.py", "services.extra", "services.greeting")
        server.wait_for_text("one")


def test_a_boundary_that_nobody_asks_for_is_not_imported(shop: Project) -> None:
    with shop.serve("app:routes", "--hmr") as server:
        assert server.get("/").text == "one"
        assert "imported without being asked for" not in server.text
        assert server.get("/unused").status_code == 500


# -- broken saves ------------------------------------------------------------------------------------------------------


def test_a_broken_save_breaks_only_the_routes_that_need_it_and_the_fix_heals_them(shop: Project) -> None:
    with shop.serve("app:routes", "--hmr", "--no-access-log") as server:
        assert server.get("/").text == "one"
        assert server.get("/other").text == "other"
        shop.write("services/greeting.py", "WORD = 'one'\nWORD = (\n")
        answer = server.wait_for(lambda: broken if (broken := server.get("/")).status_code == 500 else None)
        assert "SyntaxError: '(' was never closed" in answer.text
        assert "services/greeting.py, line 2" in answer.text
        assert "controllers.home:index" in answer.text
        assert server.get("/other").text == "other"
        line = server.wait_for_line(r"error       services/greeting.py:2 SyntaxError: '\(' was never closed")
        assert line.endswith("serving the error page")
        server.get("/")
        shop.write("services/greeting.py", word("mended"))
        server.wait_for_text("mended")
        assert sum("SyntaxError: '(' was never closed    serving" in line for line in server.lines) == 1


def test_an_error_page_is_html_for_a_browser(shop: Project) -> None:
    with shop.serve("app:routes", "--hmr") as server:
        answer = server.get("/unused", headers={"accept": "text/html,*/*"})
        assert answer.status_code == 500
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert "imported without being asked for" in answer.text
        assert "Route(&quot;/unused&quot;" in answer.text


@pytest.mark.parametrize("broken", ["import does_not_exist", "routes = [", "", "raise SystemExit('no settings')"])
def test_an_application_that_is_broken_at_boot_comes_up_when_it_is_fixed(shop: Project, broken: str) -> None:
    shop.write("app.py", broken)
    with shop.serve("app:routes", "--hmr") as server:
        assert server.get("/").status_code == 500
        server.wait_for_line("^..:..:.. error  .* serving the error page$")
        shop.write("app.py", APP)
        server.wait_for_text("one")
        server.wait_for_line("restart     app.py")


def test_a_target_that_does_not_exist_at_boot_comes_up_when_it_appears(shop: Project) -> None:
    shop.rename("app.py", "later.txt")
    with shop.serve("app:routes", "--hmr") as server:
        assert "no module named 'app'" in server.get("/").text.lower()
        shop.rename("later.txt", "app.py")
        server.wait_for_text("one")


def test_a_startup_that_fails_shows_why_and_comes_up_when_it_is_fixed(shop: Project) -> None:
    starting = """
        from contextlib import asynccontextmanager
        from starlette.applications import Starlette
        from app import routes

        @asynccontextmanager
        async def lifespan(app):
            raise ConnectionError("no database")
            yield

        app = Starlette(routes=routes, lifespan=lifespan)
    """
    shop.write("main.py", starting)
    with shop.serve("main:app", "--hmr") as server:
        answer = server.get("/")
        assert answer.status_code == 500
        assert "ConnectionError: no database" in answer.text
        assert "main.py, line 7" in answer.text
        server.wait_for_line("error       main.py:7 ConnectionError: no database")
        shop.edit("main.py", 'raise ConnectionError("no database")', "pass")
        server.wait_for_text("one")


# -- long-lived connections --------------------------------------------------------------------------------------------


@contextmanager
def stream(server: Server) -> Iterator[Iterator[str]]:
    with server.client.stream("GET", server.url + "/stream") as response:
        yield response.iter_lines()


def next_event(lines: Iterator[str]) -> str:
    return next(line for line in lines if line)


def test_a_websocket_keeps_its_version_and_a_new_one_gets_the_new_code(shop: Project) -> None:
    with shop.serve("app:routes", "--hmr") as server:
        with server.websocket("/socket") as old:
            old.send("a")
            assert old.recv(DEADLINE) == "one a"
            shop.write("services/greeting.py", word("two"))
            line = server.wait_for_line("hot update  services/greeting.py → controllers.live")
            assert line.endswith("(1 open connection stays on the old version)")
            old.send("b")
            assert old.recv(DEADLINE) == "one b"
            with server.websocket("/socket") as new:
                new.send("c")
                assert new.recv(DEADLINE) == "two c"
            old.send("d")
            assert old.recv(DEADLINE) == "one d"


def test_a_stream_keeps_its_version_and_a_new_one_gets_the_new_code(shop: Project) -> None:
    with shop.serve("app:routes", "--hmr") as server:
        with stream(server) as old:
            assert next_event(old) == "data: one"
            shop.write("services/greeting.py", word("two"))
            server.wait_for_line("hot update  services/greeting.py")
            with stream(server) as new:
                assert next_event(new) == "data: two"
            assert all(next_event(old) == "data: one" for _ in range(20))


# -- hot ---------------------------------------------------------------------------------------------------------------


def test_what_hot_keeps_survives_and_dispose_runs_importers_first(shop: Project) -> None:
    shop.write(
        "services/greeting.py",
        """
        from hotserve import hot

        log = hot.keep("log", list)
        WORD = "one"
        hot.dispose(lambda: log.append(f"service {WORD}"))
        """,
    )
    shop.write(
        "controllers/home.py",
        """
        from starlette.responses import JSONResponse
        from hotserve import hot
        from services.greeting import WORD, log

        @hot.dispose
        async def leave():
            log.append(f"controller {WORD}")

        async def index(request):
            return JSONResponse([WORD, log])
        """,
    )
    with shop.serve("app:routes", "--hmr") as server:
        assert server.get("/").json() == ["one", []]
        shop.edit("services/greeting.py", 'WORD = "one"', 'WORD = "two"')
        server.wait_for(lambda: server.get("/").json()[0] == "two")
        assert server.get("/").json() == ["two", ["controller one", "service one"]]


# -- restarts ----------------------------------------------------------------------------------------------------------


class Load:
    """Sends requests at a steady rate, and keeps every answer and every failure.

    keep_alive: on one connection, or a fresh one for each request
    """

    def __init__(self, server: Server, per_second: int, *, keep_alive: bool) -> None:
        self.answers: list[tuple[int, str]] = []
        self.failures: list[str] = []
        self._server = server
        self._pause = 1 / per_second
        self._keep_alive = keep_alive
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._end.set()
        self._thread.join()

    def wait_for_answer(self, text: str) -> None:
        """Wait until this client has been answered with `text`."""
        self._server.wait_for(lambda: (200, text) in self.answers)

    def _run(self) -> None:
        headers = {} if self._keep_alive else {"connection": "close"}
        with httpx.Client(timeout=DEADLINE, trust_env=False, headers=headers) as client:
            due = time.monotonic()
            while not self._end.is_set():
                try:
                    answer = client.get(self._server.url + "/")
                    self.answers.append((answer.status_code, answer.text))
                except httpx.HTTPError as error:
                    self.failures.append(repr(error))
                due = max(due + self._pause, time.monotonic() - 0.1)
                self._end.wait(max(0.0, due - time.monotonic()))


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_under_load_a_restart_refuses_and_fails_nobody_and_keeps_the_process(shop: Project, loop: str) -> None:
    pytest.importorskip("uvloop") if loop == "uvloop" else None
    shop.write("app.py", APP + "\n    TEXT = 'boot 0'\n")
    shop.write(
        "controllers/home.py", HOME.replace("from services.greeting import WORD", "from app import TEXT as WORD")
    )
    with shop.serve("app:routes", "--hmr", "--no-access-log", "--loop", loop) as server:
        server.wait_for_text("boot 0")
        with Load(server, 200, keep_alive=False) as fresh, Load(server, 200, keep_alive=True) as kept:
            for number in range(1, 4):
                # Before and after each restart both clients have been answered: it happens under load.
                for load in (fresh, kept):
                    load.wait_for_answer(f"boot {number - 1}")
                seen = len(server.lines)
                shop.edit("app.py", f"boot {number - 1}", f"boot {number}")
                server.wait_for_line("restart     app.py changed", after=seen)
            for load in (fresh, kept):
                load.wait_for_answer("boot 3")
        for load in (fresh, kept):
            assert load.failures == []
            assert {status for status, _ in load.answers} == {200}
            texts = [text for _, text in load.answers]
            assert texts == sorted(texts), "an old answer came after a new one"
        assert server.is_running(), "the process has ended and another one answers"
        assert server.get("/pid").json() == server.pid


def test_a_request_under_way_is_answered_before_a_restart(shop: Project) -> None:
    shop.write(
        "controllers/other.py",
        """
        import asyncio
        from pathlib import Path
        from starlette.responses import PlainTextResponse

        async def index(request):
            Path("begun").touch()
            await asyncio.sleep(0.5)
            return PlainTextResponse("old")
        """,
    )
    with shop.serve("app:routes", "--hmr") as server:
        answers: list[str] = []
        request = threading.Thread(target=lambda: answers.append(server.get("/other").text))
        request.start()
        server.wait_for(shop.path("begun").exists)
        shop.edit("controllers/other.py", '"old"', '"new"')
        shop.write("app.py", APP + "\n    # edited\n")
        request.join(DEADLINE)
        assert answers == ["old"]
        server.wait_for_line("restart     ")
        assert server.get("/other").text == "new"


def test_a_changed_env_file_restarts_with_the_values_that_a_cold_start_reads(shop: Project) -> None:
    shop.write(".env", "GREETING=one\n")
    shop.write(
        "services/greeting.py",
        """
        import os
        from pathlib import Path

        for line in Path(".env").read_text().splitlines():
            name, _, value = line.partition("=")
            os.environ.setdefault(name, value)  # as load_dotenv() does
        WORD = os.environ["GREETING"]
        """,
    )
    shop.write("app.py", "import services.greeting" + "\n" + APP.replace("\n    ", "\n"))
    with shop.serve("app:routes", "--hmr") as server:
        assert server.get("/").text == "one"
        shop.write(".env", "GREETING=two\n")
        server.wait_for_text("two")
        server.wait_for_line(r"^\d\d:\d\d:\d\d restart     .env changed \(restart pattern.*\)  \d+ ms$")


def test_the_application_does_not_see_the_variables_of_a_restart(shop: Project) -> None:
    shop.write(
        "controllers/home.py",
        """
        import os
        from starlette.responses import JSONResponse

        async def index(request):
            return JSONResponse([name for name in os.environ if name.startswith("HOTSERVE")])
        """,
    )
    with shop.serve("app:routes", "--hmr") as server:
        shop.write("app.py", APP + "\n    # edited\n")
        server.wait_for_line("restart     app.py")
        assert server.get("/").json() == []


def test_open_streams_and_websockets_do_not_block_a_restart(shop: Project) -> None:
    with shop.serve("app:routes", "--hmr") as server:
        with server.websocket("/socket") as socket, stream(server) as events:
            socket.send("a")
            socket.recv(DEADLINE)
            assert next_event(events) == "data: one"
            began = time.monotonic()
            shop.write("app.py", APP + "\n    # edited\n")
            server.wait_for_line("restart     app.py")
            assert time.monotonic() - began < 4.0
            with pytest.raises(Exception, match="1012"):
                socket.recv(DEADLINE)
            with pytest.raises(httpx.RemoteProtocolError):
                list(events)
        assert server.get("/").text == "one"


def test_a_restart_ends_the_old_application_in_order(shop: Project) -> None:
    shop.write(
        "main.py",
        """
        import atexit
        from contextlib import asynccontextmanager
        from pathlib import Path
        from hotserve import hot
        from starlette.applications import Starlette
        from app import routes

        def note(text):
            with Path("log.txt").open("a") as log:
                log.write(text + "\\n")

        @asynccontextmanager
        async def lifespan(app):
            note("startup")
            yield {"answer": 42}
            note("shutdown")

        hot.dispose(lambda: note("dispose"))
        atexit.register(note, "atexit")
        app = Starlette(routes=routes, lifespan=lifespan)
        """,
    )
    with shop.serve("main:app", "--hmr") as server:
        assert server.get("/").text == "one"
        shop.edit("main.py", "42", "43")
        server.wait_for_line("restart     main.py")
        assert shop.path("log.txt").read_text().split() == ["startup", "shutdown", "dispose", "atexit", "startup"]


def test_requests_get_the_state_of_the_lifespan(shop: Project) -> None:
    shop.write(
        "main.py",
        """
        from contextlib import asynccontextmanager
        from starlette.applications import Starlette
        from starlette.responses import JSONResponse
        from starlette.routing import Route

        async def index(request):
            request.scope["state"]["mine"] = 1
            return JSONResponse(sorted(request.scope["state"]))

        @asynccontextmanager
        async def lifespan(app):
            yield {"pool": object()}

        app = Starlette(routes=[Route("/", index)], lifespan=lifespan)
        """,
    )
    with shop.serve("main:app", "--hmr") as server:
        assert server.get("/").json() == ["mine", "pool"]
        shop.edit("main.py", '"pool"', '"cache"')
        server.wait_for(lambda: server.get("/").json() == ["cache", "mine"])


# -- the end -----------------------------------------------------------------------------------------------------------


def test_ctrl_c_ends_the_process_within_two_seconds_though_streams_are_open(shop: Project) -> None:
    with shop.serve("app:routes", "--hmr") as server:
        with server.websocket("/socket") as socket, stream(server) as events:
            socket.send("a")
            socket.recv(DEADLINE)
            next_event(events)
            began = time.monotonic()
            server.send_signal(signal.SIGINT)
            assert server.wait() == 0
            assert time.monotonic() - began < 2.0
        assert "Traceback" not in server.text


def test_ctrl_c_does_not_wait_for_threads_that_work_on_a_request(shop: Project) -> None:
    shop.write(
        "controllers/other.py",
        """
        import atexit
        import time
        from pathlib import Path

        atexit.register(print, "atexit", flush=True)

        def index(request):
            Path("begun").touch()
            time.sleep(1000)
        """,
    )
    with shop.serve("app:routes", "--hmr") as server:

        def ask() -> None:
            with contextlib.suppress(httpx.HTTPError):
                server.get("/other")

        request = threading.Thread(target=ask)
        request.start()
        server.wait_for(shop.path("begun").exists)
        began = time.monotonic()
        server.send_signal(signal.SIGINT)
        assert server.wait() == 0
        assert time.monotonic() - began < 2.0
        request.join(DEADLINE)
        assert server.lines[-1] == "atexit"


def test_ctrl_c_runs_the_shutdown_and_the_dispose_callbacks(shop: Project) -> None:
    shop.write(
        "main.py",
        """
        from contextlib import asynccontextmanager
        from hotserve import hot
        from starlette.applications import Starlette

        @asynccontextmanager
        async def lifespan(app):
            yield
            print("shutdown", flush=True)

        hot.dispose(lambda: print("dispose", flush=True))
        app = Starlette(lifespan=lifespan)
        """,
    )
    with shop.serve("main:app", "--hmr") as server:
        server.send_signal(signal.SIGINT)
        assert server.wait() == 0
        assert server.lines[-2:] == ["shutdown", "dispose"]


def test_a_second_ctrl_c_ends_a_shutdown_that_hangs(shop: Project) -> None:
    shop.write(
        "main.py",
        """
        import asyncio
        from contextlib import asynccontextmanager
        from starlette.applications import Starlette

        @asynccontextmanager
        async def lifespan(app):
            yield
            print("hanging", flush=True)
            await asyncio.sleep(1000)

        app = Starlette(lifespan=lifespan)
        """,
    )
    with shop.serve("main:app", "--hmr") as server:
        server.send_signal(signal.SIGINT)
        server.wait_for_line("hanging")
        began = time.monotonic()
        server.send_signal(signal.SIGINT)
        server.wait()
        assert time.monotonic() - began < 2.0


def test_a_startup_that_hangs_is_interrupted_by_the_next_save(shop: Project) -> None:
    shop.write(
        "main.py",
        """
        import asyncio
        from contextlib import asynccontextmanager
        from starlette.applications import Starlette
        from app import routes

        @asynccontextmanager
        async def lifespan(app):
            print("hanging", flush=True)
            await asyncio.sleep(1000)
            yield

        app = Starlette(routes=routes, lifespan=lifespan)
        """,
    )
    with shop.serve("main:app", "--hmr", banner=False) as server:
        server.wait_for_line("hanging")
        shop.edit("main.py", "await asyncio.sleep(1000)", "pass")
        server.wait_for_line(r"restart     main.py changed")


def test_requests_wait_for_the_fix_of_a_startup_that_hangs_after_a_restart(shop: Project) -> None:
    shop.write(
        "main.py",
        """
        import asyncio
        from contextlib import asynccontextmanager
        from starlette.applications import Starlette
        from app import routes

        @asynccontextmanager
        async def lifespan(app):
            if False:
                print("hanging", flush=True)
                await asyncio.sleep(1000)
            yield

        app = Starlette(routes=routes, lifespan=lifespan)
        """,
    )
    with shop.serve("main:app", "--hmr", "--no-access-log") as server:
        with Load(server, 50, keep_alive=False) as fresh, Load(server, 50, keep_alive=True) as kept:
            for load in (fresh, kept):
                load.wait_for_answer("one")
            shop.edit("main.py", "if False", "if True")
            server.wait_for_line("hanging")
            shop.write("services/greeting.py", word("two"))
            shop.edit("main.py", "if True", "if False")
            for load in (fresh, kept):
                load.wait_for_answer("two")
        for load in (fresh, kept):
            assert load.failures == []
            assert list(dict.fromkeys(load.answers)) == [(200, "one"), (200, "two")]


def test_ctrl_c_ends_a_startup_that_hangs(shop: Project) -> None:
    shop.write(
        "main.py",
        """
        import asyncio
        from contextlib import asynccontextmanager
        from starlette.applications import Starlette

        @asynccontextmanager
        async def lifespan(app):
            print("hanging", flush=True)
            await asyncio.sleep(1000)
            yield

        app = Starlette(lifespan=lifespan)
        """,
    )
    with shop.serve("main:app", "--hmr", banner=False) as server:
        server.wait_for_line("hanging")
        began = time.monotonic()
        server.send_signal(signal.SIGINT)
        server.wait()
        assert time.monotonic() - began < 2.0


def test_sigterm_ends_the_process_as_uvicorn_does(shop: Project) -> None:
    with shop.serve("app:routes", "--hmr") as server:
        server.send_signal(signal.SIGTERM)
        assert server.wait() == -signal.SIGTERM


# -- without --hmr -----------------------------------------------------------------------------------------------------


def test_without_hmr_it_is_plain_uvicorn_and_a_save_changes_nothing(shop: Project) -> None:
    with shop.serve("app:routes") as server:
        assert server.get("/").text == "one"
        shop.write("services/greeting.py", word("two"))
        assert server.get("/").text == "one"
        assert "Application startup complete" in server.text


def test_without_hmr_a_target_that_cannot_be_imported_ends_the_command(project: Project) -> None:
    with project.serve("nowhere:routes", banner=False) as server:
        assert server.wait() == 1
        assert "no module named 'nowhere'" in server.text


@pytest.mark.parametrize("options", [(), ("--hmr",)])
def test_a_factory_is_called(shop: Project, options: tuple[str, ...]) -> None:
    shop.write("main.py", "from app import routes\n\ndef make():\n    return routes\n")
    with shop.serve("main:make", "--factory", *options) as server:
        assert server.get("/").text == "one"
