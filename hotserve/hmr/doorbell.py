"""Sleeps until something happens in a watched folder, at no cost.

watchfiles has no way to sleep: it looks every so many milliseconds, and at the 1 ms that a fast save takes, its waking
up costs 2 to 3 % of a core when nothing happens, and some of the requests per second when much does. So on Linux a
second inotify instance is asked to ring; what has happened is still for watchfiles to say. See inotify(7).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import struct
import sys
import time
from collections.abc import Iterable
from typing import Any

_IN_MODIFY, _IN_ATTRIB, _IN_CLOSE_WRITE = 0x2, 0x4, 0x8
_IN_MOVED, _IN_CREATE, _IN_DELETE, _IN_SELF = 0xC0, 0x100, 0x200, 0xC00
_EVENTS = _IN_MODIFY | _IN_ATTRIB | _IN_CLOSE_WRITE | _IN_MOVED | _IN_CREATE | _IN_DELETE | _IN_SELF
# struct inotify_event: watch descriptor, mask, cookie, length of the name that follows.
_HEAD = struct.Struct("iIII")


class Doorbell:
    """Rings when something happens in one of the folders. Raises OSError where that cannot be had."""

    def __init__(self, folders: Iterable[str]) -> None:
        libc: Any = ctypes.CDLL(None, use_errno=True)
        self._inotify: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._inotify < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        self._woken, self._wake = os.pipe()
        self._poll = select.poll()
        self._poll.register(self._inotify, select.POLLIN)
        self._poll.register(self._woken, select.POLLIN)
        # Folders by their watch descriptors.
        self._folders: dict[int, str] = {}
        try:
            for folder in folders:
                watch = libc.inotify_add_watch(self._inotify, os.fsencode(folder), _EVENTS)
                if watch < 0 and os.path.isdir(folder):
                    raise OSError(ctypes.get_errno(), "inotify_add_watch", folder)
                self._folders[watch] = folder
        except OSError:
            self.close()
            raise

    def wait(self, timeout: int) -> set[str] | None:
        """Sleep until it rings, `wake` is called or `timeout` milliseconds have passed (0: no limit).

        The paths for which it rang; None if it did not ring.
        """
        return self._heard() if self._poll.poll(timeout or None) else None

    def rings_again(self, milliseconds: float) -> set[str]:
        """Sleep for some milliseconds. The paths for which it rang meanwhile."""
        time.sleep(milliseconds / 1000)  # poll(2) knows whole milliseconds only
        return self._heard()

    def _heard(self) -> set[str]:
        paths: set[str] = set()
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._inotify, 1 << 16):
                offset = 0
                while offset < len(data):
                    watch, _, _, length = _HEAD.unpack_from(data, offset)
                    offset += _HEAD.size + length
                    name = data[offset - length : offset].rstrip(b"\0")
                    paths.add(os.path.join(self._folders.get(watch, ""), os.fsdecode(name)))
        return paths

    def wake(self) -> None:
        """End every `wait` from now on. From any thread."""
        os.write(self._wake, b"!")

    def close(self) -> None:
        """Give back the file descriptors."""
        for fd in (self._inotify, self._woken, self._wake):
            os.close(fd)


def doorbell(folders: Iterable[str]) -> Doorbell | None:
    """A doorbell for these folders, where the system has one to give."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        return Doorbell(folders)
    except (OSError, AttributeError):  # limits, or a C library without inotify
        return None
