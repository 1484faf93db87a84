"""Everyone who is connected at present, and a way to tell them something."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

from hotserve import hot

Event = dict[str, Any]

# A queue of events for each open WebSocket and stream, and the name of the person at its other end, "" for a stream.
# Kept: whoever is connected stays connected when this module is replaced. Plain objects, so that old and new versions
# understand each other.   {<Queue>: "Quiet Otter", <Queue>: ""}
_listeners: dict[asyncio.Queue[Event], str] = hot.keep("listeners", dict)


@contextlib.contextmanager
def listen(name: str = "") -> Iterator[asyncio.Queue[Event]]:
    """Receive the events that are published from here on. With a `name`, be seen as one of the people."""
    queue: asyncio.Queue[Event] = asyncio.Queue()
    _listeners[queue] = name
    _tell_who_is_here(name)
    try:
        yield queue
    finally:
        del _listeners[queue]
        _tell_who_is_here(name)


def publish(event: Event) -> None:
    """Send an event to every listener. To be called on the event loop."""
    for queue in _listeners:
        queue.put_nowait(event)


def people() -> list[str]:
    """The names of those who have the page open."""
    return sorted(name for name in _listeners.values() if name)


def _tell_who_is_here(name: str) -> None:
    if name:
        publish({"type": "people", "names": people()})
