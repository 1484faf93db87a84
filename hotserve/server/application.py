"""From what a target names to an ASGI 3 application, by uvicorn's rules."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import logging
import sys
from typing import Any

from hotserve.reference import ASGIApp

if sys.version_info >= (3, 14):
    from inspect import iscoroutinefunction
else:
    from asyncio import iscoroutinefunction

logger = logging.getLogger("uvicorn.error")


def wrap_routes(value: Any) -> Any:
    """A list of routes becomes an application; anything else stays what it is."""
    if isinstance(value, (list, tuple)):
        from starlette.applications import Starlette

        return Starlette(routes=list(value))
    return value


def as_application(value: Any, *, factory: bool = False, interface: str = "auto") -> ASGIApp:
    """What uvicorn would serve for the object that a target names: factories called, ASGI 2 and WSGI adapted."""
    if factory:
        value = value()
    elif not isinstance(value, (list, tuple)):
        value = _call_if_factory(value)
    app = wrap_routes(value)
    if interface == "auto":
        interface = "asgi3" if _is_asgi3(app) else "asgi2"
    if interface == "wsgi":
        return _wsgi(app)
    if interface == "asgi2":
        from uvicorn.middleware.asgi2 import ASGI2Middleware

        return ASGI2Middleware(app)
    application: ASGIApp = app
    return application


def _call_if_factory(value: Any) -> Any:
    """uvicorn calls every target without arguments, and takes a TypeError for "this is an application"."""
    try:
        app = value()
    except TypeError:
        return value
    if asyncio.iscoroutine(app):
        app.close()
        return value
    logger.warning("ASGI app factory detected. Using it, but please consider setting the --factory flag explicitly.")
    return app


def _is_asgi3(app: Any) -> bool:
    if inspect.isclass(app):
        return hasattr(app, "__await__")
    if inspect.isfunction(app):
        return iscoroutinefunction(app)
    return iscoroutinefunction(getattr(app, "__call__", None))  # noqa: B004


def _wsgi(app: Any) -> ASGIApp:
    # Late, since it warns of its deprecation; by name, since uvicorn takes it from a2wsgi where that is installed.
    adapted: ASGIApp = importlib.import_module("uvicorn.middleware.wsgi").WSGIMiddleware(app)
    return adapted
