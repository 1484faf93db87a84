"""A thing to pack, and what makes one valid."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from models.errors import Invalid

CATEGORIES = ("Wear", "Eat and drink", "Sleep", "Play", "Just in case")
LONGEST_NAME = 60
LARGEST_QUANTITY = 99


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the list."""

    id: int
    name: str
    category: str
    quantity: int
    packed: bool

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> Item:
        """The item that a row of the table `items` holds."""
        return cls(row["id"], row["name"], row["category"], row["quantity"], bool(row["packed"]))

    def as_json(self) -> dict[str, Any]:
        """The item as the JSON API shows it."""
        return asdict(self)


def new_item(values: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of an item to be added. Raises Invalid."""
    return _validate({"category": CATEGORIES[-1], "quantity": 1, "packed": False, "name": "", **values})


def changes(values: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of an item to be changed; those not given stay. Raises Invalid."""
    if not values:
        raise Invalid("Nothing to change: give at least one of name, category, quantity, packed.")
    return _validate(values)


def _validate(values: Mapping[str, Any]) -> dict[str, Any]:
    columns = {key: value.strip() if isinstance(value, str) else value for key, value in values.items()}
    fields = {key: problem for key, value in columns.items() if (problem := _problem(key, value))}
    if fields:
        raise Invalid("Please check what you entered.", fields)
    return columns


def _problem(key: str, value: Any) -> str | None:
    match key:
        case "name" if not isinstance(value, str) or not 1 <= len(value) <= LONGEST_NAME:
            return f"A name has 1 to {LONGEST_NAME} characters."
        case "category" if value not in CATEGORIES:
            return f"Choose one of: {', '.join(CATEGORIES)}."
        # True is an int in Python, but not a number of things.
        case "quantity" if type(value) is not int or not 1 <= value <= LARGEST_QUANTITY:
            return f"Choose a whole number from 1 to {LARGEST_QUANTITY}."
        case "packed" if not isinstance(value, bool):
            return "Choose true or false."
        case "name" | "category" | "quantity" | "packed":
            return None
    return "An item has no such field."
