"""Speaks ASGI to an application in this process, and writes the modules that it is made of."""

from __future__ import annotations

import asyncio
import importlib
import operator
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx


def request(
    app: Any, method: str, path: str, *, raise_errors: bool = True, headers: Any = None, content: bytes | None = None
) -> httpx.Response:
    """The answer of `app` to one HTTP request; an exception that leaves the application is raised here."""

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=raise_errors)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver", verify=False) as client:
            return await client.request(method, path, headers=headers, content=content)

    return asyncio.run(send())


def get(app: Any, path: str, **options: Any) -> httpx.Response:
    """The answer of `app` to GET `path`."""
    return request(app, "GET", path, **options)


def scope_of(kind: str, path: str, **more: Any) -> dict[str, Any]:
    """An ASGI scope as a server makes it."""
    scope: dict[str, Any] = {"method": "GET"} if kind == "http" else {"subprotocols": []}
    return scope | {"type": kind, "path": path, "root_path": "", "query_string": b"", "headers": []} | more


def converse(app: Any, path: str, *texts: str) -> list[dict[str, Any]]:
    """What `app` sends to a WebSocket client that connects, says `texts` and leaves."""
    incoming: list[dict[str, Any]] = [{"type": "websocket.connect"}]
    incoming += [{"type": "websocket.receive", "text": text} for text in texts]
    incoming.append({"type": "websocket.disconnect", "code": 1000})
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return incoming.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app(scope_of("websocket", path), receive, send))
    return sent


def live(app: Any) -> list[str]:
    """The types of the messages of `app` over one lifespan: started, then shut down."""
    incoming = ["lifespan.startup", "lifespan.shutdown"]
    sent: list[str] = []

    async def receive() -> dict[str, str]:
        return {"type": incoming.pop(0)}

    async def send(message: dict[str, str]) -> None:
        sent.append(message["type"])

    asyncio.run(app({"type": "lifespan", "state": {}}, receive, send))
    return sent


class Modules:
    """A folder on `sys.path`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, file: str, source: str) -> Path:
        """Write a module and, where they are missing, the packages around it."""
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        for package in path.relative_to(self.folder).parents:
            if package.name and not (self.folder / package / "__init__.py").exists():
                (self.folder / package / "__init__.py").touch()
        path.write_text(textwrap.dedent(source), encoding="utf-8")
        importlib.invalidate_caches()
        return path

    def load(self, reference: str) -> Any:
        """The object, had as an eager application has it."""
        module, _, attr = reference.partition(":")
        return operator.attrgetter(attr)(importlib.import_module(module))

    def imported(self) -> list[str]:
        """Which of the folder's modules have been imported."""
        return sorted(name for name, module in sys.modules.items() if self._is_ours(module))

    def unload(self) -> None:
        """Forget every module of the folder, as an update does."""
        for name in self.imported():
            del sys.modules[name]

    def _is_ours(self, module: Any) -> bool:
        file = getattr(module, "__file__", None)
        return isinstance(file, str) and Path(file).is_relative_to(self.folder)

    @classmethod
    @contextmanager
    def importable(cls, folder: Path) -> Iterator[Modules]:
        """Put `folder` on `sys.path`, and take it and its modules out again."""
        modules = cls(folder)
        bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # a file rewritten within a second is new
        sys.path.insert(0, str(folder))
        try:
            yield modules
        finally:
            sys.path.remove(str(folder))
            sys.dont_write_bytecode = bytecode
            modules.unload()
            importlib.invalidate_caches()
