"""Starlette's Middleware, taking a reference where it takes a class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, overload

from starlette import middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from hotserve.callables import LazyCallable
from hotserve.lazy_app import LazyApp, load_app
from hotserve.reference import Lazy

P = ParamSpec("P")


class LazyMiddleware(LazyApp):
    """A middleware that is built around its application when the first request comes."""

    def __init__(self, reference: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._wrapped: ASGIApp = kwargs["app"] if "app" in kwargs else args[0]
        super().__init__(Lazy(reference, "Middleware(...)", lambda cls: cls(*args, **kwargs)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            # Before the first request nothing is imported, and what a middleware did at start-up under one version
            # another could not undo: the lifespan is between the server and the application.
            await self._wrapped(scope, receive, send)
            return
        app = self.lazy.app
        if app is None:
            app = load_app(self.lazy, scope)
        await app(scope, receive, send)


class LazyMiddlewareClass:
    """Stands for the class where Starlette calls it; that very call is made when the class is needed."""

    def __init__(self, reference: str) -> None:
        self.lazy = Lazy(reference, "Middleware(...)")  # declares it; each application wrapped has one of its own
        self.__name__ = self.lazy.reference.name

    def __call__(self, *args: Any, **kwargs: Any) -> ASGIApp:
        return LazyMiddleware(str(self.lazy.reference), args, kwargs)


class Middleware(middleware.Middleware):
    """Starlette's Middleware whose class may be a reference: Middleware("middleware.timing:TimingMiddleware", limit=3).

    The class is imported and the instance built when the first request comes; it does not see the lifespan. Raises
    InvalidReference.
    """

    @overload
    def __init__(self, cls: str | LazyCallable, *args: Any, **kwargs: Any) -> None: ...
    @overload
    def __init__(self, cls: Callable[Concatenate[Any, P], Any], *args: P.args, **kwargs: P.kwargs) -> None: ...
    def __init__(self, cls: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(LazyMiddlewareClass(str(cls)) if isinstance(cls, str | LazyCallable) else cls, *args, **kwargs)
