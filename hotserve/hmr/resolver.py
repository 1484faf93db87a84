"""The hot resolver: a reference is imported when it is first needed after its module was unloaded.

With nothing changed it is not on the request path at all: `Lazy.app` is set, and an update clears just the references
into modules that went stale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any
from weakref import WeakSet

from hotserve import reference
from hotserve.errors import ImportFailed, LoadError
from hotserve.hmr.graph import APPLICATION, ModuleGraph
from hotserve.hmr.tracker import Tracker
from hotserve.reference import ASGIApp, Lazy


class HotResolver:
    """Resolves references under HMR; see `hotserve.reference.Resolver`."""

    def __init__(
        self,
        graph: ModuleGraph,
        tracker: Tracker,
        is_boundary: Callable[[str], bool],
        failed: Callable[[LoadError], ASGIApp],
    ) -> None:
        """is_boundary: may this file be a boundary?

        failed: makes the application that answers while a reference cannot be loaded
        """
        self._graph = graph
        self._tracker = tracker
        self._is_boundary = is_boundary
        self._failed = failed
        self._lazies: dict[str, WeakSet[Lazy]] = {}
        # The boundaries that were imported so far.
        self.imported: set[str] = set()
        # Requests in flight, by module: one counter a version.   {"controllers.chat": [[2], [1]]}
        self._in_flight: dict[str, list[list[int]]] = {}
        # Failures that were reported, so that each is reported once.   {"controllers.users:index": "…"}
        self._reported: dict[str, str] = {}
        # What these came from, since the last update.   {("division by zero", "/project/services/users.py")}
        self._causes: set[tuple[str, str | None]] = set()
        # An import has failed: the classes that it made are garbage, which the next attempt must not find.
        self._littered = False
        # Has there been an update? Until then, every import is as whole as in any fresh process.
        self._updated = False
        # Modules that were imported whole once more since the last change.
        self._retried: set[str] = set()
        self.unload_whole: Callable[[set[str]], bool] | None = None
        self.prune: Callable[[set[str]], None] | None = None
        self.on_failure: Callable[[Lazy, LoadError], None] | None = None

    # -- what routing asks -----------------------------------------------------------------------------------------

    def declare(self, lazy: Lazy) -> None:
        self._lazies.setdefault(lazy.reference.module, WeakSet()).add(lazy)

    def load(self, lazy: Lazy) -> Any:
        module = lazy.reference.module
        importer = self._tracker.executing() or (APPLICATION if self._tracker.starting else None)
        if importer is not None:
            # What it gives is kept by a module's import, or by the start of the application.
            self._tracker.link(importer, module)
        if self._littered:
            self._littered = False
            self._tracker.sources.collect()
        try:
            value = reference.load(lazy.reference, lazy.owner, self._import)
        except LoadError as error:
            value = self._load_whole(lazy, error)
        finally:
            node = self._graph.nodes.get(module)
            if node is not None and not self._is_boundary(node.file):
                self._tracker.link(APPLICATION, module)
        self._reported.pop(str(lazy.reference), None)
        self.imported.add(module)
        if self.prune is not None and importer is None:
            self.prune(self.imported)
        return value

    def serve(self, lazy: Lazy, app: ASGIApp) -> ASGIApp:
        counter = [0]
        self._in_flight.setdefault(lazy.reference.module, []).append(counter)

        async def counted(scope: Any, receive: Any, send: Any) -> None:
            counter[0] += 1
            try:
                await app(scope, receive, send)
            finally:
                counter[0] -= 1

        return counted

    def failed(self, lazy: Lazy, error: LoadError) -> ASGIApp:
        return self._failed(error)

    # -- what the updater and the terminal ask ---------------------------------------------------------------------

    def forget(self, names: Iterable[str]) -> None:
        """These modules were unloaded: the references into them load anew. So do those that failed."""
        for name in names:
            for lazy in list(self._lazies.get(name, ())):
                lazy.forget()

    def changed(self) -> None:
        """Something is updated: what failed may be tried whole once more."""
        self._updated = True
        self._retried.clear()
        self._causes.clear()

    def in_flight(self, names: Iterable[str]) -> int:
        """How many requests, WebSockets and streams these modules are serving now, in whatever version."""
        total = 0
        for name in names:
            counters = [counter for counter in self._in_flight.get(name, ()) if counter[0]]
            self._in_flight[name] = counters
            total += sum(counter[0] for counter in counters)
        return total

    def is_failing(self, lazy: Lazy) -> bool:
        """Could this reference not be loaded when it was last needed?"""
        return str(lazy.reference) in self._reported

    def declared(self) -> list[str]:
        """The modules that the application's references name."""
        return sorted(name for name, lazies in self._lazies.items() if len(lazies))

    # -- importing -------------------------------------------------------------------------------------------------

    def _import(self, name: str) -> ModuleType:
        """Import a boundary on nobody's behalf."""
        self._tracker.run_packages_around(name)
        return self._tracker.import_module(name)

    def _load_whole(self, lazy: Lazy, error: LoadError) -> Any:
        """A failed re-import is not yet an error: cycles and registries make a partial one fail where a whole one would
        not. Import the boundary's whole tree once more; then report."""
        module = lazy.reference.module
        self._littered = True
        if self._updated and module not in self._retried and could_be_partial(error):
            self._retried.add(module)
            tree = {name for name in self._graph.with_imports({module}) if name in self._graph.nodes}
            if self.unload_whole is not None and self.unload_whole(self._graph.with_importers(tree)):
                try:
                    return reference.load(lazy.reference, lazy.owner, self._import)
                except LoadError as again:
                    error = again
        if self._reported.get(str(lazy.reference)) != str(error):
            self._reported[str(lazy.reference)] = str(error)
            # One broken module is one failure, however many references need it.
            cause = (str(error.__cause__), error.file) if isinstance(error, ImportFailed) else (str(error), None)
            if self.on_failure is not None and cause not in self._causes:
                self._causes.add(cause)
                self.on_failure(lazy, error)
        raise error


def could_be_partial(error: LoadError) -> bool:
    """Could this failure come from some modules having been executed anew and others not?

    A file that does not compile, a name that the module itself does not define and a module that does not exist fail
    the same way in a fresh process; importing everything again would only lose state that is worth keeping.
    """
    if not isinstance(error, ImportFailed):
        return False
    cause = error.__cause__
    if isinstance(cause, ImportError) and not isinstance(cause, ModuleNotFoundError):
        return "circular import" in str(cause) or "partially initialized" in str(cause)
    return not isinstance(cause, SyntaxError | NameError | ModuleNotFoundError)
