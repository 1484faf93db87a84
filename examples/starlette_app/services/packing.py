"""What can be done with the list. Everything that changes it tells the other tabs."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

from models.errors import AlreadyListed, ItemNotFound
from models.item import CATEGORIES, Item, changes, new_item
from services import activity, hub
from services.database import connection


def all_items() -> list[Item]:
    """The whole list, in the order in which things were added."""
    return [Item.from_row(row) for row in connection.execute("SELECT * FROM items ORDER BY id")]


def by_category() -> dict[str, list[Item]]:
    """The list under its headings, in the order of the headings; those with nothing under them are left out."""
    items = all_items()
    headings = dict.fromkeys((*CATEGORIES, *(item.category for item in items)))
    grouped = {heading: [item for item in items if item.category == heading] for heading in headings}
    return {heading: items for heading, items in grouped.items() if items}


def find(item_id: int) -> Item:
    """One item. Raises ItemNotFound."""
    return _one(connection.execute("SELECT * FROM items WHERE id = ?", (item_id,)), item_id)


def add(values: Mapping[str, Any]) -> Item:
    """Put a thing on the list. Raises Invalid, AlreadyListed."""
    columns = new_item(values)
    statement = "INSERT INTO items (name, category, quantity, packed) VALUES (:name, :category, :quantity, :packed)"
    item = _one(_write(f"{statement} RETURNING *", columns))
    _tell(f"{item.name} was added")
    return item


def change(item_id: int, values: Mapping[str, Any]) -> Item:
    """Change some fields of an item. Raises Invalid, ItemNotFound, AlreadyListed."""
    columns = changes(values)
    before = find(item_id)
    assignments = ", ".join(f"{column} = :{column}" for column in columns)  # only names that `changes` knows
    item = _one(_write(f"UPDATE items SET {assignments} WHERE id = :id RETURNING *", {**columns, "id": item_id}))
    if item != before:
        _tell(_what_happened(before, item))
    return item


def remove(item_id: int) -> None:
    """Take a thing off the list. Raises ItemNotFound."""
    item = _one(connection.execute("DELETE FROM items WHERE id = ? RETURNING *", (item_id,)), item_id)
    _tell(f"{item.name} was taken off the list")


def _write(statement: str, columns: Mapping[str, Any]) -> sqlite3.Cursor:
    try:
        return connection.execute(statement, columns)
    except sqlite3.IntegrityError as exc:
        name = columns.get("name")
        raise AlreadyListed(f"{name} is on the list already.", {"name": "This is on the list already."}) from exc


def _one(cursor: sqlite3.Cursor, item_id: int | None = None) -> Item:
    # All rows, though there is one at most: a statement with RETURNING is committed when its last row was fetched.
    rows = cursor.fetchall()
    if not rows:
        raise ItemNotFound(f"There is no item {item_id}.")
    return Item.from_row(rows[0])


def _what_happened(before: Item, item: Item) -> str:
    if item.packed != before.packed:
        return f"{item.name} was packed" if item.packed else f"{item.name} was unpacked"
    if item.name != before.name:
        return f"{before.name} became {item.name}"
    return f"{item.name} was changed"


def _tell(text: str) -> None:
    activity.record(text)
    hub.publish({"type": "changed", "text": text})
