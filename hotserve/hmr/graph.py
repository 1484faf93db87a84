"""The module graph: who imports whom. Pure data: no I/O, no `sys.modules`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

# The importer of the application module and the packages around it, and of all else that only a new application
# can take up: what goes stale up to here passes no boundary.
APPLICATION: Final = "<application>"


@dataclass(slots=True)
class Node:
    """A tracked module, loaded or not. It stays in the graph when unloaded or broken, so that its file stays known."""

    name: str
    file: str
    package: bool = False
    loaded: bool = False
    version: int = 0  # how often it was executed
    order: int = 0  # when its last execution ended: higher is later, so importers come after what they import
    # What its last complete execution imported, itself or below it.   {"services.users", "helpers"}
    executed_imports: frozenset[str] = frozenset()
    # Files and folders that it read while it executed.   {"/project/prices.json"}
    files: set[str] = field(default_factory=set)
    # Who imported it from outside the project and keeps it for good.   "django.urls"
    held_by: str | None = None
    declined: bool = False


class ModuleGraph:
    """Nodes by module name, and the imports between them.

    An import is an edge from the importer to the *name* it asked for, whether or not there is such a module: a module
    that failed to import `shop.vat` is an importer of `shop.vat`, and so goes stale when it appears.
    """

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self._imports: dict[str, set[str]] = {}
        # The same edges seen from the other end; written in `link` and `unlink` only.
        self._importers: dict[str, set[str]] = {}
        # A file loaded under two names stands for both.   {"/project/app/db.py": {"app.db", "db"}}
        self._names: dict[str, set[str]] = {}
        # Who read a file while executing.   {"/project/prices.json": {"shop.prices"}}
        self._readers: dict[str, set[str]] = {}
        self._executions = 0

    def begin(self, name: str, file: str, package: bool) -> Node:
        """A module starts to execute: its imports and files are found out anew."""
        node = self.nodes.get(name)
        if node is None or node.file != file:
            if node is not None:
                self._names[node.file].discard(name)
            node = self.nodes[name] = Node(name, file, version=node.version if node is not None else 0)
            self._names.setdefault(file, set()).add(name)
        self.unlink(name)
        node.package = package
        node.loaded = True
        node.held_by = None
        node.declined = False
        node.version += 1
        return node

    def end(self, name: str, complete: bool) -> set[str]:
        """A module has finished executing, or failed to. Returns what only its previous version imported."""
        node = self.nodes[name]
        before = node.executed_imports
        now = frozenset(self.imports(name))
        self._executions += 1
        node.order = self._executions
        node.loaded = complete
        node.executed_imports = now if complete else before | now
        return set(before - now) if complete else set()

    def link(self, importer: str, name: str) -> None:
        """Record that `importer` asked for `name`."""
        if importer != name and name not in self._imports.get(importer, ()):
            self._imports.setdefault(importer, set()).add(name)
            self._importers.setdefault(name, set()).add(importer)

    def unlink(self, importer: str) -> None:
        """Forget what `importer` imported and read."""
        for name in self._imports.pop(importer, ()):
            importers = self._importers[name]
            importers.discard(importer)
            if not importers:
                del self._importers[name]
        node = self.nodes.get(importer)
        if node is not None:
            for file in node.files:
                self._readers[file].discard(importer)
                if not self._readers[file]:
                    del self._readers[file]
            node.files = set()

    def read(self, name: str, file: str) -> None:
        """Record that the module `name` read `file` (or listed that folder) while it executed."""
        node = self.nodes[name]
        if file not in node.files:
            node.files.add(file)
            self._readers.setdefault(file, set()).add(name)

    def imports(self, name: str) -> Collection[str]:
        """The names that `name` asked for."""
        return self._imports.get(name, frozenset())

    def importers(self, name: str) -> Collection[str]:
        """The modules that asked for `name`."""
        return self._importers.get(name, frozenset())

    def names_of(self, file: str) -> Collection[str]:
        """The modules that come from `file`."""
        return self._names.get(file, frozenset())

    def readers_of(self, file: str) -> Collection[str]:
        """The modules that read `file` while they executed."""
        return self._readers.get(file, frozenset())

    def files(self) -> Iterator[str]:
        """Every file and folder that a module comes from or has read."""
        yield from list(self._names)
        yield from list(self._readers)

    def below(self, package: str) -> set[str]:
        """The modules inside a package, at any depth."""
        prefix = package + "."
        return {name for name in self.nodes if name.startswith(prefix)}

    def with_packages(self, names: Iterable[str]) -> set[str]:
        """`names` and the packages around them, which execute before them though nobody imports them by name."""
        return {
            ".".join(parts[:count]) for parts in (n.split(".") for n in names) for count in range(1, len(parts) + 1)
        }

    def with_importers(self, names: Iterable[str]) -> set[str]:
        """`names` and all that imports them, directly or not: what goes stale when they change."""
        return _reach(names, self.importers)

    def with_imports(self, names: Iterable[str]) -> set[str]:
        """`names` and all that they import, directly or not."""
        return _reach(names, self.imports)

    def chain(self, importer: str, names: Collection[str]) -> tuple[str, ...]:
        """The shortest import path from `importer` down to one of `names`; empty if there is none."""
        came_from: dict[str, str | None] = {importer: None}
        queue = deque([importer])
        while queue:
            name = queue.popleft()
            if name in names:
                path = [name]
                while (previous := came_from[path[-1]]) is not None:
                    path.append(previous)
                return tuple(reversed(path))
            for imported in sorted(self.imports(name)):
                if imported not in came_from:
                    came_from[imported] = name
                    queue.append(imported)
        return ()


def _reach(names: Iterable[str], step: Callable[[str], Collection[str]]) -> set[str]:
    """All that is reached from `names`; each name is visited once, however many paths lead to it."""
    reached = set(names)
    todo = list(reached)
    while todo:
        for name in tuple(step(todo.pop())):  # a copy: other threads may record imports meanwhile
            if name not in reached:
                reached.add(name)
                todo.append(name)
    return reached
