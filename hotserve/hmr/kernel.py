"""The kernel, wired: what the server sees of `hmr`.

    watcher ──paths──▶ plan ──Update──▶ apply ──▶ the references into stale modules forget
                                                       │
    request ──▶ Lazy ──▶ resolver ──import──▶ tracker ─┴▶ graph

Everything here runs on the event loop's thread, so there are no locks; only imports may run in others, and an update
waits for those.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType
from typing import Any

from hotserve import pyproject, reference
from hotserve.config import Config
from hotserve.errors import LoadError
from hotserve.hmr import changes as changes_of
from hotserve.hmr import fresh
from hotserve.hmr.graph import APPLICATION, ModuleGraph
from hotserve.hmr.plan import HotUpdate, Restart, Update, plan
from hotserve.hmr.registrations import Journal
from hotserve.hmr.resolver import HotResolver
from hotserve.hmr.sources import Sources
from hotserve.hmr.tracker import Tracker
from hotserve.hmr.updater import Updater
from hotserve.hot import hot
from hotserve.reference import ASGIApp, Lazy, Reference


@dataclass(frozen=True, slots=True)
class Applied:
    """What a hot update did.

    modules:          how many loaded modules were unloaded
    open_connections: requests, WebSockets and streams that run on in an old version
    restart:          why the update must be completed by a restart after all, or None
    """

    modules: int
    open_connections: int
    restart: str | None = None


def _raise(error: LoadError) -> ASGIApp:
    raise error


class Kernel:
    """Tracks the modules of one application, plans updates and applies them."""

    def __init__(self, config: Config, *, failed: Callable[[LoadError], ASGIApp] = _raise) -> None:
        """failed: makes the application that answers for a reference that cannot be loaded."""
        self.config = config
        self.graph = ModuleGraph()
        self.sources = Sources(config.is_ignored)
        self.tracker = Tracker(
            self.graph, self.sources, config.is_tracked, self._is_declared_boundary, frozenset(self._barriers())
        )
        self.resolver = HotResolver(self.graph, self.tracker, config.is_boundary, failed)
        self._journal = Journal(self.graph)
        self._updater = Updater(self.graph, self.tracker, self.sources, self._journal, self.resolver.forget)
        self.tracker.listeners += [self._journal, self._updater]
        self.resolver.prune = self._updater.prune
        self.resolver.unload_whole = self._unload_whole
        self.resolver.on_failure = self._failed_to_load
        self._application: Reference | None = None
        self._before: frozenset[str] = frozenset()
        self._settings = self._read_settings()
        self._updates = 0
        # A reference cannot be loaded; called once for each distinct failure, with the error (its cause attached).
        self.on_failure: Callable[[LoadError], None] | None = None
        # A fresh interpreter could import what this one could not: the reason to restart. From any thread.
        self.on_phantom: Callable[[str], None] | None = None
        # A dispose callback of a module raised.
        self.on_dispose_error: Callable[[str, BaseException], None] | None = None
        self._updater.on_dispose_error = self._dispose_error

    # -- coming and going ------------------------------------------------------------------------------------------

    def install(self) -> None:
        """Start to track imports and to resolve references. Nothing of the project may have been imported yet."""
        self._before = frozenset(sys.modules)
        self.tracker.install()
        reference.use(self.resolver)
        hot.attach(self._updater)

    def uninstall(self) -> None:
        """Leave the interpreter as it was; what was imported stays imported."""
        self.tracker.uninstall()
        reference.use(None)
        hot.attach(None)

    def load_application(self, target: Reference) -> Any:
        """Import the application module and return what `target` names. Raises LoadError."""
        self._application = target
        parts = target.module.split(".")
        for count in range(len(parts)):
            self.graph.link(APPLICATION, ".".join(parts[: count + 1]))
        return reference.load(target, "the command line", self.tracker.import_module)

    @contextmanager
    def starting(self) -> Iterator[None]:
        """The application is made and starts: what it loads here is its own, and a later change needs a new one."""
        self.tracker.starting = True
        try:
            yield
        finally:
            self.tracker.starting = False

    async def dispose_all(self) -> None:
        """Run every module's dispose callbacks, importers first: the process ends or is replaced."""
        await self._updater.dispose_all()

    # -- updates ---------------------------------------------------------------------------------------------------

    def plan(self, paths: Collection[str]) -> Update | None:
        """What the saves to these absolute paths ask for; None where nothing has really changed.

        Raises ConfigError when one of them is the pyproject.toml in force and its [tool.hotserve] cannot be used.
        """
        if self.config.pyproject is not None and str(self.config.pyproject) in paths:
            if self._read_settings() != self._settings:
                shown = self.config.display(str(self.config.pyproject))
                return Restart((shown,), f"{shown} changed ([tool.hotserve])")
        changes = changes_of.examine(paths, self.graph, self.sources, self.config, self._before)
        return plan(
            self.graph,
            changes,
            boundaries=self.resolver.imported,
            display=self.config.display,
            application=self._application.module if self._application is not None else "",
            coupled=self._coupled,
        )

    async def apply(self, update: HotUpdate) -> Applied:
        """Unload what is stale. Awaits only async dispose callbacks and imports that run in other threads."""
        await self._others_to_finish_importing()
        self._updates += 1
        self.resolver.changed()
        open_connections = self.resolver.in_flight(update.boundaries)
        await self._updater.dispose(update.stale)
        await self._others_to_finish_importing()
        modules = self._updater.unload(update.stale)
        self.resolver.forget(update.boundaries)
        if update.structural:
            self.tracker.forget_specs()
            self._let_go_of_deleted_modules(update.stale)
        for package in update.reimport:
            try:
                self.tracker.import_module(package)
            except Exception as exc:
                reason = f"{package} cannot be imported again ({type(exc).__name__}), and the application needs it"
                return Applied(modules, open_connections, reason)
        return Applied(modules, open_connections)

    def compile_ahead(self, file: str) -> bool:
        """Compile a module's file that was saved, before a request needs it. False if it does not compile."""
        names = self.graph.names_of(file)
        return all(self.sources.compile_ahead(name, file) for name in list(names))

    def boundaries(self) -> list[str]:
        """The modules that references name."""
        return self.resolver.declared()

    def imported_boundaries(self) -> list[str]:
        """Those of them that were imported so far."""
        return sorted(self.resolver.imported)

    # -- inside ----------------------------------------------------------------------------------------------------

    def _barriers(self) -> Iterator[CodeType]:
        """Who imports on nobody's behalf: an edge ends here, even if a module's frame is further up the stack."""
        yield HotResolver._import.__code__
        yield Kernel.load_application.__code__
        yield Kernel.apply.__code__

    def _coupled(self, stale: set[str]) -> set[str]:
        """What must go with the stale modules, though it does not import them: modules to which they did what cannot
        be taken back; modules that only they import and that others would still see; modules with such traces that lie
        below a stale package, or are used from there: in a fresh process it executes before them."""
        findable = self.sources.sees_garbage()
        imported = {name for name in self.graph.with_imports(stale) - stale if self._journal.lingers(name, findable)}
        lingering = {name for name in imported if not self._is_in_use(name, stale)}
        for package in [name for name in stale if name in self.graph.nodes and self.graph.nodes[name].package]:
            later = self.graph.with_packages(self.graph.with_imports(self.graph.below(package)))
            lingering |= {name for name in later if self._journal.lingers(name, findable)}
        return lingering | self._journal.coupled(stale)

    def _is_in_use(self, name: str, stale: set[str]) -> bool:
        """Does anything but stale modules lead to this one: the application, a boundary, a stranger?"""
        nodes = self.graph.nodes
        seen, todo = {name}, [name]
        while todo:
            each = todo.pop()
            node = nodes.get(each)
            if each == APPLICATION or (node is not None and node.loaded and node.held_by is not None):
                return True
            if node is not None and node.loaded and each in self.resolver.imported:
                return True
            for importer in self.graph.importers(each):
                loaded = importer == APPLICATION or (importer in nodes and nodes[importer].loaded)
                if importer not in seen and importer not in stale and loaded:
                    seen.add(importer)
                    todo.append(importer)
        return False

    def _is_declared_boundary(self, name: str) -> bool:
        node = self.graph.nodes.get(name)
        return node is not None and self.config.boundaries is not None and self.config.is_boundary(node.file)

    async def _others_to_finish_importing(self) -> None:
        while self.tracker.executing_elsewhere():
            loop, idle = asyncio.get_running_loop(), asyncio.Event()
            self.tracker.on_idle = lambda loop=loop, idle=idle: loop.call_soon_threadsafe(idle.set)
            if self.tracker.executing_elsewhere():
                await idle.wait()
            self.tracker.on_idle = None

    def _unload_whole(self, names: set[str]) -> bool:
        """Unload a boundary's whole tree with its importers; False where that takes a new application."""
        if APPLICATION in names:
            return False
        self._updater.dispose_now(names)
        self._updater.unload(names)
        return True

    def _failed_to_load(self, lazy: Lazy, error: LoadError) -> None:
        if self.on_failure is not None:
            self.on_failure(error)
        if self._updates == 0 or self._application is None or isinstance(error.__cause__, SyntaxError):
            return  # this process is as fresh as any, or the file itself is wrong
        text = (
            f"{lazy.reference} could be imported by a fresh process, though not here ({type(error.__cause__).__name__})"
        )

        asked = self._updates

        def can_load() -> None:
            if asked != self._updates:
                return  # it may have answered for files that this process had not seen
            if self.on_phantom is not None and self.resolver.is_failing(lazy):
                self.on_phantom(text)

        fresh.ask(self.config, self._application, lazy.reference, can_load)

    def _dispose_error(self, module: str, exc: BaseException) -> None:
        if self.on_dispose_error is not None:
            self.on_dispose_error(module, exc)

    def _let_go_of_deleted_modules(self, names: Collection[str]) -> None:
        for name in names:
            node = self.graph.nodes.get(name)
            if node is not None and not self.sources.exists(node.file):
                self.sources.take(node.file)  # nothing: the same content, once back, is a change
                self.graph.unlink(name)  # what is not there imports nothing
                hot.drop(name)

    def _read_settings(self) -> list[pyproject.Given]:
        return [] if self.config.pyproject is None else list(pyproject.read(self.config.pyproject))
