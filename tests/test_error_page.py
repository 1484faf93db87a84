"""The error page, asked directly: what it answers, in which form, and that nothing in it is markup of the project's."""

from __future__ import annotations

import asyncio
import gc
import importlib
import sys
import weakref
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

import httpx
import pytest

from hotserve.browser.error_page import ErrorPage
from hotserve.config import Config
from hotserve.errors import LoadError
from hotserve.failure import Failure, failure_of
from hotserve.reference import Reference, load


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    folder = tmp_path.resolve()
    monkeypatch.syspath_prepend(str(folder))
    return Config(root=folder, pyproject=None, app_dir=folder)


def load_error(config: Config, name: str, source: str, attr: str = "index") -> LoadError:
    """The error of loading `name:attr` from a module with this source."""
    (config.root / f"{name}.py").write_text(source)
    importlib.invalidate_caches()
    try:
        with pytest.raises(LoadError) as caught:
            load(Reference(name, attr), 'Route("/users")')
        return caught.value
    finally:
        sys.modules.pop(name, None)


def get(app: ErrorPage, accept: str = "*/*", method: str = "GET") -> httpx.Response:
    async def request() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as client:
            return await client.request(method, "/users", headers={"accept": accept})

    return asyncio.run(request())


BROKEN = "import os\n\ndef f():\n    return {}['<b>missing</b>']\n\nf()\n"


def test_plain_text_names_the_error_the_place_and_who_needs_it(config: Config) -> None:
    answer = get(ErrorPage(load_error(config, "broken_text", BROKEN), config))
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    lines = answer.text.splitlines()
    assert lines[0] == "KeyError: '<b>missing</b>'"
    assert "file       broken_text.py, line 4" in lines
    assert "reference  broken_text:index" in lines
    assert 'needed by  Route("/users")' in lines
    assert ">     4      return {}['<b>missing</b>']" in lines
    assert "      6  f()" in lines
    assert "importlib" not in answer.text


def test_html_for_whoever_accepts_it_with_everything_escaped(config: Config) -> None:
    answer = get(ErrorPage(load_error(config, "broken_html", BROKEN), config), accept="text/html,*/*;q=0.8")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<b>missing" not in answer.text
    assert "&lt;b&gt;missing&lt;/b&gt;" in answer.text
    assert 'class="row marked"><span class="number">4</span>' in answer.text


def test_every_field_of_a_failure_is_escaped(config: Config) -> None:
    app = ErrorPage(RuntimeError("x"), config)
    evil = "<script>alert(1)</script>$style"
    app.failure = Failure(evil, evil, evil, evil, 1, evil, evil, (), evil, evil)
    tags: list[str] = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            tags.append(tag)

    Tags().feed(get(app, accept="text/html").text)
    assert "script" not in tags
    assert "main" in tags


def test_the_page_loads_nothing_from_elsewhere() -> None:
    folder = resources.files("hotserve.browser").joinpath("static")
    for name in ("error.html", "error.css"):
        text = folder.joinpath(name).read_text("utf-8")
        assert "//" not in text.replace("https://no-color.org", ""), name
    assert "prefers-color-scheme: dark" in folder.joinpath("error.css").read_text("utf-8")


def test_a_syntax_error_is_shown_at_its_line(config: Config) -> None:
    failure = failure_of(load_error(config, "broken_syntax", "x = 1\ny = (\n"), config)
    assert failure.summary == "broken_syntax.py:2 SyntaxError: '(' was never closed"
    assert [row.number for row in failure.excerpt if row.marked] == [2]
    assert "Traceback" not in failure.frames


def test_the_innermost_line_of_the_project_counts_not_the_library_it_called(config: Config) -> None:
    failure = failure_of(load_error(config, "calls_library", "import json\n\njson.loads('{')\n"), config)
    assert failure.summary.startswith("calls_library.py:3 JSONDecodeError: ")
    assert "decoder.py" not in failure.frames
    assert "decoder.py" in failure.traceback


def test_a_missing_attribute_needs_no_traceback(config: Config) -> None:
    failure = failure_of(load_error(config, "no_attribute", "def index(): ...\n", "indx"), config)
    assert failure.kind == "AttributeNotFound"
    assert "Did you mean 'index'?" in failure.message
    assert failure.traceback == ""


def test_a_chain_of_exceptions_is_shown_whole(config: Config) -> None:
    source = "try:\n    1 / 0\nexcept ZeroDivisionError as exc:\n    raise RuntimeError('no rate') from exc\n"
    text = get(ErrorPage(load_error(config, "chained", source), config)).text
    assert "ZeroDivisionError: division by zero" in text
    assert "The above exception was the direct cause" in text
    assert "RuntimeError: no rate" in text


def test_a_file_that_is_not_text_is_shown_without_an_excerpt_of_it_failing(config: Config) -> None:
    (config.root / "binary_file.py").write_bytes(b"x = 1\n\xff\xfe = 2\n")
    importlib.invalidate_caches()
    with pytest.raises(LoadError) as caught:
        load(Reference("binary_file", "index"))
    assert get(ErrorPage(caught.value, config), accept="text/html").status_code == 500


def test_head_has_no_body(config: Config) -> None:
    answer = get(ErrorPage(RuntimeError("x"), config), method="HEAD")
    assert answer.status_code == 500
    assert answer.content == b""


def test_a_websocket_is_refused(config: Config) -> None:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(ErrorPage(ValueError("x"), config)({"type": "websocket", "headers": []}, receive, send))
    assert sent == [{"type": "websocket.close", "code": 1011, "reason": "ValueError"}]


def test_the_page_does_not_keep_what_the_failed_import_held(config: Config) -> None:
    class Big:
        pass

    def fail() -> ErrorPage:
        big = Big()
        references.append(weakref.ref(big))
        try:
            raise ValueError("x")
        except ValueError as error:
            return ErrorPage(error, config)

    references: list[weakref.ref[Big]] = []
    page = fail()
    gc.collect()
    assert references[0]() is None
    assert page.failure.kind == "ValueError"
