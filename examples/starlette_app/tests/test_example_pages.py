"""What a person sees."""

from __future__ import annotations

import re


def test_the_page_shows_the_list_under_its_headings(client):
    page = client.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<h1>Cabin weekend</h1>" in page.text
    headings = re.findall(r"<section class=\"group\">\s*<h2>(.*?)</h2>", page.text)
    assert headings == ["Wear", "Eat and drink", "Sleep", "Play", "Just in case"]
    assert "<strong>3</strong> of 8 packed" in page.text


def test_the_page_shows_what_people_typed_as_text(client):
    client.post("/api/items", json={"name": "<script>alert(1)</script>"})
    page = client.get("/").text
    assert "<script>alert(1)</script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_every_file_that_the_page_names_is_there_and_on_this_site(client):
    page = client.get("/").text
    addresses = re.findall(r"(?:href|src|data-source)=\"(.*?)\"", page)
    assert {"/static/style.css", "/static/app.js", "/static/icon.svg", "/list.txt", "/api/items"} <= set(addresses)
    for address in addresses:
        assert address.startswith("/") and not address.startswith("//")
        if address != "/activity":  # a stream has no end: see test_example_activity.py
            assert client.get(address).status_code == 200, address


def test_the_files_that_the_page_tells_people_to_edit_are_there(client, packing_app):
    files = re.findall(r"<code class=\"file\">(.*?)</code>", client.get("/").text)
    assert len(files) == 3
    for file in files:
        assert (packing_app.HERE / file).is_file(), file


def test_the_list_alone_is_a_part_of_the_page(client):
    part = client.get("/list").text
    assert part.strip() in client.get("/").text
    assert "<html" not in part


def test_an_empty_list_says_so(client):
    for item in client.get("/api/items").json()["items"]:
        client.delete(f"/api/items/{item['id']}")
    assert "The list is empty" in client.get("/list").text


def test_a_list_that_is_all_packed_says_so(client):
    for item in client.get("/api/items").json()["items"]:
        client.patch(f"/api/items/{item['id']}", json={"packed": True})
    assert "All 8 packed" in client.get("/list").text


def test_the_list_as_plain_text(client):
    answer = client.get("/list.txt")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text.startswith("Cabin weekend\n=============\n\nWear\n  [x] Rain jacket\n")
    assert "  [ ] Headlamp (2)\n" in answer.text


def test_a_page_that_is_not_there_is_a_friendly_404(client):
    answer = client.get("/nothing-here")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "There is nothing at <code>/nothing-here</code>" in answer.text


def test_the_middleware_says_how_long_each_answer_took(client):
    for path in ("/", "/api/items", "/static/style.css", "/nothing-here"):
        assert re.fullmatch(r"app;dur=\d+\.\d\d", client.get(path).headers["server-timing"]), path


def test_nothing_but_the_application_module_is_imported_before_the_first_request(packing_app):
    import sys

    loaded = {name for name in sys.modules if name.split(".")[0] in ("controllers", "services", "middleware", "jobs")}
    assert loaded == set()


def test_the_page_does_not_take_other_methods(client):
    answer = client.post("/")
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}
