"""The log as a stream of server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from hotserve import hot
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from services import hub
from services.activity import since

KEEP_ALIVE = 15.0  # seconds; proxies close what is silent for long

# The streams that this version of the module serves.
_open: set[asyncio.Queue[hub.Event]] = set()


@hot.dispose
def end_streams() -> None:
    """A stream keeps the code that it began with, so end it: the browser connects again by itself, to the new code."""
    for queue in _open:
        queue.put_nowait({"type": "end"})


async def activity(request: Request) -> Response:
    """The latest entries, or those after Last-Event-ID, and from then on each as it happens."""
    seen = request.headers.get("last-event-id", "")
    entries = _entries(int(seen) if seen.isdecimal() else 0)
    return StreamingResponse(entries, media_type="text/event-stream", headers={"cache-control": "no-store"})


async def _entries(seen: int) -> AsyncIterator[str]:
    with hub.listen() as queue:
        _open.add(queue)
        try:
            yield "retry: 200\n\n"
            for entry in since(seen):
                yield _as_event(entry)
            while (event := await _next(queue))["type"] != "end":
                if event["type"] == "activity":
                    yield _as_event(event["entry"])
                elif event["type"] == "silence":
                    yield ": still here\n\n"
        finally:
            _open.discard(queue)


async def _next(queue: asyncio.Queue[hub.Event]) -> hub.Event:
    try:
        return await asyncio.wait_for(queue.get(), KEEP_ALIVE)
    except asyncio.TimeoutError:  # a class of its own until Python 3.11
        return {"type": "silence"}


def _as_event(entry: dict[str, Any]) -> str:
    return f"id: {entry['id']}\nevent: activity\ndata: {json.dumps(entry)}\n\n"
