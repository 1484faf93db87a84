"""Who did what: the log that the page shows beside the list."""

from __future__ import annotations

from typing import Any

from services import hub
from services.database import connection

SHOWN = 8


def record(text: str) -> None:
    """Write an entry, and send it to the open streams."""
    rows = connection.execute("INSERT INTO activity (text) VALUES (?) RETURNING *", (text,)).fetchall()
    hub.publish({"type": "activity", "entry": dict(rows[0])})


def recent() -> list[dict[str, Any]]:
    """The latest entries, oldest first."""
    rows = connection.execute("SELECT * FROM activity ORDER BY id DESC LIMIT ?", (SHOWN,))
    return [dict(row) for row in rows][::-1]


def since(entry_id: int) -> list[dict[str, Any]]:
    """The entries after `entry_id`, oldest first: what a stream that was cut off has missed."""
    return [entry for entry in recent() if entry["id"] > entry_id]


def forget(days: int) -> int:
    """Delete the entries older than `days`; how many there were."""
    statement = "DELETE FROM activity WHERE at < strftime('%Y-%m-%dT%H:%M:%SZ', 'now', ?)"
    return connection.execute(statement, (f"-{days} days",)).rowcount
