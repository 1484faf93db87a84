"""The example in a real browser: what a person with two tabs open sees while the code under them is saved.

Chromium is the system's, driven by Playwright. Without either, these tests are skipped; under CI=true they fail.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn
from urllib.parse import urlsplit

import pytest

from tests.conftest import DEADLINE, Project, Server

PLAYWRIGHT = importlib.util.find_spec("playwright")
CHROMIUM = shutil.which("chromium")

if TYPE_CHECKING or PLAYWRIGHT is not None:
    from playwright.sync_api import (
        Browser,
        ConsoleMessage,
        Frame,
        Locator,
        Page,
        Request,
        WebSocket,
        expect,
        sync_playwright,
    )

EXAMPLE = Path(__file__).parent.parent / "examples" / "starlette_app"

MILLISECONDS = DEADLINE * 1000

FLAGS = [
    # Root has no sandbox in Chromium, and a container is usually root's.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Whatever it would like to ask elsewhere, nothing leaves the machine.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]

PAGES = "controllers/pages.py"


class Seen(NamedTuple):
    """What a tab has seen since it was opened; by default, nothing that its user could notice."""

    loads: int = 1
    sockets: int = 1
    closed_sockets: int = 0
    streams: int = 1
    problems: tuple[str, ...] = ()


class Tab:
    """A tab with the example's page in it, and what it did since it was opened.

    problems: errors and warnings of its console, and exceptions that nobody caught
    loads:    URLs of the pages that it has loaded; a second one means that the page was loaded again
    requests: all that it has asked for, without the WebSockets
    sockets:  its WebSockets, the oldest first
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.problems: list[str] = []
        self.loads: list[str] = []
        self.requests: list[Request] = []
        self.sockets: list[WebSocket] = []
        page.set_default_timeout(MILLISECONDS)
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("framenavigated", self._on_navigated)
        # Playwright takes no built-in method.
        page.on("request", lambda request: self.requests.append(request))
        page.on("websocket", lambda socket: self.sockets.append(socket))
        page.goto(url)
        self.expect_open()

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(f"{message.type}: {message.text} ({message.location.get('url')})")

    def _on_navigated(self, frame: Frame) -> None:
        if frame is self.page.main_frame:
            self.loads.append(frame.url)

    @property
    def headline(self) -> Locator:
        return self.page.locator("h1")

    @property
    def log(self) -> Locator:
        """The entries under "What happened", the newest first; the event stream brings them."""
        return self.page.locator("#activity li")

    @property
    def streams(self) -> list[Request]:
        """Its event streams, the oldest first."""
        return [request for request in self.requests if request.resource_type == "eventsource"]

    def checkbox(self, name: str) -> Locator:
        return self.page.locator(".item", has_text=name).get_by_role("checkbox")

    def tick(self, name: str) -> None:
        # In one step, unlike a press and a release of the mouse: the list may be drawn anew between the two.
        self.checkbox(name).dispatch_event("click")

    def expect_open(self) -> None:
        """Its WebSocket is open, and the server has said who is there."""
        expect(self.page.locator("#people")).to_have_attribute("data-state", "open")

    def expect_ticked(self, name: str) -> None:
        expect(self.checkbox(name)).to_be_checked()

    def expect_logged(self, text: str) -> None:
        expect(self.log.first).to_contain_text(text)

    def expect_headline(self, text: str) -> None:
        expect(self.headline).to_have_text(text)

    @property
    def seen(self) -> Seen:
        closed = sum(socket.is_closed() for socket in self.sockets)
        return Seen(len(self.loads), len(self.sockets), closed, len(self.streams), tuple(self.problems))


OpenTab = Callable[[], Tab]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A headless Chromium with a new, empty profile."""
    if PLAYWRIGHT is None:
        missing("Playwright is not installed: pip install playwright")
    if CHROMIUM is None:
        missing("there is no chromium on PATH: apt-get install chromium")
    expect.set_options(timeout=MILLISECONDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=MILLISECONDS)
        yield browser
        browser.close()


def missing(reason: str) -> NoReturn:
    # Where nobody looks at the output, a test that is skipped would never be missed.
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture
def server(project: Project) -> Iterator[Server]:
    """The example, copied into the project, served by the real command."""
    left_out = shutil.ignore_patterns("__pycache__", ".*", "data", "tests")
    shutil.copytree(EXAMPLE, project.folder, ignore=left_out, dirs_exist_ok=True)
    with project.serve("app:app", "--hmr", environ={"PACKING_DB": ""}) as server:
        yield server


@pytest.fixture
def open_tab(chromium: Browser, server: Server) -> Iterator[OpenTab]:
    """Opens the example's page in a new tab; all tabs of a test belong to one browser window."""
    with chromium.new_context() as context:
        yield lambda: Tab(context.new_page(), server.url)


