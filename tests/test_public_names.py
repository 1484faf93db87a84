"""What an application imports from hotserve, and what that costs it."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest
import starlette.middleware
import starlette.routing

import hotserve

# What serves and watches is no business of an application in production.
HEAVY = (
    "click",
    "hotserve.cli",
    "hotserve.config",
    "hotserve.hmr",
    "hotserve.server",
    "tomli",
    "uvicorn",
    "watchfiles",
)


def test_the_public_names() -> None:
    assert sorted(hotserve.__all__) == ["Middleware", "Mount", "Route", "WebSocketRoute", "hot", "lazy"]
    for name in hotserve.__all__:
        assert hasattr(hotserve, name)


@pytest.mark.parametrize("name", hotserve.__all__)
def test_every_public_name_says_what_it_is_in_its_first_line(name: str) -> None:
    value = getattr(hotserve, name)
    documented = value if inspect.isfunction(value) or inspect.isclass(value) else type(value)
    first = (documented.__doc__ or "").partition("\n")[0]
    assert first.endswith((".", ":", ")")) and len(first) > 20
    own = starlette.middleware if name == "Middleware" else starlette.routing
    assert documented.__doc__ != getattr(getattr(own, name, None), "__doc__", None)


@pytest.mark.parametrize("name", ["Route", "WebSocketRoute", "Mount", "Middleware"])
def test_the_classes_are_starlettes_extended(name: str) -> None:
    own = starlette.middleware if name == "Middleware" else starlette.routing
    assert issubclass(getattr(hotserve, name), getattr(own, name))


@pytest.mark.parametrize("name", ["Route", "WebSocketRoute", "Mount"])
def test_every_option_of_starlettes_classes_is_taken(name: str) -> None:
    ours = inspect.signature(getattr(hotserve, name)).parameters
    theirs = inspect.signature(getattr(starlette.routing, name)).parameters
    for option, parameter in theirs.items():
        assert (ours[option].kind, ours[option].default) == (parameter.kind, parameter.default)
    assert [option for option in ours if option in theirs] == list(theirs)


def test_importing_hotserve_imports_nothing_that_serves_or_watches() -> None:
    code = f"import sys, hotserve; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == []


def test_a_lazy_application_imports_nothing_that_serves_or_watches() -> None:
    code = f"""
import asyncio, sys
from hotserve import Middleware, Mount, Route, WebSocketRoute, hot, lazy
from starlette.applications import Starlette

app = Starlette(
    routes=[Route("/", "http:HTTPStatus"), Mount("/m", "http:HTTPStatus"), WebSocketRoute("/w", "http:HTTPStatus")],
    exception_handlers={{404: lazy("starlette.responses:PlainTextResponse")}},
)
assert app.routes[0].endpoint.OK == 200 and not hot
print(*[name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == []
