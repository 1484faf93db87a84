"""`lazy("module:attr")`, and what it takes to call the object of a reference as its eager form would be called."""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
import warnings
from collections.abc import Callable, Generator
from types import TracebackType
from typing import Any, TypeVar

from starlette._utils import is_async_callable
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.routing import Router

from hotserve.errors import LoadError, NotCallable
from hotserve.reference import Lazy, Reference

F = TypeVar("F", bound=Callable[..., Any])


def _seen_as_async(function: F) -> F:
    """Mark a plain function whose result is awaited, as `inspect.markcoroutinefunction` does since Python 3.12."""
    if sys.version_info >= (3, 12):
        return inspect.markcoroutinefunction(function)
    function._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]
    return function


class LazyCallable:
    """What `lazy` returns: to be awaited when called, or entered with `async with` as a lifespan is."""

    def __init__(self, reference: str) -> None:
        self._lazy = Lazy(reference, "lazy(...)")

    # Starlette asks whether this is async before it calls it, and a lifespan must return a context manager at once.
    @_seen_as_async
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _Call(self._lazy, args, kwargs)

    def __str__(self) -> str:
        return str(self._lazy.reference)

    def __repr__(self) -> str:
        return f"lazy({str(self)!r})"


def lazy(reference: str) -> LazyCallable:
    """A callable that is imported when it is first called: lazy("app.errors:not_found").

    For exception handlers, background tasks, start-up and shut-down handlers, a lifespan, an ASGI application. Whoever
    calls it must be able to await it; a sync target runs in the thread pool. Raises InvalidReference.
    """
    return LazyCallable(reference)


class _Call:
    """One call of a `LazyCallable`. Nothing happens before it is awaited or entered."""

    __slots__ = ("_args", "_kwargs", "_lazy", "_manager", "_started")

    def __init__(self, lazy: Lazy, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._lazy = lazy
        self._args = args
        self._kwargs = kwargs
        self._started = False

    def __await__(self) -> Generator[Any, None, Any]:
        self._started = True
        return self._run().__await__()

    def __del__(self) -> None:
        if not self._started:  # as a coroutine does: what looks like a call would otherwise do nothing in silence
            warnings.warn(f'lazy("{self._lazy.reference}") was called but never awaited', RuntimeWarning, stacklevel=2)

    async def _run(self) -> Any:
        try:
            function = _function_of(self._lazy)
        except LoadError as error:
            if len(self._args) == 2 and isinstance(self._args[0], Request) and isinstance(self._args[1], Exception):
                # An exception handler: what it returns is sent as the response, and an ASGI application will do.
                return self._lazy.failed(error)
            raise
        if is_async_callable(function):
            return await function(*self._args, **self._kwargs)
        result = await run_in_threadpool(function, *self._args, **self._kwargs)
        # An endpoint class: its instance is what runs.
        return await result if inspect.isawaitable(result) else result

    async def __aenter__(self) -> Any:
        self._started = True
        # Starlette's router knows how to make a context manager of every kind of lifespan it takes.
        self._manager = Router(lifespan=_function_of(self._lazy)).lifespan_context(*self._args)
        return await self._manager.__aenter__()

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> Any:
        return await self._manager.__aexit__(exc_type, exc, traceback)


def _function_of(lazy: Lazy) -> Callable[..., Any]:
    function = as_function(lazy.reference, lazy.value())
    return require_callable(lazy.reference, lazy.owner, function)


def as_function(reference: Reference, value: Any) -> Any:
    """`value`, the object of `reference`; where that is a method, a function that calls it on a new instance."""
    if "." in reference.attr:
        return _method(reference) or value
    return value


def require_callable(reference: Reference, owner: str, value: Any) -> Callable[..., Any]:
    """`value`, the object of `reference`. Raises NotCallable."""
    if not callable(value):
        where = f" in {owner}" if owner else ""
        what = "a module" if inspect.ismodule(value) else f"of type {type(value).__name__!r}"
        file = getattr(sys.modules.get(reference.module), "__file__", None)
        text = f"`{reference}`{where}: this is {what} and cannot be called{f' ({file})' if file else ''}."
        raise NotCallable(text, reference=str(reference), owner=owner, file=file)
    function: Callable[..., Any] = value
    return function


def is_function(value: Any) -> bool:
    """Does Starlette call this endpoint with a request, rather than serve it as an ASGI application?"""
    if isinstance(value, type):  # the usual case, on the path of every POST to an endpoint class
        return False
    while isinstance(value, functools.partial):
        value = value.func
    return inspect.isfunction(value) or inspect.ismethod(value)


def _method(reference: Reference) -> Callable[..., Any] | None:
    """A function that calls the method named by `reference` on a new instance; None where it names no such method."""
    *holders, name = reference.attr.split(".")
    cls: Any = sys.modules[reference.module]
    for holder in holders:
        cls = getattr(cls, holder)
    if not isinstance(cls, type):
        return None
    raw = inspect.getattr_static(cls, name)
    if isinstance(raw, staticmethod | classmethod) or not hasattr(raw, "__get__"):
        return None
    while isinstance(raw, functools.partialmethod):
        raw = raw.func
    if is_async_callable(raw):

        async def call(*args: Any, **kwargs: Any) -> Any:
            return await getattr(cls(), name)(*args, **kwargs)

        return call

    # Called in the thread pool, so that the instance, too, is made there.
    def call_sync(*args: Any, **kwargs: Any) -> Any:
        return getattr(cls(), name)(*args, **kwargs)

    return call_sync
