"""Watches modules being imported and fills the graph: an import hook, a wrapped `__import__`, an audit hook.

A finder alone cannot see edges to modules already loaded, since `import` of a cached module never reaches
`sys.meta_path`; therefore `builtins.__import__` is wrapped, and `importlib.import_module`, whose importer is one frame
up. An edge is recorded also when the import fails.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import CodeType, FrameType, ModuleType
from typing import Any, Protocol

from hotserve.hmr import reads
from hotserve.hmr.finder import Finder
from hotserve.hmr.graph import APPLICATION, ModuleGraph
from hotserve.hmr.sources import Sources


class Listener(Protocol):
    """Who wants to know what the tracker sees while modules execute."""

    def began(self, name: str) -> None: ...
    def imported(self, importer: str, names: set[str]) -> None: ...
    def ended(self, name: str, dropped: set[str]) -> None: ...


class _Local(threading.local):
    def __init__(self) -> None:
        # The tracked modules that this thread is executing, innermost last.
        self.executing: list[str] = []
        # Depth of our own look-ups and reads, which are not the module's.
        self.ours = 0


class Tracker:
    """The import hook. `install` puts it in place, `uninstall` takes it out again."""

    def __init__(
        self,
        graph: ModuleGraph,
        sources: Sources,
        is_tracked: Callable[[str], bool],
        is_lazy: Callable[[str], bool],
        barriers: frozenset[CodeType],
    ) -> None:
        """is_tracked: is this file one of the project's?

        is_lazy: is this module a declared boundary, so that importing it inside a function is no edge?
        barriers: the code of those who import on nobody's behalf (the resolver, the start of the application)
        """
        self.graph = graph
        self.sources = sources
        self._is_tracked = is_tracked
        self.is_lazy = is_lazy
        self.barriers = barriers
        self.listeners: list[Listener] = []
        # While the application starts, what is imported inside a function is its own: a change must start it anew.
        self.starting = False
        # Packages that were unloaded and must run again before anything below them is used.
        self.awaited: set[str] = set()
        # Fresh submodules of a package that executes anew, to be bound to it again.   {"shop": {"shop.prices"}}
        self._unbound: dict[str, set[str]] = {}
        self._local = _Local()
        self._threads: dict[int, int] = {}
        # Called when the last execution in any thread has ended.
        self.on_idle: Callable[[], None] | None = None
        self._finder = Finder(self)
        self._import: Callable[..., Any] = builtins.__import__
        self._import_module = importlib.import_module
        self._installed = False

    # -- coming and going ------------------------------------------------------------------------------------------

    def install(self) -> None:
        """Start to track. Modules of the project that are loaded already are held by whoever loaded them."""
        self._installed = True
        self._import, builtins.__import__ = builtins.__import__, self._tracked_import
        self._import_module, importlib.import_module = importlib.import_module, self._tracked_import_module
        sys.meta_path.insert(0, self._finder)
        reads.listen(self._listens, self._read)

    def uninstall(self) -> None:
        """Leave the import system as it was."""
        if self._installed:
            self._installed = False
            builtins.__import__ = self._import
            importlib.import_module = self._import_module
            sys.meta_path.remove(self._finder)
            reads.silence(self._read)

    def is_tracked(self, file: str) -> bool:
        """Is this file one of the project's?"""
        return self._is_tracked(file)

    def hold(self, name: str, by: str) -> None:
        """Somebody keeps this version of the module for good: a change to it restarts."""
        if name in self.graph.nodes:
            self.graph.nodes[name].held_by = by

    def executing(self) -> str | None:
        """The tracked module that this thread is executing, if any."""
        stack = self._local.executing
        return stack[-1] if stack else None

    def executing_elsewhere(self) -> bool:
        """Is any other thread executing a tracked module?"""
        own = threading.get_ident()
        return any(thread != own for thread in list(self._threads))

    def forget_specs(self) -> None:
        """Files came or went: look for modules anew."""
        self._finder.specs.clear()
        importlib.invalidate_caches()

    def import_module(self, name: str) -> ModuleType:
        """Import on nobody's behalf: no edge is recorded for it."""
        return self._import_module(name)

    def link(self, importer: str, name: str) -> None:
        """Record an import that no import statement shows."""
        self._link(importer, {name})

    # -- executions ------------------------------------------------------------------------------------------------

    @contextmanager
    def execution(self, name: str, file: str, package: bool) -> Iterator[None]:
        """A tracked module executes in this thread."""
        graph, stack, thread = self.graph, self._local.executing, threading.get_ident()
        initiator = self._initiator(sys._getframe(3)) if not stack else None
        node = graph.begin(name, file, package)
        if isinstance(initiator, _Held):
            self.hold(name, initiator.by)
        elif initiator is not None:
            self._imported(initiator, {name})
        if package:
            self._unbound[name] = _loaded_children(name)
        for listener in self.listeners:
            listener.began(name)
        stack.append(name)
        self._threads[thread] = self._threads.get(thread, 0) + 1
        complete = False
        try:
            yield
            complete = True
        finally:
            stack.pop()
            if package:
                for child in self._unbound.pop(name, ()):
                    _bind(child)
            if complete:
                self.awaited.discard(name)
            for path in list(node.files):
                self.sources.take(path)
            dropped = graph.end(name, complete)
            for listener in self.listeners:
                listener.ended(name, dropped)
            if self._threads[thread] == 1:
                del self._threads[thread]
                if not self._threads and self.on_idle is not None:
                    self.on_idle()
            else:
                self._threads[thread] -= 1

    # -- imports ---------------------------------------------------------------------------------------------------

    def _tracked_import(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        namespace = globals if globals is not None else sys._getframe(1).f_globals  # __import__("name")
        importer = namespace.get("__name__")
        if importer not in self.graph.nodes:
            module = self._import(name, globals, locals, fromlist, level)
            if name in self.graph.nodes and not level:
                self._imported_by_stranger(str(importer), {name}, sys._getframe(1))
            return module
        assert isinstance(importer, str)
        absolute = _absolute(name, namespace, level) if level else name
        if self.awaited or self._unbound:
            self._tend_packages(absolute, fromlist)
        module = None
        try:
            module = self._import(name, globals, locals, fromlist, level)
            return module
        finally:
            names = self._names_asked_for(absolute, fromlist, module)
            if names:
                self._imported(importer, names)

    def _tracked_import_module(self, name: str, package: str | None = None) -> ModuleType:
        frame = sys._getframe(1)
        importer = frame.f_globals.get("__name__")
        try:
            absolute = importlib.util.resolve_name(name, package)
        except (ImportError, ValueError, TypeError, AttributeError):
            absolute = ""  # the call below says what is wrong with it
        tracked = importer in self.graph.nodes
        if tracked and (self.awaited or self._unbound):
            self._tend_packages(absolute, None)
        try:
            return self._import_module(name, package)
        finally:
            names = {each for each in _prefixes(absolute) if self._matters(each)}
            if names and tracked:
                self._imported(str(importer), names)
            elif names:
                self._imported_by_stranger(str(importer), names, frame)

    def _names_asked_for(self, absolute: str, fromlist: Sequence[str] | None, module: ModuleType | None) -> set[str]:
        """The names that an import statement depends on.

        `import a.b.c`: each of a, a.b and a.b.c, since it binds `a`. `from a.b import c`: a.b, and a.b.c if that is a
        module or if there is no such name; not a. `from a import *`: also the submodules that `a.__all__` names.
        """
        if not fromlist:
            return {each for each in _prefixes(absolute) if self._matters(each)}
        names = {absolute} if self._matters(absolute) else set()
        if module is None:
            # It failed, perhaps on the way to the module itself.
            names.update(each for each in _prefixes(absolute) if each not in sys.modules)
        loaded = sys.modules.get(absolute)
        if not names and loaded is not None and not _is_namespace(loaded):
            return names  # a third-party module, whole: its names are its own affair
        asked = list(fromlist)
        if "*" in asked:
            asked.remove("*")
            asked.extend(_star_names(loaded, absolute))
        for name in asked:
            full = f"{absolute}.{name}"
            if loaded is None or full in sys.modules or not _has(loaded, name):
                names.add(full)
        return names

    def _matters(self, name: str) -> bool:
        """Is an edge to this name worth keeping: a tracked module, a namespace package, or nothing (yet)?"""
        if name in self.graph.nodes:
            return True
        module = sys.modules.get(name)
        return module is None or _is_namespace(module)

    def _imported(self, importer: str, names: set[str]) -> None:
        if not self._local.executing:
            if self.starting:
                self._link(APPLICATION, names)
            else:
                names = {name for name in names if not self.is_lazy(name)}
        self._link(importer, names)

    def _link(self, importer: str, names: set[str]) -> None:
        for name in names:
            self.graph.link(importer, name)
        for listener in self.listeners:
            listener.imported(importer, names)

    def _imported_by_stranger(self, importer: str, names: set[str], frame: FrameType) -> None:
        """Somebody outside the project imported a module of the project that is loaded already."""
        initiator = self._initiator(frame)
        if isinstance(initiator, str):
            self._imported(initiator, names)
        elif initiator is not None:
            for name in names:
                self.hold(name, initiator.by)

    def _initiator(self, frame: FrameType | None) -> str | _Held | None:
        """On whose behalf is this thread importing? A tracked module; nobody (None); or a stranger who will hold it."""
        barriers, nodes = self.barriers, self.graph.nodes
        stranger = ""
        while frame is not None:
            if frame.f_code in barriers:
                return APPLICATION if self.starting else None
            name = frame.f_globals.get("__name__")
            if name in nodes and frame.f_code.co_filename == nodes[name].file:
                return str(name)
            if not stranger and name and not str(name).startswith(("importlib", "_frozen_importlib", "hotserve.hmr")):
                stranger = str(name)
            frame = frame.f_back
        return _Held(stranger or "__main__")

    # -- packages that run again -----------------------------------------------------------------------------------

    def await_packages(self, names: Iterable[str]) -> None:
        """These modules are not loaded: those that are packages of loaded ones execute before the latter are used."""
        nodes = self.graph.nodes
        packages = [name for name in names if name not in nodes or nodes[name].package]
        self.awaited.update(name for name in packages if any(each.startswith(name + ".") for each in list(sys.modules)))

    def run_packages_around(self, name: str) -> None:
        """Execute the packages that were unloaded and that a fresh process would execute on the way to this module:
        its own parents, and, where it is loaded and will not execute itself, those around all that it imports."""
        if not self.awaited:
            return
        around = _prefixes(name)[:-1]
        if name in sys.modules:
            tree = self.graph.with_imports({name})
            others = {parent for each in tree for parent in _prefixes(each)[:-1]}
            nodes = self.graph.nodes
            around += sorted(others - set(around), key=lambda each: nodes[each].order if each in nodes else 0)
        for each in around:
            if each in self.awaited and each not in sys.modules:
                self._import_module(each)
                if each not in self.graph.nodes or not self.graph.nodes[each].loaded:
                    # It has become a namespace package, which executes nothing.
                    self.awaited.discard(each)
                    for child in _loaded_children(each):
                        _bind(child)

    def _tend_packages(self, absolute: str, fromlist: Sequence[str] | None) -> None:
        """An import passes through packages that were unloaded, or that are executing anew."""
        for name in [
            absolute,
            *(f"{absolute}.{each}" for each in fromlist or () if f"{absolute}.{each}" in sys.modules),
        ]:
            self.run_packages_around(name)
            for each in _prefixes(name):
                unbound = self._unbound.get(each.rpartition(".")[0])
                if unbound is not None and each in unbound:
                    unbound.discard(each)
                    _bind(each)

    # -- files -----------------------------------------------------------------------------------------------------

    @contextmanager
    def on_our_own(self) -> Iterator[None]:
        """What this thread opens and lists now is not the doing of the module that executes."""
        self._local.ours += 1
        try:
            yield
        finally:
            self._local.ours -= 1

    def _listens(self) -> bool:
        return bool(self._local.executing) and not self._local.ours

    def _read(self, file: str, is_listing: bool) -> None:
        local = self._local
        with self.on_our_own():
            if not self.is_tracked(file):
                return
            # Whoever stands between the reader and the executing module may have cached what it read.
            frame: FrameType | None = sys._getframe(1)
            innermost = local.executing[-1]
            while frame is not None:
                name = frame.f_globals.get("__name__")
                if name in self.graph.nodes:
                    is_listing = False
                    self.graph.read(name, file)
                    if name == innermost and frame.f_code.co_name == "<module>":
                        return
                elif is_listing and not str(name).startswith(_LISTERS):
                    return  # a library looks around for itself: importlib.metadata lists every folder on sys.path
                frame = frame.f_back
            self.graph.read(innermost, file)


# What lists a folder on behalf of its caller.
_LISTERS = ("os", "pathlib", "glob", "pkgutil", "hotserve.hmr")


class _Held:
    """The importer is outside the project, with nobody of the project behind it."""

    def __init__(self, by: str) -> None:
        self.by = by


def _absolute(name: str, globals: Mapping[str, object], level: int) -> str:
    """The absolute name behind a relative import, as importlib resolves it."""
    package = globals.get("__package__")
    if not isinstance(package, str):
        module = str(globals.get("__name__"))
        package = module if "__path__" in globals else module.rpartition(".")[0]
    base = package.rsplit(".", level - 1)[0] if level > 1 else package
    return f"{base}.{name}" if name else base


def _prefixes(name: str) -> list[str]:
    """ "a.b.c" gives a, a.b, a.b.c."""
    parts = name.split(".") if name else []
    return [".".join(parts[: count + 1]) for count in range(len(parts))]


def _has(module: ModuleType, name: str) -> bool:
    try:
        return hasattr(module, name)
    except Exception:  # a module's own __getattr__ may raise anything
        return True


def _star_names(module: ModuleType | None, name: str) -> list[str]:
    """What `from module import *` binds that may be a submodule: names in `__all__`, else submodules loaded already."""
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return [each for each in listed if isinstance(each, str)]
    return [each for each in list(vars(module or object)) if each[:1] != "_" and f"{name}.{each}" in sys.modules]


def _is_namespace(module: ModuleType) -> bool:
    return getattr(module, "__file__", None) is None and hasattr(module, "__path__")


def _loaded_children(package: str) -> set[str]:
    prefix = package + "."
    return {name for name in list(sys.modules) if name.startswith(prefix) and "." not in name[len(prefix) :]}


def _bind(name: str) -> None:
    """Bind a loaded submodule to its package, as the import system does when it loads it."""
    parent, _, child = name.rpartition(".")
    module, package = sys.modules.get(name), sys.modules.get(parent)
    if module is not None and package is not None:
        setattr(package, child, module)
