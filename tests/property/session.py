"""Runs a project hot and cold, step by step, and says where the two differ."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.property.cold import Cold, Prelude
from tests.property.hot import Hot
from tests.property.model import Snapshot, text_of


@dataclass(frozen=True)
class Step:
    """What is on disk, which files are reported though they did not change, and which routes are asked then."""

    snapshot: Snapshot
    touched: tuple[str, ...]
    asks: tuple[str, ...]


@dataclass
class Trace:
    """All that it takes to see a divergence again."""

    boundaries: list[str] | None
    steps: list[Step] = field(default_factory=list)


@dataclass
class Divergence(Exception):
    """The process under the kernel gave an answer that no fresh interpreter gives."""

    trace: Trace
    kind: str
    path: str
    hot: Any
    cold: Any
    updates: list[str]

    def signature(self) -> tuple[str, str]:
        """What kind of divergence it is, for the minimiser."""
        return self.kind, _outcome(self.hot) + "/" + _outcome(self.cold)


def _outcome(result: Any) -> str:
    if isinstance(result, dict) and "error" in result:
        error = result["error"]
        return ":".join(str(part if isinstance(part, str) else part[0]) for part in error[:2] if part)[:60]
    return "value"


class Processes:
    """The two helper processes, and a folder for the projects; one set serves many sessions."""

    def __init__(self) -> None:
        self.cold = Cold()
        self.hot = Hot()
        self.folder = tempfile.mkdtemp(prefix="hotserve-property-")
        self.projects = 0

    def new_root(self) -> str:
        """An empty folder."""
        self.projects += 1
        root = os.path.realpath(os.path.join(self.folder, f"p{self.projects}"))
        os.mkdir(root)
        return root

    def close(self) -> None:
        """End the processes and remove the folder."""
        self.hot.close()
        self.cold.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Session:
    """One project, from its start."""

    def __init__(
        self, processes: Processes, boundaries: list[str] | None, statistics: Counter[str] | None = None
    ) -> None:
        self._hot, self._cold = processes.hot, processes.cold
        self._root = processes.new_root()
        self.trace = Trace(boundaries)
        self.statistics = Counter() if statistics is None else statistics
        self._disk: Snapshot = {}
        self._asked: list[str] = []
        self._updates: list[str] = []
        # How many answers to the last step were errors.
        self.errors = 0

    def close(self) -> None:
        """End the application and remove its files."""
        self._hot.stop()
        shutil.rmtree(self._root, ignore_errors=True)

    def step(self, step: Step) -> None:
        """Write, report, ask. Raises Divergence."""
        self.trace.steps.append(step)
        paths = self._write(step)
        if len(self.trace.steps) == 1:
            self._start()
        else:
            self._report(paths)
        self.errors = 0
        alone = self._cold.answers(self._root, [([], path) for path in step.asks])
        for path, answer in zip(step.asks, alone, strict=True):
            self._compare(path, answer)

    def check_old_versions_are_dead(self) -> None:
        """Raises Divergence if an unloaded module survives a collection."""
        survivors = self._hot.survivors()
        if survivors:
            raise self._divergence("alive", "", {"value": survivors}, {"value": []})

    # -- disk ------------------------------------------------------------------------------------------------------

    def _write(self, step: Step) -> list[str]:
        """Bring the disk to the snapshot; gives the absolute paths that a watcher would report."""
        root, paths = Path(self._root), set()
        folders = {folder for folder in root.rglob("*") if folder.is_dir()}
        for file in sorted(self._disk.keys() - step.snapshot.keys()):
            (root / file).unlink()
            paths.add(root / file)
        wanted = {root / parent for file in step.snapshot for parent in Path(file).parents if str(parent) != "."}
        for folder in sorted(folders - wanted, reverse=True):
            folder.rmdir()
            paths.add(folder)
        for file, pieces in sorted(step.snapshot.items()):
            text = text_of(pieces)
            old = self._disk.get(file)
            if old is not None and text_of(old) == text and file not in step.touched:
                continue
            target = root / file
            for parent in reversed(target.parents):
                if not parent.exists():
                    parent.mkdir()
                    paths.add(parent)
            target.write_text(text)
            paths.add(target)
        self._disk = dict(step.snapshot)
        return sorted(map(str, paths))

    # -- hot -------------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        self._asked.clear()
        self.boot = self._hot.start(self._root, self.trace.boundaries)

    def _report(self, paths: list[str]) -> None:
        self.statistics["edits"] += 1
        if self.boot is not None:
            self.statistics["edits while the application is broken"] += 1
            self._updates.append("Start (the application was broken)")
            self._start()
            return
        update = self._hot.change(paths)
        kind = update["kind"]
        self.statistics[kind] += 1
        self._updates.append(f"{kind}: {update['reason']}  stale: {', '.join(update['stale'])}")
        if kind == "Crash":
            raise self._divergence("crash", "", {"error": [update["reason"]]}, None)
        if kind in ("Restart", "AppSwap"):
            self._start()

    # -- comparing -------------------------------------------------------------------------------------------------

    def _compare(self, path: str, alone: Any) -> None:
        self.statistics["answers"] += 1
        if self.boot is not None:
            reply: dict[str, Any] = {"answer": {"boot": self.boot}, "loaded": [], "wants_fresh": False}
        else:
            reply = self._hot.ask(path)
        hot = reply["answer"]
        asked = self._asked
        self._asked = [*(name for name in asked if name != path), path]
        if hot == alone:
            if "error" in hot or "boot" in hot:
                self.statistics["answers that are errors"] += 1
                self.errors += 1
            return
        if reply["wants_fresh"] and _loads(alone):
            self.statistics["phantoms"] += 1
            self._updates.append(f"Restart: {path} failed here ({hot}), not in a fresh interpreter")
            self._start()
            self._compare(path, alone)
            return
        others = self._other_answers(path, asked, reply["loaded"])
        for prelude_answers in others:
            if hot in prelude_answers:
                self.statistics["answers that depend on what was loaded before"] += 1
                return
        kind = "stale or wrong" if _outcome(hot) == "value" else "error"
        raise self._divergence(kind, path, hot, alone)

    def _other_answers(self, path: str, asked: list[str], loaded: list[str]) -> Any:
        """What fresh interpreters answer that have loaded or served something else before, likeliest first."""
        routes = self._routes()
        boundaries = [module for module in loaded if module in routes.values()]
        others = [module for module in boundaries if module != routes.get(path)]
        first: list[Prelude] = [[["load", module] for module in modules] for modules in (others, boundaries)]
        first += [[["ask", each] for each in asked], [["ask", each] for each in asked if each != path]]
        first += [[["ask", each] for module in boundaries for each in routes if routes[each] == module]]
        yield self._cold.answers(self._root, [(prelude, path) for prelude in first])
        seen = sorted(set(asked) | {each for each in routes if routes[each] in boundaries})
        orders = [order for count in (1, 2, 3, 4) for order in itertools.permutations(seen, count)][:40]
        for index in range(0, len(orders), 32):
            chunk: list[Prelude] = [[["ask", each] for each in order] for order in orders[index : index + 32]]
            yield self._cold.answers(self._root, [(prelude, path) for prelude in chunk])

    def _routes(self) -> dict[str, str]:
        """The module of each route, from what is on disk."""
        found = {}
        for ident, text in self._disk.get("app.py", ()):
            if ident.startswith("route:"):
                found[ident.removeprefix("route:")] = text.split("Lazy(")[1].strip("'\")").split(":")[0]
        return found

    def _divergence(self, kind: str, path: str, hot: Any, cold: Any) -> Divergence:
        return Divergence(self.trace, kind, path, hot, cold, list(self._updates))


def _loads(result: Any) -> bool:
    """Could the reference be loaded, whatever calling it gave?"""
    return "value" in result or ("error" in result and not isinstance(result["error"][-1], list))
