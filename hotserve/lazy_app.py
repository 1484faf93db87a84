"""The ASGI application that stands for a reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from hotserve.errors import LoadError
from hotserve.reference import Lazy


@dataclass(frozen=True, slots=True, eq=False)
class Failed:
    """Stands in a request's scope for an endpoint that could not be loaded, so that one request makes one attempt."""

    lazy: Lazy
    error: LoadError


class LazyApp:
    """The ASGI application of a reference. Every request to a lazy route comes through here."""

    def __init__(self, lazy: Lazy) -> None:
        self.lazy = lazy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self.lazy.app
        if app is None:
            app = load_app(self.lazy, scope)
        await app(scope, receive, send)

    def __repr__(self) -> str:
        return repr(str(self.lazy.reference))


def load_app(lazy: Lazy, scope: Scope) -> ASGIApp:
    """The application of `lazy`, or the one that answers in its stead. Raises LoadError where nobody shows it."""
    if has_failed(lazy, scope):
        error: LoadError = scope["endpoint"].error
    else:
        try:
            return lazy.asgi()
        except LoadError as exc:
            error = exc
    return lazy.failed(error)


def endpoint_of(lazy: Lazy) -> Any:
    """What belongs into the scope as the endpoint: the object, or why it cannot be had."""
    try:
        return lazy.value()
    except LoadError as error:
        return Failed(lazy, error)


def has_failed(lazy: Lazy, scope: Scope) -> bool:
    """Was `lazy` tried for this request already, in vain?"""
    endpoint = scope.get("endpoint")
    return isinstance(endpoint, Failed) and endpoint.lazy is lazy
