"""Decide what a change asks for. Pure: the decision is a value with its reason, printed as it is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from hotserve.hmr.changes import Changes
from hotserve.hmr.graph import APPLICATION, ModuleGraph

_SHOWN = 3  # names listed before "and 4 more"


@dataclass(frozen=True, slots=True)
class HotUpdate:
    """Every path from the changed files up to the application module passes a boundary.

    changed:    the files saved, as people see them
    stale:      the modules to unload
    boundaries: the boundaries that will be re-imported by the next request for them
    reimport:   packages to import again at once, since the application module lies below them
    structural: files came or went
    """

    changed: tuple[str, ...]
    stale: frozenset[str]
    boundaries: tuple[str, ...]
    reimport: tuple[str, ...] = ()
    structural: bool = False

    def __str__(self) -> str:
        target = f" → {_some(self.boundaries)}" if self.boundaries else ""
        return f"{_some(self.changed)}{target}  {_count(len(self.stale), 'module')}"


@dataclass(frozen=True, slots=True)
class AppSwap:
    """The change reaches the application module. `chain` is the import path by which it does."""

    changed: tuple[str, ...]
    stale: frozenset[str]
    chain: tuple[str, ...]
    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True, slots=True)
class Restart:
    """Nothing less than a new process is correct."""

    changed: tuple[str, ...]
    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True, slots=True)
class NotLoaded:
    """Files of the project that nothing has imported: the change is served when somebody does."""

    changed: tuple[str, ...]

    def __str__(self) -> str:
        return f"{_some(self.changed)}  not imported by anything so far"


Update = HotUpdate | AppSwap | Restart | NotLoaded


def plan(
    graph: ModuleGraph,
    changes: Changes,
    *,
    boundaries: Collection[str],
    display: Callable[[str], str],
    application: str = "app",
    coupled: Callable[[set[str]], set[str]] = lambda stale: set(),
) -> Update | None:
    """The cheapest update that keeps hot equal to cold, and why.

    boundaries:  the modules reached through the resolver so far
    display:     an absolute file as people see it
    application: the application module
    coupled:     modules that must go stale together with these, though no import says so
    """
    changed = tuple(display(file) for file in changes.files)
    if changes.restart is not None:
        return Restart(changed, changes.restart)
    stale = stale_set(graph, changes, coupled)
    if not stale:
        return NotLoaded(tuple(display(file) for file in changes.unloaded)) if changes.unloaded else None
    for name in sorted(stale & graph.nodes.keys()):
        node = graph.nodes[name]
        if node.declined:
            return Restart(changed, f"{_some(changed)} changed, and {name} declined hot updates")
        if node.held_by is not None:
            return Restart(changed, f"{_some(changed)} changed, and {name} is held by {node.held_by}")
    if APPLICATION in stale:
        return _app_swap(graph, changes, changed, stale, set(boundaries), display, application)
    packages = {name for name in stale if name in graph.nodes and graph.nodes[name].package}
    below = graph.with_importers(set().union(*map(graph.below, packages)) - stale) if packages else set()
    reimport = tuple(sorted(packages)) if APPLICATION in below else ()
    affected = tuple(sorted((stale | below).intersection(boundaries)))
    return HotUpdate(changed, frozenset(stale), affected, reimport, changes.structural)


def stale_set(
    graph: ModuleGraph, changes: Changes, coupled: Callable[[set[str]], set[str]] = lambda stale: set()
) -> set[str]:
    """The modules to replace: the changed ones, those that waited for a new name, all that import them, and what is
    coupled to any of these."""
    seeds = set(changes.modules)
    for name in changes.names:
        seeds.update(graph.importers(name))
    stale = graph.with_importers(seeds)
    while more := coupled(stale) - stale:
        stale = graph.with_importers(stale | more)
    return stale


def _app_swap(
    graph: ModuleGraph,
    changes: Changes,
    changed: tuple[str, ...],
    stale: set[str],
    boundaries: set[str],
    display: Callable[[str], str],
    application: str,
) -> AppSwap:
    chain = graph.chain(APPLICATION, changes.modules | changes.names)[1:]
    if len(chain) < 2:
        why = "application module"
        if chain and chain[0] != application and not application.startswith(chain[0] + "."):
            why = "used by the application itself: no `boundaries` glob matches it, or it was loaded at startup"
        reason = f"{_some(changed)} changed ({why})"
    else:
        path = " → ".join(display(graph.nodes[name].file) if name in graph.nodes else name for name in chain)
        eager = [name for name in chain[1:] if name in boundaries]
        reason = f"{_some(changed)} changed ({path} passes no boundary)"
        if eager:
            importer = chain[chain.index(eager[0]) - 1]
            reason = (
                f"{_some(changed)} changed ({eager[0]} is imported eagerly by {display(graph.nodes[importer].file)})"
            )
    return AppSwap(changed, frozenset(stale - {APPLICATION}), chain, reason)


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    if len(listed) <= _SHOWN + 1:
        return ", ".join(listed)
    return f"{', '.join(listed[:_SHOWN])} and {len(listed) - _SHOWN} more"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
