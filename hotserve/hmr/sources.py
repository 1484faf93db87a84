"""What is on disk against what is loaded: the content of files, their code objects, and whether they changed.

A file has changed when its *content* differs from what the process last took from it. Events and time stamps only say
where to look: a `touch` changes nothing, and an edit within the same second and of the same size changes everything.
"""

from __future__ import annotations

import gc
import hashlib
import os
import stat
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from types import CodeType
from typing import Final

MISSING: Final = b"missing"
_TRANSIENT = ("~", ".tmp", ".swp", ".log", ".pid", ".lock", ".db", ".sqlite", ".sqlite3", "-journal", "-wal", "-shm")
_LARGE = 4_000_000  # bytes; beyond, a data file is told by its size and time instead of its content

# What finds objects that nothing refers to any more, as long as they were not collected.
_OBSERVERS: Final = frozenset(
    {"__subclasses__", "weakref", "WeakSet", "WeakValueDictionary", "WeakKeyDictionary", "get_objects"}
)

Stamp = tuple[int, int, int]  # st_mtime_ns, st_size, st_ino


class Sources:
    """Digests of what was taken from each file, and the code objects compiled from them."""

    def __init__(self, is_ignored: Callable[[str], bool]) -> None:
        """is_ignored: is this path none of the project's business, so that it does not count in its folder?"""
        self._is_ignored = is_ignored
        # What a file held when it was last taken.   {"/project/app.py": b"\x8f…"}
        self._taken: dict[str, bytes] = {}
        # Its time stamp just before: where to look for events that were lost.
        self._stamps: dict[str, Stamp | None] = {}
        # The code compiled last from a file, and from what.   {"/project/app.py": (b"\x8f…", <code>)}
        self._code: dict[str, tuple[bytes, CodeType]] = {}
        # Files whose code can tell garbage from nothing.
        self._observers: set[str] = set()

    def take_code(self, name: str, file: str) -> CodeType:
        """The code of a module as its file stands now. Never from a .pyc: those are keyed by whole seconds and size.

        Raises what reading and compiling raise: OSError, SyntaxError, ValueError.
        """
        self._stamps[file] = _stamp(file)
        data = _read(file)
        digest = _digest(data)
        self._taken[file] = digest
        return self._compiled(name, file, data, digest)

    def compile_ahead(self, name: str, file: str) -> bool:
        """Compile a file that changed, before a request comes for it. False if it cannot be compiled."""
        try:
            data = _read(file)
            self._compiled(name, file, data, _digest(data))
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
            return False  # the import will say so to whoever needs the module
        return True

    def take(self, file: str) -> None:
        """Remember what a data file or folder holds now."""
        self._stamps[file] = _stamp(file)
        self._taken[file] = self._content(file)

    def exists(self, file: str) -> bool:
        """Is the file there now?"""
        return os.path.exists(file)

    def known(self, file: str) -> bool:
        """Has anything been taken from this file?"""
        return file in self._taken

    def changed(self, file: str) -> bool:
        """Does the file differ from what was taken from it?"""
        return self._taken.get(file) != self._content(file)

    def suspicious(self, file: str) -> bool:
        """Has the time stamp moved since the file was taken, so that `changed` is worth asking? Updates the stamp."""
        stamp = _stamp(file)
        if self._stamps.get(file, stamp) == stamp:
            return False
        self._stamps[file] = stamp
        return True

    def sees_garbage(self) -> bool:
        """Can code of the project find an unloaded class before the garbage collector does?"""
        return bool(self._observers)

    def collect(self) -> None:
        """Collect garbage, if code of the project can see it.

        Classes are cycles: until a collection, `Base.__subclasses__()` and weak sets find old versions too.
        """
        if self._observers:
            gc.collect()

    def _content(self, file: str) -> bytes:
        """A digest of what a file holds, or of the names in a folder; MISSING where there is nothing to read."""
        try:
            status = os.stat(file)
            if stat.S_ISDIR(status.st_mode):
                names = [name for name in os.listdir(file) if not _is_transient(name)]
                kept = sorted(name for name in names if not self._is_ignored(os.path.join(file, name)))
                return _digest("\0".join(kept).encode("utf-8", "replace"))
            if not stat.S_ISREG(status.st_mode):
                return MISSING  # reading a pipe would wait for its writer
            if status.st_size > _LARGE and file not in self._code:
                return repr((status.st_mtime_ns, status.st_size)).encode()
            return _digest(_read(file))
        except OSError:
            return MISSING

    def _compiled(self, name: str, file: str, data: bytes, digest: bytes) -> CodeType:
        known = self._code.get(file)
        if known is not None and known[0] == digest:
            return known[1]
        code: CodeType = SourceFileLoader(name, file).source_to_code(data, file)
        self._code[file] = (digest, code)
        if _names(code) & _OBSERVERS:
            if not self._observers:
                gc.collect()  # what was left until now, since nobody could see it
            self._observers.add(file)
        else:
            self._observers.discard(file)
        return code


def _read(file: str) -> bytes:
    with open(file, "rb", buffering=0) as stream:
        return stream.read()


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


def _is_transient(name: str) -> bool:
    """Files that come and go beside a program's own: an editor's, a database's, logs."""
    return name.startswith((".", "#")) or name.endswith(_TRANSIENT)


def _names(code: CodeType) -> set[str]:
    """Every name that a module's code uses, that of its functions and classes included."""
    names: set[str] = set()
    todo = [code]
    while todo:
        each = todo.pop()
        names.update(each.co_names)
        todo.extend(const for const in each.co_consts if isinstance(const, CodeType))
    return names


def _stamp(file: str) -> Stamp | None:
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
