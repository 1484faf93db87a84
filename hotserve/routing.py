"""Starlette's Route, WebSocketRoute and Mount, taking references where they take objects.

Given an object each is Starlette's own, untouched. Given a reference it is built by Starlette around a `LazyApp`, so
that names, path convertors, per-route middleware and limits are Starlette's whatever its version; what depends on the
object itself (`endpoint`, default `methods`, a mount's `routes`) is looked up when it is asked for, and never kept
anywhere but in the `Lazy`, because under HMR the object may be another one at any time.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from starlette import routing
from starlette.datastructures import URLPath
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Match, NoMatchFound, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from hotserve.callables import LazyCallable, as_function, is_function, require_callable
from hotserve.errors import LoadError
from hotserve.lazy_app import LazyApp, endpoint_of, has_failed
from hotserve.reference import Lazy, Reference

R = TypeVar("R", bound=BaseRoute)


class _Shape(routing.Route):
    """What Starlette made of a lazy route. It matches by Starlette's own code, at its speed when the path is another's.

    _follows: do the methods follow the endpoint? A function takes GET and HEAD, a class says itself what it takes
    _takes:   the explicit methods, or those of a function
    """

    _lazy: Lazy
    _follows: bool
    _takes: set[str]

    if not TYPE_CHECKING:  # to a type checker these stay the attributes that Starlette declares

        @property
        def endpoint(self) -> Any:
            """Starlette asks once the path matches, and before it asks for the methods."""
            if self._follows:
                return endpoint_of(self._lazy)
            return None  # a route of another method may serve this request: only `handle` knows that it does not

        @property
        def methods(self) -> set[str] | None:
            lazy = self._lazy
            if lazy.derived is not None:
                methods: set[str] | None = lazy.derived[0]
                return methods
            if not self._follows:
                return self._takes
            return _methods(lazy, self._takes) if lazy.is_loaded else None


class _WebSocketShape(routing.WebSocketRoute):
    """The same for a WebSocket."""

    _lazy: Lazy

    if not TYPE_CHECKING:

        @property
        def endpoint(self) -> Any:
            return endpoint_of(self._lazy)


class Route(routing.Route):
    """Starlette's Route whose endpoint may be a reference: Route("/users", "controllers.users:index").

    The reference names a function, an endpoint class, or a method ("controllers.users:UsersController.index"), which
    is called on a new instance for each request. `name` defaults to its last part. Raises InvalidReference.
    """

    _lazy: Lazy | None = None
    _shape: _Shape

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any] | str,
        *,
        methods: Collection[str] | None = None,
        name: str | None = None,
        include_in_schema: bool = True,
        middleware: Sequence[Middleware] | None = None,
        max_body_size: int | None = None,
    ) -> None:
        options: dict[str, Any] = {"include_in_schema": include_in_schema, "middleware": middleware}
        if max_body_size is not None:  # unknown to Starlette before it had the option
            options["max_body_size"] = max_body_size
        if not isinstance(endpoint, str | LazyCallable):
            super().__init__(path, endpoint, methods=methods, name=name, **options)
            return
        lazy = _lazy_endpoint(str(endpoint), f'Route("{path}")', routing.request_response)
        super().__init__(
            path,
            LazyApp(lazy),
            methods=["GET"] if methods is None else methods,
            name=lazy.reference.name if name is None else name,
            **options,
        )
        self._lazy = lazy
        takes = self.methods or set()
        del self.endpoint, self.methods  # from now on `__getattr__` is asked for them
        self._shape = _shape(self, _Shape, _follows=methods is None, _takes=takes)
        if type(self).matches is Route.matches:
            self.matches = self._shape.matches  # type: ignore[method-assign]  # a call less for each route of a table

    if not TYPE_CHECKING:  # or every misspelt attribute would pass as Any

        def __getattr__(self, name: str) -> Any:
            """`endpoint` and `methods` of a lazy route. Raises LoadError."""
            lazy = self._lazy
            if lazy is not None and name == "endpoint":
                return lazy.value()
            if lazy is not None and name == "methods":
                return _methods(lazy, self._shape._takes) if self._shape._follows else self._shape._takes
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return super().matches(scope) if self._lazy is None else self._shape.matches(scope)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        lazy = self._lazy
        if lazy is None:
            await super().handle(scope, receive, send)
            return
        shape = self._shape
        if not shape._follows:
            scope["endpoint"] = endpoint_of(lazy)
        if scope["method"] in shape._takes or has_failed(lazy, scope):
            app = self.app
            if lazy.app is not None and type(app) is LazyApp:  # no middleware: spare each await a frame
                app = lazy.app
            await app(scope, receive, send)
        else:
            await super().handle(scope, receive, send)  # a class, or no methods, or 405

    def __eq__(self, other: Any) -> bool:
        if self._lazy is None or not isinstance(other, Route) or other._lazy is None:
            return super().__eq__(other)
        if self.path != other.path or self._lazy.reference != other._lazy.reference:
            return False
        shape, others = self._shape, other._shape
        return shape._takes == others._takes if shape._follows == others._follows else self.methods == other.methods

    def __repr__(self) -> str:
        if self._lazy is None:
            return super().__repr__()
        methods = "" if self._shape._follows else f", methods={sorted(self._shape._takes)!r}"
        return f"{_shown(self, self._lazy)}{methods})"


class WebSocketRoute(routing.WebSocketRoute):
    """Starlette's WebSocketRoute whose endpoint may be a reference: WebSocketRoute("/chat", "controllers.chat:chat").

    As for Route, it names a function, an endpoint class or a method. Raises InvalidReference.
    """

    _lazy: Lazy | None = None
    _shape: _WebSocketShape

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any] | str,
        *,
        name: str | None = None,
        middleware: Sequence[Middleware] | None = None,
    ) -> None:
        if not isinstance(endpoint, str | LazyCallable):
            super().__init__(path, endpoint, name=name, middleware=middleware)
            return
        lazy = _lazy_endpoint(str(endpoint), f'WebSocketRoute("{path}")', routing.websocket_session)
        name = lazy.reference.name if name is None else name
        super().__init__(path, LazyApp(lazy), name=name, middleware=middleware)
        self._lazy = lazy
        del self.endpoint
        self._shape = _shape(self, _WebSocketShape)
        if type(self).matches is WebSocketRoute.matches:
            self.matches = self._shape.matches  # type: ignore[method-assign]

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """`endpoint` of a lazy route. Raises LoadError."""
            if name == "endpoint" and self._lazy is not None:
                return self._lazy.value()
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return super().matches(scope) if self._lazy is None else self._shape.matches(scope)

    def __eq__(self, other: Any) -> bool:
        if self._lazy is None or not isinstance(other, WebSocketRoute) or other._lazy is None:
            return super().__eq__(other)
        return self.path == other.path and self._lazy.reference == other._lazy.reference

    def __repr__(self) -> str:
        return super().__repr__() if self._lazy is None else f"{_shown(self, self._lazy)})"


class Mount(routing.Mount):
    """Starlette's Mount whose application may be a reference: Mount("/admin", "admin.app:app").

    The reference names an ASGI application or a list of routes. Raises InvalidReference.
    """

    _lazy: Lazy | None = None

    def __init__(
        self,
        path: str,
        app: ASGIApp | str | None = None,
        routes: Sequence[BaseRoute] | str | LazyCallable | None = None,
        name: str | None = None,
        *,
        middleware: Sequence[Middleware] | None = None,
        max_body_size: int | None = None,
    ) -> None:
        options: dict[str, Any] = {"middleware": middleware}
        if max_body_size is not None:
            options["max_body_size"] = max_body_size
        target = routes if app is None else app
        if not isinstance(target, str | LazyCallable):
            super().__init__(path, app, routes, name, **options)  # type: ignore[arg-type]  # then neither is a string
            return
        lazy = Lazy(str(target), f'Mount("{path}")')
        lazy.adapt = functools.partial(_mounted, lazy.reference, lazy.owner)
        self._lazy_app = LazyApp(lazy)
        super().__init__(path, self._lazy_app, name=name, **options)
        self._lazy = lazy

    @property
    def routes(self) -> list[BaseRoute]:
        """The routes below this mount, for `url_for` and schemas. Raises LoadError."""
        if self._lazy is None:
            return super().routes
        value = self._lazy.value()
        found: list[BaseRoute] = list(value) if _is_routes(value) else getattr(value, "routes", [])
        return found

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child_scope = super().matches(scope)
        # To Starlette a mount's endpoint is its application with the middleware around it.
        if match is not Match.NONE and self._lazy is not None and child_scope["endpoint"] is self._lazy_app:
            endpoint = endpoint_of(self._lazy)
            child_scope["endpoint"] = self._lazy_app if _is_routes(endpoint) else endpoint
        return match, child_scope

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        if self._lazy is not None and self.name is None:
            # Every name is looked for in a mount without one: while it is broken the others must still be found.
            try:
                self._lazy.value()
            except LoadError as error:
                raise NoMatchFound(name, path_params) from error
        return super().url_path_for(name, **path_params)

    def __eq__(self, other: Any) -> bool:
        if self._lazy is None or not isinstance(other, Mount) or other._lazy is None:
            return super().__eq__(other)
        return self.path == other.path and self._lazy.reference == other._lazy.reference


def _lazy_endpoint(text: str, owner: str, serve_function: Callable[[Any], ASGIApp]) -> Lazy:
    lazy = Lazy(text, owner)
    lazy.adapt = functools.partial(_served, lazy.reference, owner, serve_function)
    return lazy


def _served(reference: Reference, owner: str, serve_function: Callable[[Any], ASGIApp], value: Any) -> ASGIApp:
    """What Starlette makes of an endpoint: of a function an application, anything else is one already."""
    function = as_function(reference, value)
    return serve_function(function) if is_function(function) else require_callable(reference, owner, function)


def _methods(lazy: Lazy, of_function: set[str]) -> set[str] | None:
    """The default methods of the endpoint in its present version. Raises LoadError."""
    if lazy.derived is None:  # kept there, since it is forgotten with the version
        lazy.derived = (of_function if is_function(as_function(lazy.reference, lazy.value())) else None,)
    methods: set[str] | None = lazy.derived[0]
    return methods


def _is_routes(value: object) -> bool:
    return isinstance(value, list | tuple)


def _mounted(reference: Reference, owner: str, value: Any) -> ASGIApp:
    return Router(routes=value) if _is_routes(value) else require_callable(reference, owner, value)


def _shape(route: BaseRoute, kind: type[R], **more: Any) -> R:
    """A route of `kind` that is all that Starlette made `route`."""
    shape = kind.__new__(kind)
    for name, value in {**vars(route), **more}.items():
        setattr(shape, name, value)  # one by one: CPython reads the attributes of an instance made by `update` slower
    return shape


def _shown(route: routing.Route | routing.WebSocketRoute, lazy: Lazy) -> str:
    """The beginning of a repr that imports nothing."""
    return f"{type(route).__name__}(path={route.path!r}, name={route.name!r}, endpoint={str(lazy.reference)!r}"
