"""The WebSocket between the tabs: who is here, what has changed, and hello."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from starlette.websockets import WebSocket, WebSocketDisconnect

from services import hub, names


async def live(websocket: WebSocket) -> None:
    """Sends {"type": "you" | "people" | "changed" | "wave", ...}; understands the word "wave"."""
    if not _is_from_this_site(websocket):
        await websocket.close()  # before it is accepted: a plain 403
        return
    await websocket.accept()
    name = names.draw(hub.people())
    await websocket.send_json({"type": "you", "name": name})
    with hub.listen(name) as queue:
        sender = asyncio.create_task(_send(websocket, queue))
        try:
            async for word in websocket.iter_text():
                if word == "wave":
                    hub.publish({"type": "wave", "name": name})
        finally:
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)


async def _send(websocket: WebSocket, queue: asyncio.Queue[hub.Event]) -> None:
    while True:
        event = await queue.get()
        if event["type"] == "activity":  # that one goes to the streams
            continue
        try:
            await websocket.send_json(event)
        except (WebSocketDisconnect, RuntimeError):  # the tab was closed; the receiving side notices and leaves
            return


def _is_from_this_site(websocket: WebSocket) -> bool:
    """Whether a page of ours asks. Browsers let any site open a WebSocket to any other, and say only which it is."""
    origin = websocket.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == websocket.headers.get("host")
