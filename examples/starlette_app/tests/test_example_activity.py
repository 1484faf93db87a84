"""The stream of what happened, and the job that forgets it.

A test client waits for the end of an answer, and a stream has none: these tests speak ASGI.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys

import pytest

DEADLINE = 20.0  # seconds


class Stream:
    """An open request to /activity."""

    def __init__(self, app, headers):
        self._messages: asyncio.Queue[dict] = asyncio.Queue()
        self._gone = asyncio.Event()
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/activity",
            "root_path": "",
            "query_string": b"",
            "headers": [(b"host", b"testserver"), *headers],
        }
        self.task = asyncio.create_task(app(scope, self._receive, self._messages.put))

    async def _receive(self):
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def message(self):
        return await asyncio.wait_for(self._messages.get(), DEADLINE)

    async def text(self):
        return (await self.message())["body"].decode()

    async def entry(self):
        """The data of the next event, and its id."""
        found = re.fullmatch(r"id: (\d+)\nevent: activity\ndata: (.*)\n\n", await self.text())
        assert found is not None
        return int(found[1]), json.loads(found[2])

    async def leave(self):
        self._gone.set()
        await asyncio.wait_for(self.task, DEADLINE)


@contextlib.asynccontextmanager
async def opened(app, *headers):
    stream = Stream(app, headers)
    start = await stream.message()
    assert start["status"] == 200
    sent = dict(start["headers"])
    assert sent[b"content-type"].startswith(b"text/event-stream")
    assert sent[b"cache-control"] == b"no-store"
    assert await stream.text() == "retry: 200\n\n"
    try:
        yield stream
    finally:
        await stream.leave()


@pytest.fixture
def change_of(packing_app):
    """A change to an item, without a request: these tests have an event loop of their own."""

    def change(item_id, **values):
        from services import packing

        packing.change(item_id, values)

    return change


def test_the_first_event_is_the_latest_that_happened(client, packing_app):
    client.patch("/api/items/7", json={"packed": True})

    async def first_event():
        async with opened(packing_app.app) as stream:
            return await stream.entry()

    entry_id, entry = asyncio.run(first_event())
    assert (entry_id, entry["id"], entry["text"]) == (1, 1, "Headlamp was packed")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", entry["at"])


def test_what_happens_is_sent_as_it_happens(packing_app, change_of):
    async def run():
        async with opened(packing_app.app) as one, opened(packing_app.app) as two:
            change_of(7, packed=True)
            change_of(8, quantity=2)
            for stream in (one, two):
                assert [(await stream.entry())[1]["text"] for _ in range(2)] == [
                    "Headlamp was packed",
                    "Plasters was changed",
                ]

    asyncio.run(run())


def test_a_stream_that_was_cut_off_goes_on_where_it_was(packing_app, change_of):
    async def run():
        for quantity in (5, 6, 7):
            change_of(8, quantity=quantity)
        async with opened(packing_app.app, (b"last-event-id", b"2")) as stream:
            assert (await stream.entry())[0] == 3
        async with opened(packing_app.app, (b"last-event-id", b"nonsense")) as stream:
            assert (await stream.entry())[0] == 1

    asyncio.run(run())


def test_silence_is_broken_before_a_proxy_gives_up(packing_app):
    async def run():
        async with opened(packing_app.app):
            pass  # imports the controller
        sys.modules["controllers.activity"].KEEP_ALIVE = 0.001
        async with opened(packing_app.app) as stream:
            assert await stream.text() == ": still here\n\n"

    asyncio.run(run())


def test_the_streams_end_when_their_code_is_replaced(packing_app):
    async def run():
        async with opened(packing_app.app) as stream:
            sys.modules["controllers.activity"].end_streams()
            last = await stream.message()
            assert (last["body"], last["more_body"]) == (b"", False)
            await asyncio.wait_for(stream.task, DEADLINE)

    asyncio.run(run())


def test_a_stream_that_was_left_is_forgotten(packing_app):
    async def run():
        async with opened(packing_app.app):
            assert len(sys.modules["controllers.activity"]._open) == 1
        assert sys.modules["controllers.activity"]._open == set()
        assert sys.modules["services.hub"]._listeners == {}

    asyncio.run(run())


def test_the_log_on_the_page_is_as_short_as_the_page(packing_app, change_of):
    for quantity in range(2, 22):
        change_of(8, quantity=quantity)
    from services import activity

    assert [entry["id"] for entry in activity.recent()] == list(range(13, 21))


def test_the_sweep_forgets_what_is_older_than_a_week(packing_app, change_of):
    change_of(7, packed=True)
    change_of(8, packed=True)
    from services import activity
    from services.database import connection

    connection.execute("UPDATE activity SET at = strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-8 days') WHERE id = 1")
    assert asyncio.run(_swept(packing_app)) == 1
    assert [entry["text"] for entry in activity.recent()] == ["Plasters was packed"]


def test_the_lifespan_sweeps_and_a_sweep_that_fails_is_not_the_last(packing_app, change_of, monkeypatch, caplog):
    async def run():
        import jobs.sweep

        rounds = []
        third = asyncio.Event()

        async def sweep():
            rounds.append(len(rounds))
            if len(rounds) == 1:
                raise RuntimeError("broken")
            if len(rounds) == 3:
                third.set()

        monkeypatch.setattr(jobs.sweep, "sweep", sweep)
        monkeypatch.setattr(packing_app, "SWEEP_EVERY", 0.001)
        async with packing_app.lifespan(packing_app.app):
            await asyncio.wait_for(third.wait(), DEADLINE)

    asyncio.run(run())
    assert "the sweep failed" in caplog.text


async def _swept(packing_app):
    return await packing_app.sweep()
