"""The SQLite database: one file, one connection, open as long as the process runs."""

from __future__ import annotations

import atexit
import os
import sqlite3
from pathlib import Path

from hotserve import hot

DEFAULT_FILE = Path(__file__).parent.parent / "data" / "packing.db"

SCHEMA = """
CREATE TABLE IF NOT EXISTS items (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    category TEXT NOT NULL,
    quantity INTEGER NOT NULL DEFAULT 1,
    packed INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS activity (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    text TEXT NOT NULL
);
"""

FIRST_ITEMS = (
    ("Rain jacket", "Wear", 1, 1),
    ("Wool socks", "Wear", 4, 1),
    ("Coffee, the good one", "Eat and drink", 1, 0),
    ("Pasta and tomatoes", "Eat and drink", 3, 0),
    ("Sleeping bag", "Sleep", 2, 0),
    ("Playing cards", "Play", 1, 1),
    ("Headlamp", "Just in case", 2, 0),
    ("Plasters", "Just in case", 1, 0),
)


def connect() -> sqlite3.Connection:
    """Open the database, PACKING_DB or data/packing.db; a new one gets a few things to pack."""
    file = Path(os.environ.get("PACKING_DB") or DEFAULT_FILE)
    file.parent.mkdir(parents=True, exist_ok=True)
    # Sync controllers run in a thread pool. Every statement is a transaction of its own, so they can share.
    connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    atexit.register(connection.close)
    connection.row_factory = sqlite3.Row
    is_new = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    connection.executescript(SCHEMA)
    if is_new:
        insert = "INSERT INTO items (name, category, quantity, packed) VALUES (?, ?, ?, ?)"
        connection.executemany(insert, FIRST_ITEMS)
    return connection


# A save that replaces this module, or one that it imports, keeps the open connection. The schema is applied again all
# the same: a table added to it above is there at the next request.
connection = hot.keep("connection", connect)
connection.executescript(SCHEMA)
