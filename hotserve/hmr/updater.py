"""The one door through which modules are unloaded, and the only writer of `sys.modules`."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Any

from hotserve.hmr.graph import APPLICATION, ModuleGraph
from hotserve.hmr.registrations import Journal
from hotserve.hmr.sources import Sources
from hotserve.hmr.tracker import Tracker

DISPOSE_TIMEOUT = 5.0  # seconds that an async dispose callback may take


class Updater:
    """Disposes and unloads modules. Behind `hot` while HMR runs."""

    def __init__(
        self,
        graph: ModuleGraph,
        tracker: Tracker,
        sources: Sources,
        journal: Journal,
        forget: Callable[[Iterable[str]], None],
    ) -> None:
        """forget: makes the references into these modules forget their objects."""
        self._graph = graph
        self._tracker = tracker
        self._sources = sources
        self._journal = journal
        self._forget = forget
        self._callbacks: dict[str, list[Callable[[], Any]]] = {}
        # Modules that an importer's new version no longer imports.
        self._dropped: set[str] = set()
        # Clean-up that could not be awaited where it was called; asyncio keeps only weak references to tasks.
        self._cleaning: set[asyncio.Task[Any]] = set()
        # What a dispose callback raised: (module, exception).
        self.on_dispose_error: Callable[[str, BaseException], None] | None = None

    # -- the runtime behind `hot` ----------------------------------------------------------------------------------

    def on_dispose(self, module: str, callback: Callable[[], Any]) -> None:
        """Call `callback` before `module` is unloaded."""
        self._callbacks.setdefault(module, []).append(callback)

    def decline(self, module: str) -> None:
        """A change to `module` restarts."""
        if module in self._graph.nodes:
            self._graph.nodes[module].declined = True

    # -- disposing -------------------------------------------------------------------------------------------------

    async def dispose(self, names: Iterable[str]) -> None:
        """Run the dispose callbacks of these modules, importers first, awaiting the async ones."""
        for module, callback in self._in_order(names):
            result = self._call(module, callback)
            if result is not None:
                await self._awaited(module, result)

    def dispose_now(self, names: Iterable[str]) -> None:
        """The same from where nothing can be awaited: the async ones run on as tasks."""
        for module, callback in self._in_order(names):
            result = self._call(module, callback)
            if result is not None:
                try:
                    task = asyncio.get_running_loop().create_task(self._awaited(module, result))
                except RuntimeError:  # no loop runs in this thread
                    asyncio.run(self._awaited(module, result))
                else:
                    self._cleaning.add(task)
                    task.add_done_callback(self._cleaning.discard)

    async def dispose_all(self) -> None:
        """Run every callback there is: the process is about to end or to be replaced."""
        await self.dispose(list(self._callbacks))
        if self._cleaning:
            await asyncio.wait(self._cleaning, timeout=DISPOSE_TIMEOUT)

    # -- a listener of the tracker ---------------------------------------------------------------------------------

    def began(self, name: str) -> None:
        """A module starts to execute: what an earlier, failed execution registered is not this one's."""
        self._callbacks.pop(name, None)

    def imported(self, importer: str, names: set[str]) -> None:
        pass

    def ended(self, name: str, dropped: set[str]) -> None:
        """A module has been executed; `dropped` is what its previous version imported and this one does not."""
        self._dropped |= dropped

    def prune(self, kept: Collection[str]) -> None:
        """Unload what nobody imports any more: a fresh process would not have it. `kept` are imported by name."""
        graph, dropped = self._graph, self._dropped
        while dropped:
            name = dropped.pop()
            node = graph.nodes.get(name)
            if node is None or not node.loaded or node.held_by is not None or name in kept:
                continue
            if any(importer == APPLICATION or graph.nodes[importer].loaded for importer in graph.importers(name)):
                continue
            if any(below in sys.modules for below in graph.below(name)):
                continue
            dropped |= set(graph.imports(name)) | {name.rpartition(".")[0]}
            graph.unlink(name)
            self.dispose_now([name])
            self.unload([name])

    def _in_order(self, names: Iterable[str]) -> list[tuple[str, Callable[[], Any]]]:
        return [
            (name, callback)
            for name in self._importers_first(name for name in names if name in self._callbacks)
            for callback in reversed(self._callbacks.pop(name))
        ]

    def _importers_first(self, names: Iterable[str]) -> list[str]:
        nodes = self._graph.nodes
        return sorted(names, key=lambda name: nodes[name].order if name in nodes else 0, reverse=True)

    def _call(self, module: str, callback: Callable[[], Any]) -> Awaitable[Any] | None:
        try:
            result = callback()
        except Exception as exc:
            self._failed(module, exc)
            return None
        return result if inspect.isawaitable(result) else None

    async def _awaited(self, module: str, result: Awaitable[Any]) -> None:
        try:
            await asyncio.wait_for(result, DISPOSE_TIMEOUT)
        except asyncio.TimeoutError:
            self._failed(module, TimeoutError(f"a dispose callback took more than {DISPOSE_TIMEOUT:g} seconds"))
        except Exception as exc:
            self._failed(module, exc)

    def _failed(self, module: str, exc: BaseException) -> None:
        if self.on_dispose_error is not None:
            self.on_dispose_error(module, exc)

    # -- unloading -------------------------------------------------------------------------------------------------

    def unload(self, names: Collection[str]) -> int:
        """Drop modules from the process; returns how many were loaded. Their dispose callbacks have run.

        In-flight work keeps the module objects it has. Unloading means two things: out of `sys.modules`, and out of
        the parent package's namespace, or `from package import module` would find the old one without importing.
        """
        self._journal.take_back(set(names))
        unloaded = 0
        for name in self._importers_first(names):
            module = sys.modules.pop(name, None)
            node = self._graph.nodes.get(name)
            if node is not None:
                node.loaded = False
            if module is None:
                continue
            unloaded += 1
            parent, _, child = name.rpartition(".")
            package = sys.modules.get(parent)
            if package is not None and vars(package).get(child) is module:
                delattr(package, child)
            del module, package
        self._tracker.await_packages(names)
        self._forget(names)
        self._sources.collect()
        return unloaded
