"""Where chance comes from: `random.Random` for bulk runs, Hypothesis for the state machine."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


class Chooser:
    """Draws everything from one source of integers."""

    def __init__(self, integer: Callable[[int, int], int]) -> None:
        """integer: gives a number between its two arguments, both included."""
        self.integer = integer

    @classmethod
    def seeded(cls, seed: int) -> Chooser:
        """The same choices for the same seed."""
        return cls(random.Random(seed).randint)

    def pick(self, options: Sequence[T]) -> T:
        """One of the options."""
        return options[self.integer(0, len(options) - 1)]

    def chance(self, percent: int) -> bool:
        """True in so many cases of a hundred."""
        return self.integer(0, 99) >= 100 - percent

    def some(self, options: Sequence[T], least: int, most: int) -> list[T]:
        """Between `least` and `most` different options, in random order."""
        left = list(options)
        count = min(self.integer(least, most), len(left))
        return [left.pop(self.integer(0, len(left) - 1)) for _ in range(count)]
