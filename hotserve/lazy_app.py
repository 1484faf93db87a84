"""The ASGI application that stands for a reference."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from hotserve.errors import LoadError
from hotserve.reference import Lazy

# In a request's scope: which reference could not be loaded when its route matched, and why, so that one request makes
# one attempt.   (<Lazy>, <LoadError>)
FAILURE = "hotserve.failure"


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
        error: LoadError = scope[FAILURE][1]
    else:
        try:
            return lazy.asgi()
        except LoadError as exc:
            error = exc
    return lazy.failed(error)


def enter(lazy: Lazy, scope: Scope) -> bool:
    """Put the endpoint into `scope`, or else why it cannot be had; `LazyApp` answers with that."""
    try:
        scope["endpoint"] = lazy.value()
    except LoadError as error:
        scope[FAILURE] = (lazy, error)
        return False
    return True


def has_failed(lazy: Lazy, scope: Scope) -> bool:
    return FAILURE in scope and scope[FAILURE][0] is lazy
