"""Things that one forgets. Add yours, save, and press "Suggest something" on the page."""

from __future__ import annotations

from services.packing import all_items

IDEAS = (
    ("A hot-water bottle", "Sleep"),
    ("Ear plugs", "Sleep"),
    ("A ball of string", "Just in case"),
    ("Matches", "Just in case"),
    ("Swimwear", "Wear"),
    ("Slippers", "Wear"),
    ("Marshmallows", "Eat and drink"),
    ("Pancake mix", "Eat and drink"),
    ("A kite", "Play"),
    ("That board game with the trains", "Play"),
)


def open_ideas() -> list[tuple[str, str]]:
    """The ideas, name and category, that are not on the list yet."""
    listed = {item.name.casefold() for item in all_items()}
    return [idea for idea in IDEAS if idea[0].casefold() not in listed]
