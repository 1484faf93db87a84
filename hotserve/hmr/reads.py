"""Files that a module opens and folders that it lists while it executes, by the audit events of PEP 578."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

# Called with the absolute path that was opened for reading, or that of a folder that was listed (True).
Reader = Callable[[str, bool], None]

# An audit hook cannot be removed, so there is one for all, asleep while nobody listens: (listens now?, reader).
_readers: list[tuple[Callable[[], bool], Reader]] = []
_hooked = False
_EVENTS = frozenset({"open", "os.listdir", "os.scandir"})


def listen(listening: Callable[[], bool], reader: Reader) -> None:
    """Tell `reader`, in the thread that reads, of every path that is read while `listening()`."""
    global _hooked
    _readers.append((listening, reader))
    if not _hooked:
        _hooked = True
        sys.addaudithook(_audit)


def silence(reader: Reader) -> None:
    """Tell `reader` no more."""
    _readers[:] = [each for each in _readers if each[1] != reader]


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if event in _EVENTS:
        for listening, reader in _readers:
            if listening():
                path = _path_read(event, args)
                if path is not None:
                    reader(path, event != "open")


def _path_read(event: str, args: tuple[Any, ...]) -> str | None:
    path = args[0] if args else None
    if event == "open":
        if not _is_read(args):
            return None
    elif path is None:
        path = os.curdir
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    if not isinstance(path, str):
        return None
    try:
        return os.path.abspath(path)
    except OSError:  # the working directory is gone
        return None


def _is_read(args: tuple[Any, ...]) -> bool:
    """Was the file opened to be read only? The audit event `open` gives (path, mode, flags)."""
    mode, flags = args[1], args[2]
    if isinstance(mode, str):
        return not any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND) == 0
