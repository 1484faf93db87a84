"""What a route answered, as JSON that two processes can compare. Runs in the hot and in the cold process."""

from __future__ import annotations

import enum
import re
import types
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

_DEPTH = 7
_WIDTH = 60


def ask(routes: list[tuple[str, Any]], path: str) -> Any:
    """The answer of one route: a value, or {"error": ...}."""
    for known, lazy in routes:
        if known == path:
            return answer(partial(_call_target, lazy))
    return {"error": ["no route", path]}


def _call_target(lazy: Any) -> Any:
    return lazy.value()()


def answer(call: Callable[[], Any]) -> Any:
    """What `call` returns, described, or the error that it raises."""
    try:
        value = call()
    except BaseException as exc:
        return {"error": describe_error(exc)}
    return {"value": describe(value)}


def describe_error(exc: BaseException) -> list[Any]:
    """Type and message, without addresses and file names; of an error in loading, also its cause."""
    text = normalised(str(exc.msg if isinstance(exc, SyntaxError) else exc))
    if type(exc).__module__ == "hotserve.errors":
        cause = exc.__cause__
        return [type(exc).__name__, describe_error(cause) if cause is not None else text]
    return [type(exc).__name__, text]


def normalised(text: str) -> str:
    """Without what differs from one process to the next though the error is the same."""
    text = re.sub(r" at 0x[0-9a-f]+", "", text)
    text = re.sub(r" \((?:unknown location|/[^)]*|consider renaming[^)]*)\)", "", text)
    text = re.sub(r" \(most likely due to a circular import\)", "", text)
    text = re.sub(r"\. Did you mean:? .*", "", text)
    return text.replace("partially initialized module", "module")


def describe(value: Any, depth: int = _DEPTH) -> Any:
    """A value as JSON. Functions are called, classes and objects shown by their fields, sets sorted."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if depth == 0:
        return f"<{type(value).__name__}>"
    if isinstance(value, enum.Enum):
        return f"{type(value).__name__}.{value.name}={value.value!r}"
    if isinstance(value, list | tuple):
        return [describe(item, depth - 1) for item in list(value)[:_WIDTH]]
    if isinstance(value, dict):
        return {"dict": [[describe(key, depth - 1), describe(item, depth - 1)] for key, item in list(value.items())]}
    if isinstance(value, set | frozenset | weakref.WeakSet):
        return {"set": sorted((describe(item, depth - 1) for item in list(value)), key=repr)}
    if isinstance(value, types.ModuleType):
        return f"<module {value.__name__}>"
    if isinstance(value, type):
        fields = {name: item for name, item in vars(value).items() if _is_plain(name, item)}
        return {
            "class": value.__qualname__,
            "fields": {name: describe(item, depth - 1) for name, item in fields.items()},
        }
    if getattr(value, "__name__", "").startswith("bump"):
        return "<counter>"  # to look must not change what is seen
    if callable(value):
        return {"call": getattr(value, "__qualname__", "?"), "gives": _call(value, depth - 1)}
    return {"a": type(value).__qualname__, "fields": {k: describe(v, depth - 1) for k, v in _fields(value).items()}}


def _call(function: Callable[[], Any], depth: int) -> Any:
    try:
        return describe(function(), depth)
    except Exception as exc:
        return {"error": describe_error(exc)}


def _is_plain(name: str, item: Any) -> bool:
    return (
        not name.startswith("_") and not callable(item) and not isinstance(item, classmethod | staticmethod | property)
    )


def _fields(value: object) -> dict[str, Any]:
    return {name: item for name, item in getattr(value, "__dict__", {}).items() if not name.startswith("_")}
