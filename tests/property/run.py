"""Hunt for divergences without Hypothesis: `python -m tests.property.run --seed 1 --edits 5000`."""

from __future__ import annotations

import argparse
import pickle
import time
from collections import Counter
from pathlib import Path

from tests.property.chooser import Chooser
from tests.property.edits import Editor
from tests.property.minimise import minimise
from tests.property.random_project import random_project
from tests.property.report import report
from tests.property.session import Divergence, Processes, Session, Step


def asks_of(chooser: Chooser, routes: list[str], everything: bool = False) -> tuple[str, ...]:
    """Some routes in random order, so that what is loaded differs."""
    return tuple(chooser.some(routes, len(routes) if everything else 1, len(routes)))


def run_project(processes: Processes, seed: int, edits: int, statistics: Counter[str], hard: bool) -> Divergence | None:
    """One project with so many edits; the divergence found, if any."""
    chooser = Chooser.seeded(seed)
    project = random_project(chooser, hard)
    editor = Editor(chooser, project, hard)
    session = Session(processes, project.boundaries, statistics)
    try:
        session.step(Step(project.snapshot(), (), asks_of(chooser, _paths(editor), everything=chooser.chance(50))))
        for number in range(edits):
            editor.note(session.errors)
            touched = editor.edit()
            session.step(
                Step(project.snapshot(), tuple(touched & project.snapshot().keys()), asks_of(chooser, _paths(editor)))
            )
            if number % 8 == 7:
                session.check_old_versions_are_dead()
    except Divergence as divergence:
        return divergence
    finally:
        session.close()
    return None


def _paths(editor: Editor) -> list[str]:
    return [path for path, _, _ in editor.project.routes]


def main() -> None:
    """Run projects until so many edits are done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--edits", type=int, default=2000)
    parser.add_argument("--length", type=int, default=30, help="edits to each project")
    parser.add_argument("--hard", action="store_true", help="also what is known to be beyond hot replacement")
    parser.add_argument("--minimise", type=float, default=60.0, help="seconds to spend on each divergence; 0: do not")
    parser.add_argument("--stop", type=int, default=0, help="stop after so many divergences")
    parser.add_argument("--save", type=Path, help="a folder for the divergences, as text and pickled traces")
    options = parser.parse_args()
    statistics: Counter[str] = Counter()
    processes, seed, found, began = Processes(), options.seed, 0, time.monotonic()
    try:
        while statistics["edits"] < options.edits:
            divergence = run_project(processes, seed, options.length, statistics, options.hard)
            statistics["projects"] += 1
            if divergence is not None:
                found += 1
                statistics[f"divergence: {divergence.signature()}"] += 1
                if options.minimise:
                    divergence = minimise(processes, divergence, options.minimise)
                text = f"######## seed {seed}\n{report(divergence)}\n"
                print(text, flush=True)
                if options.save is not None:
                    options.save.mkdir(parents=True, exist_ok=True)
                    (options.save / f"{seed}.txt").write_text(text)
                    (options.save / f"{seed}.pickle").write_bytes(pickle.dumps(divergence.trace))
                if options.stop and found >= options.stop:
                    break
            seed += 1
    finally:
        processes.close()
    for name, count in sorted(statistics.items()):
        print(f"{count:8} {name}")
    print(f"{time.monotonic() - began:8.1f} seconds, next seed {seed}")


if __name__ == "__main__":
    main()
