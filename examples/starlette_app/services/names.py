"""Names for people who have not told us theirs."""

from __future__ import annotations

import random
from collections.abc import Collection

MOODS = ("Quiet", "Brave", "Sleepy", "Merry", "Curious", "Early", "Sunny", "Patient")
ANIMALS = ("Otter", "Badger", "Heron", "Marmot", "Fox", "Owl", "Hare", "Lynx")


def draw(taken: Collection[str] = ()) -> str:
    """A name that nobody here has; with a number when all 64 are taken."""
    free = [name for mood in MOODS for animal in ANIMALS if (name := f"{mood} {animal}") not in taken]
    return random.choice(free) if free else f"Guest {len(taken) + 1}"
