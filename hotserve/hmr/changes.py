"""From paths that may have changed to what the change means for modules: the only question that needs the disk."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib.machinery import all_suffixes

from hotserve.config import Config
from hotserve.hmr.graph import ModuleGraph
from hotserve.hmr.sources import Sources

_SUFFIXES = tuple(sorted(all_suffixes(), key=len, reverse=True))


@dataclass(frozen=True, slots=True)
class Changes:
    """What a batch of saves means.

    files:      the files that matter, absolute
    modules:    modules that must be replaced: their file, or one that they read, has changed
    names:      names that a new file provides: who asked for them in vain must be replaced
    structural: files came or went, so that modules must be looked for anew
    restart:    a reason that no update in this process can deal with
    unloaded:   files of the project that nothing has imported
    """

    files: tuple[str, ...] = ()
    modules: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    structural: bool = False
    restart: str | None = None
    unloaded: tuple[str, ...] = ()


def examine(
    paths: Collection[str],
    graph: ModuleGraph,
    sources: Sources,
    config: Config,
    before: Collection[str] = frozenset(),
) -> Changes:
    """Look at each path and say what has really changed. A file with the content that was taken has not.

    before: modules that were loaded before anything of the project; no file of the project can take their place
    """
    files: list[str] = []
    modules: set[str] = set()
    names: set[str] = set()
    unloaded: list[str] = []
    structural = False
    restart: str | None = None
    for path in sorted(set(paths)):
        if config.is_ignored(path):
            continue
        pattern = config.restart_pattern_for(path)
        if pattern is not None:
            if not sources.known(path) or sources.changed(path):
                files.append(path)
                restart = restart or f"{config.display(path)} changed (restart pattern {pattern!r})"
            continue
        own, readers = graph.names_of(path), graph.readers_of(path)
        changed = bool(own or readers) and sources.changed(path)
        affected = set(readers) if changed else set()
        folder = os.path.dirname(path)
        listed = not changed and not sources.known(path) and bool(graph.readers_of(folder)) and sources.changed(folder)
        if listed:
            affected |= set(graph.readers_of(folder))
        exists = os.path.lexists(path)
        if own and changed:
            affected |= set(own)
            if not exists:
                structural = True
                affected |= _replaced_packages(own, graph)
        elif not own:
            appeared, replaced, shadowed = _appearance(path, graph)
            if appeared or replaced:
                structural = True
                names |= appeared
                affected |= replaced
            if shadowed and shadowed not in before:
                restart = restart or f"{config.display(path)} takes the place of the loaded module {shadowed}"
            if not (affected or appeared or shadowed) and path.endswith(".py") and exists:
                unloaded.append(path)
        if affected or names & set(_names_for(path)):
            files.append(path)
            modules |= affected
    return Changes(tuple(files), frozenset(modules), frozenset(names), structural, restart, tuple(unloaded))


def _replaced_packages(names: Collection[str], graph: ModuleGraph) -> set[str]:
    """What lies below packages whose file is gone: it is no longer found the same way."""
    return {below for name in names if graph.nodes[name].package for below in _below(name, graph)}


def _below(package: str, graph: ModuleGraph) -> set[str]:
    """The modules inside a package, with the namespace packages among them, which execute nothing."""
    prefix = package + "."
    return graph.below(package) | {name for name in list(sys.modules) if name.startswith(prefix)}


def _appearance(path: str, graph: ModuleGraph) -> tuple[set[str], set[str], str | None]:
    """A path that is no known module's file: the names it provides and somebody asked for, the loaded modules that it
    replaces, and the name of a module from outside the project that it would shadow in a fresh process."""
    names: set[str] = set()
    replaced: set[str] = set()
    shadowed = None
    exists = os.path.exists(path)
    for name in _names_for(path):
        module = sys.modules.get(name)
        if name in graph.nodes:
            if exists or not os.path.exists(graph.nodes[name].file):
                # module to package, or the other way round
                replaced |= {name} | _below(name, graph)
                names.add(name)
        elif module is not None and getattr(module, "__file__", None) is None and hasattr(module, "__path__"):
            if not os.path.isdir(path):
                # a namespace package that has become a regular one, or whose folder is gone
                replaced |= {name} | _below(name, graph)
                names.add(name)
        elif module is not None and exists and path.endswith(".py"):
            file = getattr(module, "__file__", None)
            if isinstance(file, str) and not _same_file(file, path) and _first_on_path(name, path, file):
                shadowed = name
        if graph.importers(name):
            names.add(name)
    return names, replaced, shadowed


def _same_file(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def _first_on_path(name: str, path: str, file: str) -> bool:
    """Would a fresh process find `path` before `file` under a top-level `name`?"""
    if "." in name:
        return False
    for entry in sys.path:
        folder = os.path.abspath(entry)
        if os.path.dirname(path) == folder or os.path.dirname(os.path.dirname(path)) == folder:
            return True
        if os.path.dirname(file) == folder or os.path.dirname(os.path.dirname(file)) == folder:
            return False
    return False


def _names_for(path: str) -> Iterator[str]:
    """The module names under which a file or folder can be imported, by the entries of `sys.path`."""
    stem = path
    for suffix in _SUFFIXES:
        if path.endswith(suffix):
            stem = path[: -len(suffix)]
            break
    folder, base = os.path.split(stem)
    if base == "__init__" and stem != path:
        stem = folder
    seen = set()
    for entry in sys.path:
        prefix = os.path.join(os.path.abspath(entry), "")
        if stem.startswith(prefix):
            name = stem[len(prefix) :].replace(os.sep, ".")
            if name not in seen and all(part.isidentifier() for part in name.split(".")):
                seen.add(name)
                yield name
