"""What the packing list refuses, and the status that says so."""

from __future__ import annotations

from collections.abc import Mapping


class PackingError(Exception):
    """Base of every refusal. `fields` says which inputs are at fault, and why."""

    status = 400

    def __init__(self, message: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.fields = dict(fields or {})


class Unreadable(PackingError):
    """The body is not a JSON object."""


class WrongMediaType(PackingError):
    """The body is not declared as JSON. A form on another site cannot declare that without asking first."""

    status = 415


class Invalid(PackingError):
    """The body is JSON, but not an item."""

    status = 422


class ItemNotFound(PackingError):
    """There is no such item (any more: somebody else may have removed it)."""

    status = 404


class AlreadyListed(PackingError):
    """One entry for each thing; its quantity says how many."""

    status = 409
