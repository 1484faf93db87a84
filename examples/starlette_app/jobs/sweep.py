"""What the lifespan in app.py does from time to time."""

from __future__ import annotations

from services import activity

DAYS = 7


def sweep() -> int:
    """Forget the activity of more than `DAYS` days ago; how many entries there were."""
    return activity.forget(DAYS)
