"""Differences between a container then and now, and how they are taken back."""

from __future__ import annotations

import itertools
import operator
from collections import deque
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final

_ABSENT: Final = object()


@dataclass(slots=True, eq=False)
class Write:
    """One thing that a module put somewhere else.

    target:    the module written to
    container: a list, dict, set or deque of it, or the object whose attribute it is
    key:       the index (list), key (dict) or name (attribute); None for a set
    value:     what was put there
    previous:  what was there before, or _ABSENT
    left:      where the value is itself a container, what the writer left in it
    number:    counts all writes: a later one has a higher number
    """

    target: str
    container: Any
    key: Any
    value: Any
    previous: Any = _ABSENT
    left: Any = None
    number: int = field(default_factory=itertools.count().__next__)

    def __post_init__(self) -> None:
        if isinstance(self.value, list | deque):
            self.left = tuple(self.value)
        elif isinstance(self.value, dict | set):
            self.left = self.value.copy()


@dataclass(frozen=True, slots=True)
class Entangled:
    """A module did to another what cannot be taken back."""

    target: str


def difference(target: str, container: Any, before: Any, now: Any) -> Iterator[Write | Entangled]:
    """What was added to or changed in a container; Entangled where entries were taken away or moved."""
    if isinstance(before, int) or isinstance(now, int):
        if (before if isinstance(before, int) else len(before)) != (now if isinstance(now, int) else len(now)):
            yield Entangled(target)
    elif isinstance(now, tuple):
        yield from _list_difference(target, container, before, now)
    elif isinstance(now, set):
        if before - now:
            yield Entangled(target)
        for value in now - before:
            yield Write(target, container, None, value)
    else:
        attributes = not isinstance(container, dict)
        for key, value in now.items():
            previous = before.get(key, _ABSENT)
            if previous is value:
                continue
            if attributes and previous is None and not isinstance(value, int | float | str | bytes):
                continue  # made at first use (`_engine = None` until somebody asks): nobody's in particular
            yield Write(target, container, key, value, previous)
        if any(key not in now for key in before):
            yield Entangled(target)


def _list_difference(target: str, container: Any, before: tuple[Any, ...], now: tuple[Any, ...]) -> Iterator[Any]:
    position = 0
    added: list[Write] = []
    for index, value in enumerate(now):
        if position < len(before) and before[position] is value:
            position += 1
        else:
            added.append(Write(target, container, index, value))
    if position < len(before):
        yield Entangled(target)
    else:
        yield from added


def comes_after(write: Write, others: list[Write]) -> bool:
    if isinstance(write.container, dict):
        order = {key: index for index, key in enumerate(write.container)}
        own = order.get(write.key, -1)
        return any(order.get(other.key, -1) > own for other in others)
    own = _index(write)
    return any(_index(other) > own for other in others)


def _index(write: Write) -> int:
    """Where a value stands in a list now: at or before where it was put, since others may have been taken out."""
    entries = write.container
    for index in range(min(write.key, len(entries) - 1), -1, -1):
        if entries[index] is write.value:
            return index
    for index in range(write.key + 1, len(entries)):
        if entries[index] is write.value:
            return index
    return -1


def can_take_back(write: Write) -> bool:
    container = write.container
    if isinstance(container, dict):
        current = container.get(write.key, _ABSENT)
        return current is write.value or (current is _ABSENT and write.previous is _ABSENT)
    if isinstance(container, list | deque | set):
        return True
    current = vars(container).get(write.key, _ABSENT)
    return current is write.value


def take_back(write: Write) -> bool:
    """Undo a write. False where a list that was put somewhere must stay, since others have put something into it."""
    container = write.container
    if isinstance(container, set):
        container.discard(write.value)
    elif isinstance(container, list | deque):
        index = _index(write)
        if index >= 0:
            del container[index]
    elif isinstance(container, dict):
        return _take_back_entry(container, write)
    elif vars(container).get(write.key, _ABSENT) is write.value:
        if write.previous is _ABSENT:
            delattr(container, write.key)
        else:
            setattr(container, write.key, write.previous)
    return True


def _take_back_entry(container: MutableMapping[Any, Any], write: Write) -> bool:
    if container.get(write.key, _ABSENT) is not write.value:
        return True
    if write.previous is not _ABSENT:
        container[write.key] = write.previous
    elif write.left is None or _same_entries(write.value, write.left):
        del container[write.key]
    else:
        _remove_entries(write.value, write.left)
        return False
    return True


def _same_entries(container: Any, left: Any) -> bool:
    if isinstance(container, dict):
        return len(container) == len(left) and all(container.get(key, _ABSENT) is left[key] for key in left)
    if isinstance(container, set):
        return bool(container == left)
    return len(container) == len(left) and all(map(operator.is_, container, left))


def _remove_entries(container: Any, left: Any) -> None:
    if isinstance(container, dict):
        for key in left:
            if container.get(key, _ABSENT) is left[key]:
                del container[key]
    elif isinstance(container, set):
        container -= left
    else:
        for value in left:
            for index, each in enumerate(container):
                if each is value:
                    del container[index]
                    break
