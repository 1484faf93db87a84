"""The WebSocket between the tabs."""

from __future__ import annotations

import sys

import pytest


def test_a_tab_is_told_its_name_and_who_is_here(client):
    with client.websocket_connect("/live") as first:
        me = first.receive_json()["name"]
        assert first.receive_json() == {"type": "people", "names": [me]}
        with client.websocket_connect("/live") as second:
            other = second.receive_json()["name"]
            assert other != me
            both = {"type": "people", "names": sorted([me, other])}
            assert second.receive_json() == both
            assert first.receive_json() == both
        assert first.receive_json() == {"type": "people", "names": [me]}


def test_a_change_reaches_every_tab(client):
    with client.websocket_connect("/live") as first, client.websocket_connect("/live") as second:
        item = client.post("/api/items", json={"name": "Rope"}).json()
        client.patch(f"/api/items/{item['id']}", json={"packed": True})
        client.patch(f"/api/items/{item['id']}", json={"packed": True})  # changes nothing, so says nothing
        client.patch(f"/api/items/{item['id']}", json={"name": "Long rope"})
        client.patch(f"/api/items/{item['id']}", json={"quantity": 2, "packed": False})
        client.patch(f"/api/items/{item['id']}", json={"quantity": 3})
        client.delete(f"/api/items/{item['id']}")
        expected = [
            "Rope was added",
            "Rope was packed",
            "Rope became Long rope",
            "Long rope was unpacked",
            "Long rope was changed",
            "Long rope was taken off the list",
        ]
        for tab in (first, second):
            assert [_next(tab, "changed")["text"] for _ in expected] == expected


def test_a_wave_reaches_every_tab_with_the_name_of_who_waves(client):
    with client.websocket_connect("/live") as first, client.websocket_connect("/live") as second:
        name = first.receive_json()["name"]
        first.send_text("hello?")  # not a word that it knows
        first.send_text("wave")
        assert _next(first, "wave") == {"type": "wave", "name": name}
        assert _next(second, "wave") == {"type": "wave", "name": name}


def test_a_page_of_this_site_may_connect_and_one_of_another_may_not(client):
    from starlette.websockets import WebSocketDisconnect

    with client.websocket_connect("/live", headers={"origin": "http://testserver"}) as tab:
        assert tab.receive_json()["type"] == "you"
    with pytest.raises(WebSocketDisconnect):
        with client.websocket_connect("/live", headers={"origin": "http://elsewhere.example"}):
            pass


def test_whoever_leaves_is_forgotten(client):
    with client.websocket_connect("/live") as tab:
        me = tab.receive_json()["name"]
        assert tab.receive_json()["names"] == [me]
        for _ in range(3):
            with client.websocket_connect("/live"):
                assert len(_next(tab, "people")["names"]) == 2
            assert _next(tab, "people")["names"] == [me]
        assert len(sys.modules["services.hub"]._listeners) == 1


def test_names_do_not_run_out(client, packing_app):
    from services import names

    taken: list[str] = []
    for _ in range(70):
        taken.append(names.draw(taken))
    assert len(set(taken)) == 70


def _next(tab, kind):
    while (event := tab.receive_json())["type"] != kind:
        pass
    return event
