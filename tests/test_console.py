"""What the terminal shows, word for word."""

from __future__ import annotations

import io
import logging
import re

import pytest

from hotserve.failure import Failure
from hotserve.terminal.console import Console, duration, wants_colors


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def failure(**changes: object) -> Failure:
    fields: dict[str, object] = {
        "kind": "SyntaxError",
        "message": "'(' was never closed",
        "file": "/p/controllers/users.py",
        "place": "controllers/users.py",
        "line": 14,
        "reference": "controllers.users:index",
        "owner": 'Route("/users")',
        "excerpt": (),
        "frames": "",
        "traceback": "",
    }
    return Failure(**{**fields, **changes})  # type: ignore[arg-type]


def lines_of(stream: io.StringIO) -> list[str]:
    """The lines written, with the time of day replaced by its form."""
    return [re.sub(r"^\d\d:\d\d:\d\d ", "HH:MM:SS ", line) for line in stream.getvalue().splitlines()]


def test_the_banner() -> None:
    stream = io.StringIO()
    Console(stream).banner("0.3.0", "http://127.0.0.1:8000", 0.212, 14, 3)
    assert stream.getvalue() == (
        "  hotserve 0.3.0  http://127.0.0.1:8000  ready in 212 ms  (hot: 14 boundaries, 3 imported so far)\n"
    )


def test_one_boundary_is_not_called_boundaries() -> None:
    stream = io.StringIO()
    Console(stream).banner("0.3.0", "http://127.0.0.1:8000", 0.212, 1, 0)
    assert "(hot: 1 boundary, 0 imported so far)" in stream.getvalue()


def test_the_lines_of_updates_are_aligned() -> None:
    stream = io.StringIO()
    console = Console(stream)
    console.hot_update("services/users.py → controllers.users, controllers.admin  4 modules", 0.0031)
    console.restarted(".env changed (restart pattern)", 0.241)
    console.note("scripts/seed.py  not imported by anything so far")
    console.warn("the limit of inotify watches is reached")
    assert lines_of(stream) == [
        "HH:MM:SS hot update  services/users.py → controllers.users, controllers.admin  4 modules  3.1 ms",
        "HH:MM:SS restart     .env changed (restart pattern)  241 ms",
        "HH:MM:SS note        scripts/seed.py  not imported by anything so far",
        "HH:MM:SS warning     the limit of inotify watches is reached",
    ]


@pytest.mark.parametrize(
    ("connections", "text"),
    [
        (0, "HH:MM:SS hot update  a.py  1 module  0.5 ms"),
        (1, "HH:MM:SS hot update  a.py  1 module  0.5 ms  (1 open connection stays on the old version)"),
        (2, "HH:MM:SS hot update  a.py  1 module  0.5 ms  (2 open connections stay on the old version)"),
    ],
)
def test_open_connections_on_the_old_version_are_counted(connections: int, text: str) -> None:
    stream = io.StringIO()
    Console(stream).hot_update("a.py  1 module", 0.0005, connections)
    assert lines_of(stream) == [text]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.0 ms"),
        (0.00314, "3.1 ms"),
        (0.00994, "9.9 ms"),
        (0.00996, "10 ms"),
        (0.2406, "241 ms"),
        (12.3, "12300 ms"),
    ],
)
def test_a_duration_has_a_decimal_below_ten_milliseconds(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_an_error_names_its_place_and_shows_the_frames_of_the_project() -> None:
    stream = io.StringIO()
    Console(stream).failed(failure(frames='File "/p/controllers/users.py", line 14\n    x = ('))
    assert lines_of(stream) == [
        "HH:MM:SS error       controllers/users.py:14 SyntaxError: '(' was never closed    serving the error page",
        '  File "/p/controllers/users.py", line 14',
        "      x = (",
    ]


def test_only_the_first_line_of_a_long_message_is_in_the_line() -> None:
    stream = io.StringIO()
    Console(stream).failed(failure(kind="ValidationError", message="2 errors\nfield a\nfield b", line=None))
    assert lines_of(stream) == ["HH:MM:SS error       ValidationError: 2 errors    serving the error page"]


def test_the_same_error_is_said_once_until_something_is_saved() -> None:
    stream = io.StringIO()
    console = Console(stream)
    console.failed(failure())
    console.failed(failure())
    assert len(lines_of(stream)) == 1
    console.hot_update("controllers/users.py  1 module", 0.001)
    console.failed(failure())
    assert len(lines_of(stream)) == 3


def test_colours_only_on_a_terminal() -> None:
    assert wants_colors(Terminal(), {})
    assert not wants_colors(io.StringIO(), {})
    assert not wants_colors(Terminal(), {"NO_COLOR": "1"})
    assert wants_colors(Terminal(), {"NO_COLOR": ""})
    assert not wants_colors(Terminal(), {"TERM": "dumb"})


def test_an_explicit_choice_of_colours_wins() -> None:
    colored, plain = io.StringIO(), Terminal()
    Console(colored, use_colors=True, environ={"NO_COLOR": "1"}).note("x")
    Console(plain, use_colors=False, environ={}).note("x")
    assert "\x1b[" in colored.getvalue()
    assert "\x1b[" not in plain.getvalue()


def test_the_log_level_leaves_out_what_went_well() -> None:
    stream = io.StringIO()
    console = Console(stream, level=logging.ERROR)
    console.banner("0.3.0", "http://127.0.0.1:8000", 0.2, 1, 1)
    console.hot_update("a.py", 0.001)
    console.warn("careful")
    assert stream.getvalue() == ""
    console.failed(failure())
    assert len(lines_of(stream)) == 1


def test_a_terminal_that_is_gone_does_not_stop_the_server() -> None:
    stream = io.StringIO()
    console = Console(stream)
    stream.close()
    console.note("nobody hears this")
