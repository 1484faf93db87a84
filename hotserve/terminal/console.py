"""The lines that hotserve writes to the terminal: one per save, quiet otherwise, none twice."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Mapping
from typing import TextIO

from hotserve.failure import Failure

# SGR parameters of the terminal colours; what each stands for.
_BOLD, _DIM, _RED, _GREEN, _YELLOW, _CYAN = "1", "2", "31", "32", "33", "36"


class Console:
    """Writes to `stream` (standard error), each line at once.

    use_colors: True or False decides; None means "if it is a terminal and NO_COLOR is not set"
    level:      a `logging` level; lines about what went well are left out above INFO, as uvicorn does with its own
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        use_colors: bool | None = None,
        level: int = logging.INFO,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._colors = wants_colors(self._stream, environ) if use_colors is None else use_colors
        self._level = level
        # The failure that was said last; said again only after something else was saved.
        self._last_failure: Failure | None = None

    def banner(self, version: str, url: str, seconds: float, boundaries: int, imported: int) -> None:
        """The first line: which version, where, how long it took, and what is hot."""
        hot = f"(hot: {count(boundaries, 'boundary', 'boundaries')}, {imported} imported so far)"
        name = self._paint(f"hotserve {version}", _BOLD)
        ready = f"ready in {duration(seconds)}"
        self._info(f"  {name}  {self._paint(url, _CYAN)}  {self._paint(ready, _DIM)}  {self._paint(hot, _DIM)}")

    def hot_update(self, what: str, seconds: float, open_connections: int = 0) -> None:
        """A hot update was done. `what` is the update as text; `open_connections` still run an old version."""
        line = f"{what}  {duration(seconds)}"
        if open_connections:
            keep = "connection stays" if open_connections == 1 else "connections stay"
            line += f"  ({open_connections} open {keep} on the old version)"
        self._event("hot update", _GREEN, line)

    def restarted(self, reason: str, seconds: float) -> None:
        """The process has replaced itself, for `reason`, and serves again."""
        self._event("restart", _YELLOW, f"{reason}  {duration(seconds)}")

    def failed(self, failure: Failure, consequence: str = "serving the error page") -> None:
        """Something could not be loaded: its place, what happened, and the traceback through the project."""
        if failure == self._last_failure:
            return
        self._last_failure = failure
        line = self._timed("error", _RED, f"{failure.summary}    {self._paint(consequence, _DIM)}")
        frames = "".join(f"\n  {frame}" for frame in failure.frames.splitlines())
        self._write(logging.ERROR, line + frames)

    def note(self, text: str) -> None:
        """Something worth knowing about a save."""
        self._event("note", _DIM, text)

    def warn(self, text: str) -> None:
        """Something that a person should act on."""
        self._write(logging.WARNING, self._timed("warning", _YELLOW, text))

    def problem(self, text: str) -> None:
        """hotserve cannot go on, and why."""
        self._write(logging.CRITICAL, f"{self._paint('hotserve:', _RED)} {text}")

    def _event(self, label: str, color: str, text: str) -> None:
        self._last_failure = None
        self._info(self._timed(label, color, text))

    def _timed(self, label: str, color: str, text: str) -> str:
        clock = self._paint(time.strftime("%H:%M:%S"), _DIM)
        return f"{clock} {self._paint(label.ljust(12), color)}{text}"

    def _paint(self, text: str, color: str) -> str:
        return f"\x1b[{color}m{text}\x1b[0m" if self._colors else text

    def _info(self, line: str) -> None:
        self._write(logging.INFO, line)

    def _write(self, level: int, line: str) -> None:
        if level < self._level:
            return
        try:
            # One write, so that lines of other threads do not end up inside it.
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            # The terminal is gone or was closed: there is nobody to tell, and serving goes on.
            return


def wants_colors(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether to colour what is written to `stream`; see https://no-color.org."""
    return not environ.get("NO_COLOR") and environ.get("TERM") != "dumb" and stream.isatty()


def duration(seconds: float) -> str:
    """Milliseconds with one decimal below ten, whole ones from there: "3.1 ms", "241 ms"."""
    milliseconds = seconds * 1000
    return f"{milliseconds:.1f} ms" if milliseconds < 9.95 else f"{milliseconds:.0f} ms"


def count(number: int, one: str, many: str) -> str:
    """ "1 boundary", "2 boundaries"."""
    return f"{number} {one if number == 1 else many}"
