"""The oracle: what a fresh interpreter answers.

As a helper process (`python -m tests.property.cold`) it imports what projects need of the standard library and nothing
of any project, and forks for every question. A fork imports the application; for each job a fork of that fork then does
what comes before and answers the route. What is compiled is kept by content, which changes no answer.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
from importlib.machinery import SourceFileLoader
from types import CodeType
from typing import Any

from tests.property.answers import answer, ask, describe_error
from tests.property.wire import Helper, Wire, enter_project, take_over_standard_streams

# What to do before answering: ["load", module] or ["ask", path].
Prelude = list[list[str]]


class Cold:
    """Asks fresh interpreters."""

    def __init__(self) -> None:
        self._helper = Helper("cold")

    def answers(self, root: str, jobs: list[tuple[Prelude, str]]) -> list[Any]:
        """The answer to each (prelude, path), each given by a fresh interpreter of its own."""
        reply: list[Any] = self._helper.ask({"root": root, "jobs": jobs})
        return reply

    def close(self) -> None:
        """End the helper process."""
        self._helper.close()


_codes: dict[tuple[str, bytes], CodeType] = {}


def _compile_all(root: str) -> None:
    for folder, _, files in os.walk(root):
        for file in files:
            if file.endswith(".py"):
                path = os.path.join(folder, file)
                try:
                    _code_of(path)
                except (SyntaxError, ValueError):
                    pass  # whoever imports it will see


def _code_of(path: str) -> CodeType:
    with open(path, "rb") as stream:
        data = stream.read()
    key = (path, data)
    if key not in _codes:
        code: CodeType = compile(data, path, "exec", dont_inherit=True)
        _codes[key] = code
    return _codes[key]


def _get_code(loader: SourceFileLoader, fullname: str) -> CodeType:
    return _code_of(loader.path)


def _serve(wire: Wire) -> None:
    while (request := wire.receive()) is not None:
        if len(_codes) > 5000:
            _codes.clear()
        _compile_all(request["root"])
        wire.send(_in_fork(lambda request=request: _application(request)))


def _in_fork(call: Any) -> Any:
    """What `call` returns in a forked process."""
    pid, read = _fork(call)
    return _collect(pid, read)


def _fork(call: Any) -> tuple[int, int]:
    read, write = os.pipe()
    pid = os.fork()
    if pid:
        os.close(write)
        return pid, read
    status = 1
    try:
        os.close(read)
        data = json.dumps(call()).encode()
        while data:
            data = data[os.write(write, data) :]
        status = 0
    finally:
        os._exit(status)


def _collect(pid: int, read: int) -> Any:
    data = b""
    while chunk := os.read(read, 1 << 16):
        data += chunk
    os.close(read)
    os.waitpid(pid, 0)
    return json.loads(data) if data else {"error": ["the fresh interpreter died"]}


def _application(request: dict[str, Any]) -> list[Any]:
    """In the first fork: import the application, then let each job have a copy of the process."""
    enter_project(request["root"])
    try:
        routes = importlib.import_module("app").routes
    except BaseException as exc:
        return [{"boot": describe_error(exc)} for _ in request["jobs"]]
    forks = [_fork(lambda job=job: _job(routes, *job)) for job in request["jobs"]]
    return [_collect(*fork) for fork in forks]


def _job(routes: list[tuple[str, Any]], prelude: Prelude, path: str) -> Any:
    for kind, name in prelude:
        if kind == "ask":
            ask(routes, name)
        else:
            answer(lambda name=name: importlib.import_module(name).__name__)  # type: ignore[misc]
    # What failed has left garbage that weak sets show; whether it is collected by now is up to chance in any process.
    gc.collect()
    return ask(routes, path)


if __name__ == "__main__":
    import dataclasses  # noqa: F401
    import enum  # noqa: F401
    import functools  # noqa: F401
    import pathlib  # noqa: F401
    import pkgutil  # noqa: F401
    import weakref  # noqa: F401

    import hotserve.reference  # noqa: F401

    assert "tests.property.model" not in sys.modules
    pipes = take_over_standard_streams()
    # Forks share what a collection would otherwise write to.
    gc.collect()
    gc.freeze()
    SourceFileLoader.get_code = _get_code  # type: ignore[method-assign, assignment]
    _serve(pipes)