@pytest.fixture
def save(project: Project, server: Server) -> Callable[[str, str, str], None]:
    """Edits a file, as Project.edit, and waits until the terminal says that the update was done."""

    def save(name: str, old: str, new: str) -> None:
        before = len(server.lines)
        project.edit(name, old, new)
        server.wait_for_line(rf"hot update +{re.escape(name)} ", after=before)

    return save


Save = Callable[[str, str, str], None]


def test_the_page_loads_without_a_complaint_and_asks_nobody_else(open_tab: OpenTab, server: Server) -> None:
    tab = open_tab()
    tab.expect_headline("Cabin weekend")
    expect(tab.page.locator("#people")).to_contain_text("Open a second tab!")
    asked = [*(request.url for request in tab.requests), *(socket.url for socket in tab.sockets)]
    assert {urlsplit(url).netloc for url in asked} == {f"127.0.0.1:{server.port}"}
    assert {urlsplit(url).path for url in asked} >= {"/", "/static/style.css", "/static/app.js", "/activity", "/live"}
    assert tab.seen == Seen()


def test_a_saved_headline_is_there_when_the_page_is_loaded_again(open_tab: OpenTab, save: Save) -> None:
    tab = open_tab()
    tab.expect_headline("Cabin weekend")
    save(PAGES, "Cabin weekend", "Two weeks by the sea")
    tab.page.reload()
    tab.expect_headline("Two weeks by the sea")
    assert tab.page.title() == "Two weeks by the sea"
    assert tab.problems == []


def test_a_saved_service_answers_the_next_press_of_a_button(open_tab: OpenTab, save: Save) -> None:
    tab = open_tab()
    suggest, what = tab.page.get_by_role("button", name="Suggest something"), tab.page.get_by_label("What", exact=True)
    suggest.click()
    expect(what).to_have_value(re.compile("[a-z]"))
    save("services/suggestions.py", "IDEAS = (", 'IDEAS = (("A lighthouse", "Play"),)\nOLD_IDEAS = (')
    suggest.click()
    expect(what).to_have_value("A lighthouse")
    assert tab.seen == Seen()


def test_two_tabs_stay_connected_while_the_code_between_them_is_saved(open_tab: OpenTab, save: Save) -> None:
    one, other = open_tab(), open_tab()
    half_typed = other.page.get_by_label("What", exact=True)
    half_typed.fill("Half a wo")
    one.tick("Headlamp")
    other.expect_ticked("Headlamp")
    other.expect_logged("Headlamp was packed")

    # What happens on a tick, two imports below the routes: neither the WebSocket nor the stream import it.
    save("services/packing.py", "was packed", "is in the bag")
    save(PAGES, "Cabin weekend", "Two weeks by the sea")
    one.tick("Sleeping bag")
    other.expect_ticked("Sleeping bag")
    other.expect_logged("Sleeping bag is in the bag")
    other.tick("Plasters")
    one.expect_ticked("Plasters")
    one.expect_logged("Plasters is in the bag")

    for tab in (one, other):
        assert tab.seen == Seen()
        tab.expect_headline("Cabin weekend")  # as long as nobody loads the page again
    expect(half_typed).to_have_value("Half a wo")


def test_a_stream_whose_own_code_is_saved_is_followed_by_a_new_one(open_tab: OpenTab, save: Save) -> None:
    one, other = open_tab(), open_tab()
    one.tick("Headlamp")
    other.expect_logged("Headlamp was packed")

    with other.page.expect_event("request", lambda request: request.resource_type == "eventsource"):
        save("controllers/activity.py", "json.dumps(entry)", "json.dumps(entry | dict(text='New code, new stream'))")
    one.tick("Sleeping bag")
    other.expect_logged("New code, new stream")
    expect(other.log).to_have_count(2)  # the entry from before is not shown twice

    assert other.seen == Seen(streams=2)


def test_what_connects_the_tabs_can_be_saved_without_parting_them(open_tab: OpenTab, save: Save) -> None:
    one, other = open_tab(), open_tab()
    save("services/hub.py", "for queue in _listeners:", "for queue in list(_listeners):")
    one.tick("Headlamp")
    other.expect_ticked("Headlamp")
    other.page.get_by_role("button", name="Wave to everyone").click()
    expect(one.page.locator("#notice")).to_contain_text("waves to you.")
    for tab in (one, other):
        # The streams import what was saved, so each is followed by a new one, sooner or later.
        assert tab.seen._replace(streams=1) == Seen()


def test_a_broken_save_shows_where_and_what_and_mending_it_heals(open_tab: OpenTab, save: Save) -> None:
    tab = open_tab()
    save(PAGES, 'HEADLINE = "Cabin weekend"', 'HEADLINE = ("Cabin weekend"')
    answer = tab.page.reload()
    assert answer is not None and answer.status == 500
    tab.expect_headline("SyntaxError")
    expect(tab.page.locator(".message")).to_have_text("'(' was never closed")
    expect(tab.page.locator(".message")).to_be_visible()
    expect(tab.page.get_by_text(re.compile(r"^controllers/pages\.py, line \d+$"))).to_be_visible()
    expect(tab.page.locator(".row.marked")).to_contain_text('HEADLINE = ("Cabin weekend"')
    expect(tab.page.locator(".row.marked")).to_be_visible()

    save(PAGES, 'HEADLINE = ("Cabin weekend"', 'HEADLINE = "Mended weekend"')
    answer = tab.page.reload()
    assert answer is not None and answer.status == 200
    tab.expect_headline("Mended weekend")
    tab.expect_open()
    # The console says so of the page, and of the icon that a browser asks for when a page names none.
    assert tab.problems and all("status of 500" in problem for problem in tab.problems), tab.problems


def test_a_page_that_is_open_survives_a_broken_save(open_tab: OpenTab, save: Save) -> None:
    one, other = open_tab(), open_tab()
    one.tick("Plasters")
    other.expect_ticked("Plasters")
    save("controllers/items.py", "class ItemEndpoint(HTTPEndpoint):", "class ItemEndpoint(HTTPEndpoint:")
    one.tick("Headlamp")
    expect(one.page.locator("#notice")).to_contain_text("The server answered 500.")
    expect(one.checkbox("Headlamp")).not_to_be_checked()

    save("controllers/items.py", "class ItemEndpoint(HTTPEndpoint:", "class ItemEndpoint(HTTPEndpoint):")
    one.tick("Headlamp")
    other.expect_ticked("Headlamp")
    assert other.seen == Seen()
    assert one.seen._replace(problems=()) == Seen()
    assert len(one.problems) == 1 and "status of 500" in one.problems[0], one.problems


def test_tabs_connect_again_by_themselves_after_a_restart(open_tab: OpenTab, project: Project, server: Server) -> None:
    one, other = open_tab(), open_tab()
    one.tick("Headlamp")
    other.expect_ticked("Headlamp")
    pid = server.pid

    before = len(server.lines)
    with one.page.expect_websocket(), other.page.expect_websocket():
        project.edit("app.py", "SWEEP_EVERY = 600.0", "SWEEP_EVERY = 300.0")
    server.wait_for_line(r"restart +app\.py ", after=before)
    for tab in (one, other):
        tab.expect_open()
        tab.expect_ticked("Headlamp")

    one.tick("Sleeping bag")
    other.expect_ticked("Sleeping bag")
    other.expect_logged("Sleeping bag was packed")
    assert server.pid == pid and server.is_running()
    for tab in (one, other):
        assert tab.sockets[0].is_closed() and not tab.sockets[-1].is_closed()
        assert len(tab.loads) == 1
        # A stream has no end of its own: it is cut off. Nothing else fails, no connection is refused.
        assert all("ERR_INCOMPLETE_CHUNKED_ENCODING" in problem for problem in tab.problems), tab.problems
