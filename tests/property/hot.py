"""The other side: one process under the kernel, which is told of changes and asked for answers.

As a helper process (`python -m tests.property.hot`) it has hotserve imported and forks for every start of an
application; the fork talks on the same pipes until it is told to leave.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import weakref
from pathlib import Path
from typing import Any

from tests.property.answers import ask, describe_error
from tests.property.wire import Helper, Wire, enter_project, take_over_standard_streams


class Hot:
    """A running application."""

    def __init__(self) -> None:
        self._helper = Helper("hot")
        self._running = False

    def start(self, root: str, boundaries: list[str] | None) -> Any:
        """Start the application anew; gives None, or the error of its import."""
        self.stop()
        reply = self._helper.ask({"root": root, "boundaries": boundaries})
        self._running = True
        return reply["boot"]

    def change(self, paths: list[str]) -> dict[str, Any]:
        """Tell of files that may have changed. Gives the kind of update and its reason."""
        reply: dict[str, Any] = self._helper.ask({"change": paths})
        return reply

    def ask(self, path: str) -> dict[str, Any]:
        """The answer of a route; also what is loaded, in order, and whether a fresh interpreter was asked."""
        reply: dict[str, Any] = self._helper.ask({"ask": path})
        return reply

    def survivors(self) -> list[str]:
        """Modules that were unloaded and are still alive after a collection."""
        reply: list[str] = self._helper.ask({"survivors": True})
        return reply

    def stop(self) -> None:
        """End the application."""
        if self._running:
            self._helper.ask({"stop": True})
            self._running = False

    def close(self) -> None:
        """End the helper process."""
        self.stop()
        self._helper.close()


class _Application:
    """In the fork."""

    def __init__(self, root: str, boundaries: list[str] | None) -> None:
        from hotserve.config import Config
        from hotserve.hmr import fresh, kernel
        from hotserve.reference import Reference

        enter_project(root)
        self.root = root + os.sep
        folder = Path(root)
        config = Config(
            root=folder, pyproject=None, app_dir=folder, boundaries=tuple(boundaries) if boundaries else None
        )
        # The driver asks the oracle instead of a process that would have to be waited for.
        self.wants_fresh = False
        fresh.ask = self._ask_fresh  # type: ignore[assignment]
        # Old versions must be gone when the kernel says so, not when chance collects.
        gc.disable()
        self.kernel = kernel.Kernel(config)
        self.kernel.install()
        self.routes: list[tuple[str, Any]] = []
        self.boot: Any = None
        self.old: list[tuple[str, weakref.ref[Any]]] = []
        try:
            self.routes = self.kernel.load_application(Reference.parse("app:routes"))
        except BaseException as exc:
            self.boot = describe_error(exc.__cause__ or exc)

    def _ask_fresh(self, *arguments: object) -> None:
        self.wants_fresh = True

    def handle(self, request: dict[str, Any]) -> Any:
        if "change" in request:
            return self._change(request["change"])
        if "ask" in request:
            self.wants_fresh = False
            result = ask(self.routes, request["ask"])
            return {"answer": result, "loaded": self._loaded(), "wants_fresh": self.wants_fresh}
        gc.collect()
        return sorted(
            {name for name, ref in self.old if (module := ref()) is not None and module is not sys.modules.get(name)}
        )

    def _change(self, paths: list[str]) -> dict[str, Any]:
        from hotserve.hmr.plan import HotUpdate

        # Weak, since whoever holds an old version keeps its classes in `Base.__subclasses__()`.
        before = {name: weakref.ref(module) for name, module in self._project_modules()}
        try:
            update = self.kernel.plan(paths)
            kind = type(update).__name__
            reason = str(update)
            if isinstance(update, HotUpdate):
                applied = asyncio.run(self.kernel.apply(update))
                if applied.restart is not None:
                    kind, reason = "Restart", applied.restart
        except Exception as exc:
            import traceback

            return {"kind": "Crash", "reason": "".join(traceback.format_exception(exc)), "stale": []}
        self.old += [
            (name, ref) for name, ref in before.items() if ref() is not None and ref() is not sys.modules.get(name)
        ]
        return {"kind": kind, "reason": reason, "stale": sorted(getattr(update, "stale", ()))}

    def _project_modules(self) -> list[tuple[str, Any]]:
        found = []
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if file is not None and file.startswith(self.root):
                found.append((name, module))
        return found

    def _loaded(self) -> list[str]:
        return [name for name, _ in self._project_modules()]


def _serve(wire: Wire) -> None:
    while (request := wire.receive()) is not None:
        pid = os.fork()
        if pid:
            os.waitpid(pid, 0)
            continue
        application = _Application(**request)
        wire.send({"boot": application.boot})
        while (request := wire.receive()) is not None and "stop" not in request:
            wire.send(application.handle(request))
        wire.send({})
        os._exit(0)


if __name__ == "__main__":
    import enum  # noqa: F401
    import functools  # noqa: F401
    import json  # noqa: F401
    import pkgutil  # noqa: F401

    import hotserve.hmr.kernel  # noqa: F401

    gc.collect()
    gc.freeze()
    _serve(take_over_standard_streams())
