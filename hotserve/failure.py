"""What a person needs to know of an exception: where to look, what happened, who asked. Plain text, no references.

The error page and the terminal both show one of these. It is taken when the exception is caught and keeps no traceback:
a traceback holds the frames of a module that failed, and with them every version it imported.
"""

from __future__ import annotations

import importlib
import io
import tokenize
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hotserve.config import Config
from hotserve.errors import AttributeNotFound, HotserveError, LoadError, ModuleNotFound

_OWN_FILES = str(Path(__file__).parent)

# Lines shown before and after the one that failed.
_CONTEXT = 5


@dataclass(frozen=True, slots=True)
class SourceLine:
    """One line of an excerpt; `marked` is the one to look at."""

    number: int
    text: str
    marked: bool


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception as people see it.

    kind:      the name of its type, "SyntaxError"
    message:   what it says
    file:      the file to look at, absolute, or None
    place:     that file as shown, "controllers/users.py"
    line:      the line in it, or None
    reference: the reference that could not be loaded, or ""
    owner:     what declared the reference, 'Route("/users")', or ""
    excerpt:   the lines around the place
    frames:    the traceback through the project's own files
    traceback: the traceback without the import system's frames and hotserve's
    """

    kind: str
    message: str
    file: str | None
    place: str
    line: int | None
    reference: str
    owner: str
    excerpt: tuple[SourceLine, ...]
    frames: str
    traceback: str

    @property
    def summary(self) -> str:
        """One line: `controllers/users.py:14 SyntaxError: '(' was never closed`."""
        first = self.message.splitlines()[0] if self.message else ""
        what = f"{self.kind}: {first}" if first else self.kind
        return f"{self.place}:{self.line} {what}" if self.line is not None else what


def failure_of(error: BaseException, config: Config) -> Failure:
    """Describe `error`; for one of hotserve's own, the exception that caused it."""
    reference, owner = (error.reference, error.owner) if isinstance(error, LoadError) else ("", "")
    if isinstance(error, (ModuleNotFound, AttributeNotFound)) or (isinstance(error, LoadError) and not error.__cause__):
        # Nothing in a file is wrong but the name; its message says everything, a traceback would show hotserve's own.
        file = error.file
        return Failure(
            kind=type(error).__name__,
            message=str(error),
            file=file,
            place=config.display(file) if file else "",
            line=None,
            reference=reference,
            owner=owner,
            excerpt=(),
            frames="",
            traceback="",
        )
    cause = error.__cause__ if isinstance(error, HotserveError) and error.__cause__ is not None else error
    file, line = _place(cause, config)
    return Failure(
        kind=type(cause).__name__,
        message=str(cause.msg) if isinstance(cause, SyntaxError) else str(cause),
        file=file,
        place=config.display(file) if file else "",
        line=line,
        reference=reference,
        owner=owner,
        excerpt=_excerpt(file, line),
        frames=_format(cause, config, project_only=True),
        traceback=_format(cause, config, project_only=False),
    )


def _place(error: BaseException, config: Config) -> tuple[str | None, int | None]:
    """Where to mend it: the innermost line of the project, or of whatever there is."""
    if isinstance(error, SyntaxError) and error.filename:
        return error.filename, error.lineno
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_machinery(frame.filename)]
    project = [frame for frame in frames if config.is_tracked(frame.filename)]
    for frame in reversed(project or frames):
        return frame.filename, frame.lineno
    return None, None


def _is_machinery(file: str) -> bool:
    return file.startswith(("<frozen ", _OWN_FILES)) or file == importlib.__file__


def _format(error: BaseException, config: Config, *, project_only: bool) -> str:
    described = traceback.TracebackException.from_exception(error)
    seen: set[int] = set()

    def keep(file: str) -> bool:
        return config.is_tracked(file) if project_only else not _is_machinery(file)

    def strip(part: Any) -> None:
        if part is None or id(part) in seen:
            return
        seen.add(id(part))
        frames = [frame for frame in part.stack or () if keep(frame.filename)]
        # None, not an empty list: the latter still prints "Traceback (most recent call last):".
        part.stack = traceback.StackSummary.from_list(frames) if frames else None
        strip(part.__cause__)
        strip(part.__context__)
        for member in getattr(part, "exceptions", None) or ():
            strip(member)

    strip(described)
    return "".join(described.format()).rstrip()


def _excerpt(file: str | None, line: int | None) -> tuple[SourceLine, ...]:
    if file is None or line is None:
        return ()
    try:
        with open(file, "rb") as source:
            data = source.read()
    except OSError:
        return ()
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    except SyntaxError:
        encoding = "utf-8"
    lines = data.decode(encoding, errors="replace").splitlines()
    first, last = max(1, line - _CONTEXT), min(len(lines), line + _CONTEXT)
    return tuple(SourceLine(number, lines[number - 1], number == line) for number in range(first, last + 1))
