"""What a module wrote into other modules while it executed, so that it can be taken back when it is unloaded.

`REGISTRY.append(...)`, `@bus.on("saved")`, `MENU["users"] = ...`, `settings.DEBUG = True`: after a re-import the old
entry and the new one would both be there. The journal compares what the modules that a module imports hold when the
import statement returns and when the importing module has finished; the difference is the importer's. Between the two,
the modules executed in between take their own share first: each module that a second one adopts is compared at that
moment, on the first one's account.

What cannot be taken back cleanly (an entry that was removed or reordered, a counter that others have moved on, an
entry that others of the same import sequence follow) couples the two modules: the one written to is stale as well.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, Final
from weakref import WeakKeyDictionary, WeakSet, WeakValueDictionary

from hotserve.hmr.graph import ModuleGraph
from hotserve.hmr.writes import Entangled, Write, can_take_back, comes_after, difference, take_back

_DEPTH = 4  # bus._handlers["saved"] is a list in a dict in an instance in a namespace
_LARGE = 50_000  # entries; a larger container is only compared by its length
_WEAK: Final = frozenset({WeakSet, WeakKeyDictionary, WeakValueDictionary})
_PLAIN: Final = frozenset(
    {int, str, float, bool, bytes, complex, tuple, frozenset, type(None), FunctionType, BuiltinFunctionType, MethodType}
)


@dataclass(slots=True)
class _Place:
    """A container as it was when last compared.

    container: the list, dict, set or deque, or the object whose attributes are meant
    entries:   what it held: a tuple (list, deque), dict (dict, attributes) or set; its length if it is too large
    home:      the module it belongs to: of those that show it, the one that was executed first
    """

    container: Any
    entries: Any
    home: str


class _Frame:
    """A module being executed, the modules it has adopted, and the containers found in them."""

    __slots__ = ("adopted", "containers", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.adopted: set[str] = set()
        self.containers: set[int] = set()


class _Local(threading.local):
    def __init__(self) -> None:
        self.frames: list[_Frame] = []
        # Every container in a module that one of the frames has adopted, by identity.
        self.held: dict[int, _Place] = {}


class Journal:
    """The writes of each module, from its execution until it is unloaded. A listener of the tracker."""

    def __init__(self, graph: ModuleGraph) -> None:
        self._graph = graph
        self._local = _Local()
        self._writes: dict[str, list[Write | Entangled]] = {}
        # Modules that others may find through weak references: by a subclass, or in a weak set.
        self._findable: set[str] = set()

    # -- while modules execute -------------------------------------------------------------------------------------

    def began(self, name: str) -> None:
        """A module starts to execute."""
        self._findable.discard(name)
        self._local.frames.append(_Frame(name))

    def imported(self, importer: str, names: set[str]) -> None:
        """An import statement has returned: what the modules it reaches hold from here on is compared at the end."""
        local = self._local
        if not local.frames:
            return
        frame = local.frames[-1]
        executing = {each.name for each in local.frames}
        todo = [name for name in names if name not in frame.adopted]
        while todo:
            name = todo.pop()
            if name in frame.adopted or name in executing or name not in self._graph.nodes:
                continue
            frame.adopted.add(name)
            todo.extend(self._graph.imports(name))
            module = sys.modules.get(name)
            if module is not None:
                self._compare(name, module, owner=None)

    def ended(self, name: str, dropped: set[str]) -> None:
        """A module has finished: what has changed in those it adopted is its doing."""
        local = self._local
        frame = local.frames[-1]
        for adopted in frame.adopted:
            module = sys.modules.get(adopted)
            if module is not None:
                self._compare(adopted, module, owner=name)
        local.frames.pop()
        if not local.frames:
            local.held.clear()
        module = sys.modules.get(name)
        if module is not None and any(
            base.__module__ != name and base.__module__ in self._graph.nodes
            for value in list(vars(module).values())
            if isinstance(value, type) and value.__module__ == name
            for base in value.__bases__
        ):
            self._findable.add(name)

    # -- comparing -------------------------------------------------------------------------------------------------

    def _compare(self, name: str, module: ModuleType, owner: str | None) -> None:
        """Compare all containers in a module with what they held. The changes are the doing of `owner`; without one, of
        the innermost frame that has had them in view."""
        held, frames, nodes = self._local.held, self._local.frames, self._graph.nodes
        for identity, (container, entries) in self._look(module).items():
            place = held.get(identity)
            in_view = next((frame.name for frame in reversed(frames) if identity in frame.containers), None)
            frames[-1].containers.add(identity)
            if place is None:
                held[identity] = _Place(container, entries, name)
                continue
            if nodes[name].order < nodes[place.home].order:
                place.home = name
            before, place.entries = place.entries, entries
            writer = owner or in_view
            if writer is None or writer == place.home:
                continue
            if isinstance(container, WeakSet | WeakKeyDictionary | WeakValueDictionary):
                if before != entries:
                    self._findable.add(writer)
                continue
            if writes := list(difference(place.home, container, before, entries)):
                self._writes.setdefault(writer, []).extend(writes)

    def _look(self, module: ModuleType) -> dict[int, tuple[Any, Any]]:
        """Every container that is reached from a module's namespace without leaving the project, with its entries."""
        name, projects = module.__name__, self._graph.nodes
        places: dict[int, tuple[Any, Any]] = {id(module): (module, _attributes(vars(module)))}
        todo: list[tuple[Any, int]] = [(value, _DEPTH) for value in places[id(module)][1].values()]
        while todo:
            value, depth = todo.pop()
            kind = type(value)
            if kind in _PLAIN or id(value) in places:
                continue
            entries: Any
            inner: Any = ()
            if isinstance(value, type):
                if value.__module__ != name:
                    continue
                entries = _attributes(vars(value))
                inner = entries.values()
            elif isinstance(value, list | deque):
                entries = len(value) if len(value) > _LARGE else tuple(value)
                inner = value
            elif isinstance(value, dict):
                entries = len(value) if len(value) > _LARGE else dict(value)
                inner = value.values()
            elif isinstance(value, set):
                entries = len(value) if len(value) > _LARGE else set(value)
            elif kind in _WEAK:
                entries = frozenset(map(id, list(value)))
            elif kind.__module__ in projects and hasattr(value, "__dict__"):
                entries = _attributes(vars(value))
                inner = entries.values()
            else:
                continue
            places[id(value)] = (value, entries)
            if depth > 1 and not isinstance(entries, int):
                todo.extend((each, depth - 1) for each in inner if type(each) not in _PLAIN)
        return places

    # -- when modules are unloaded ---------------------------------------------------------------------------------

    def coupled(self, stale: set[str]) -> set[str]:
        """The modules that must be stale too, since what a stale module did to them cannot be taken back."""
        also: set[str] = set()
        reached: set[str] | None = None
        for owner in stale:
            for write in self._writes.get(owner, ()):
                if write.target in stale or write.target in also:
                    continue
                if isinstance(write, Entangled) or not can_take_back(write) or self._may_be_copied(write, owner, stale):
                    also.add(write.target)
                    continue
                for follower in self._followers(write, owner):
                    if reached is None:
                        reached = self._graph.with_imports(stale)
                    if follower in reached and follower not in stale:
                        # The import sequence that ran both will run only one of them again, too late.
                        also.add(write.target)
                        break
        return also

    def _may_be_copied(self, write: Write, owner: str, stale: set[str]) -> bool:
        """Has a module that stays been executed since a name was patched, so that `from target import name` has bound
        the patch there?"""
        if not isinstance(write.container, ModuleType) or owner not in self._graph.nodes:
            return False
        nodes, since = self._graph.nodes, self._graph.nodes[owner].order
        importers = self._graph.with_importers({write.target}) - stale - {write.target}
        return any(name in nodes and nodes[name].order > since for name in importers)

    def _followers(self, write: Write, owner: str) -> set[str]:
        """Who else has put something behind what was written: in the same list or dict, or in the list put there."""
        followers = set()
        for other, writes in self._writes.items():
            if other == owner:
                continue
            beside = [each for each in writes if isinstance(each, Write) and each.container is write.container]
            inside = any(isinstance(each, Write) and each.container is write.value for each in writes)
            if inside or (beside and isinstance(write.container, list | dict | deque) and comes_after(write, beside)):
                followers.add(other)
        return followers

    def lingers(self, name: str, findable: bool) -> bool:
        """Would others see that a module is loaded, though nobody imports it? By what it wrote into them; and, where
        the project looks for such things (`findable`), by a subclass or an entry in a weak set."""
        return name in self._writes or (findable and name in self._findable)

    def take_back(self, stale: set[str]) -> None:
        """Undo what the stale modules wrote into modules that stay, the last first."""
        taken = [write for owner in stale for write in self._writes.pop(owner, []) if isinstance(write, Write)]
        for owner, writes in list(self._writes.items()):
            self._writes[owner] = [write for write in writes if write.target not in stale]
        for write in sorted(taken, key=lambda write: write.number, reverse=True):
            if write.target not in stale and not take_back(write):
                self._hand_over(write)
        for owner in [owner for owner, writes in self._writes.items() if not writes]:
            del self._writes[owner]

    def _hand_over(self, write: Write) -> None:
        """A list that a stale module put somewhere stays, for the sake of the next who has put something into it."""
        for writes in self._writes.values():
            if any(isinstance(each, Write) and each.container is write.value for each in writes):
                heir = Write(write.target, write.container, write.key, write.value)
                writes[:] = [w for w in writes if not (isinstance(w, Write) and w.container is write.value)] + [heir]
                return


def _attributes(namespace: Any) -> dict[str, Any]:
    # Submodules come first in the test: a package of 500 modules has 500 of them in its namespace.
    return {
        name: value
        for name, value in list(namespace.items())
        if type(value) is not ModuleType and name[:2] != "__" and name != "_abc_impl"
    }
