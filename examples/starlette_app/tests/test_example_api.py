"""What a program sees."""

from __future__ import annotations

import pytest


def test_the_items_are_listed_in_the_order_in_which_they_were_added(client):
    answer = client.get("/api/items")
    assert answer.status_code == 200
    items = answer.json()["items"]
    assert [item["id"] for item in items] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert items[1] == {"id": 2, "name": "Wool socks", "category": "Wear", "quantity": 4, "packed": True}


def test_an_item_is_added(client):
    answer = client.post("/api/items", json={"name": "  Woolly hat ", "category": "Wear", "quantity": 2})
    assert answer.status_code == 201
    assert answer.headers["location"] == "/api/items/9"
    assert answer.json() == {"id": 9, "name": "Woolly hat", "category": "Wear", "quantity": 2, "packed": False}
    assert client.get(answer.headers["location"]).json() == answer.json()


def test_a_name_is_all_that_an_item_needs(client):
    item = client.post("/api/items", json={"name": "Rope"}).json()
    assert item == {"id": 9, "name": "Rope", "category": "Just in case", "quantity": 1, "packed": False}


def test_an_item_is_changed_where_asked_and_nowhere_else(client):
    before = client.get("/api/items/7").json()
    answer = client.patch("/api/items/7", json={"packed": True, "quantity": 3})
    assert answer.status_code == 200
    assert answer.json() == {**before, "packed": True, "quantity": 3}
    assert client.get("/api/items/7").json() == answer.json()


def test_an_item_is_removed(client):
    answer = client.delete("/api/items/7")
    assert (answer.status_code, answer.content) == (204, b"")
    assert client.get("/api/items/7").status_code == 404
    assert client.delete("/api/items/7").status_code == 404


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("name", "", "A name has 1 to 60 characters."),
        ("name", "   ", "A name has 1 to 60 characters."),
        ("name", "x" * 61, "A name has 1 to 60 characters."),
        ("name", 5, "A name has 1 to 60 characters."),
        ("name", None, "A name has 1 to 60 characters."),
        ("category", "Ballast", "Choose one of: Wear, Eat and drink, Sleep, Play, Just in case."),
        ("category", ["Wear"], "Choose one of: Wear, Eat and drink, Sleep, Play, Just in case."),
        ("quantity", 0, "Choose a whole number from 1 to 99."),
        ("quantity", 100, "Choose a whole number from 1 to 99."),
        ("quantity", 1.5, "Choose a whole number from 1 to 99."),
        ("quantity", True, "Choose a whole number from 1 to 99."),
        ("packed", 1, "Choose true or false."),
        ("colour", "red", "An item has no such field."),
        ("id", 1, "An item has no such field."),
    ],
)
def test_a_wrong_value_is_refused_with_the_field_and_the_reason(client, field, value, problem):
    before = client.get("/api/items").json()
    added = client.post("/api/items", json={"name": "Rope", field: value})
    changed = client.patch("/api/items/1", json={field: value})
    for answer in (added, changed):
        assert answer.status_code == 422
        assert answer.json() == {"error": "Please check what you entered.", "fields": {field: problem}}
    assert client.get("/api/items").json() == before


def test_all_wrong_values_are_named_at_once(client):
    answer = client.post("/api/items", json={"quantity": -1})
    assert answer.status_code == 422
    assert set(answer.json()["fields"]) == {"name", "quantity"}


def test_a_change_of_nothing_is_refused(client):
    answer = client.patch("/api/items/1", json={})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("Nothing to change")


def test_a_thing_is_on_the_list_once(client):
    added = client.post("/api/items", json={"name": "hEADLAMP"})
    renamed = client.patch("/api/items/1", json={"name": "Headlamp"})
    for answer in (added, renamed):
        assert answer.status_code == 409
        assert answer.json()["fields"] == {"name": "This is on the list already."}
    assert client.get("/api/items/1").json()["name"] == "Rain jacket"


@pytest.mark.parametrize("body", [b"{", b"", b"\xff", b"[1]", b'"hat"'])
def test_a_body_that_is_no_json_object_is_refused(client, body):
    answer = client.post("/api/items", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("The body is")


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_that_a_form_on_another_site_could_send_is_refused(client, media_type):
    answer = client.post("/api/items", content=b'{"name": "Rope"}', headers={"content-type": media_type})
    assert answer.status_code == 415
    assert len(client.get("/api/items").json()["items"]) == 8


def test_a_missing_item_is_a_404_with_a_reason(client):
    for answer in (client.get("/api/items/99"), client.patch("/api/items/99", json={"packed": True})):
        assert answer.status_code == 404
        assert answer.json() == {"error": "There is no item 99.", "fields": {}}


def test_a_missing_address_of_the_api_is_a_404_in_json(client):
    answer = client.get("/api/shelves")
    assert answer.status_code == 404
    assert answer.json() == {"error": "There is nothing at /api/shelves.", "fields": {}}


def test_a_method_that_the_list_does_not_have_is_named_as_such(client):
    answer = client.put("/api/items", json={})
    assert answer.status_code == 405
    # Newer versions of Starlette answer HEAD as well where a class has `get`.
    assert set(answer.headers["allow"].split(", ")) - {"HEAD"} == {"GET", "POST"}


def test_suggestions_are_things_that_are_not_on_the_list(client):
    seen = set()
    while (answer := client.get("/api/suggestion")).status_code == 200:
        idea = answer.json()
        assert idea["name"] not in seen
        seen.add(idea["name"])
        assert client.post("/api/items", json=idea).status_code == 201
    assert answer.status_code == 204
    assert len(seen) == 10


def test_the_list_is_there_after_a_restart(client, tmp_path):
    import sqlite3

    client.post("/api/items", json={"name": "Rope"})
    other = sqlite3.connect(tmp_path / "packing.db")
    try:
        assert other.execute("SELECT name FROM items WHERE id = 9").fetchall() == [("Rope",)]
    finally:
        other.close()
