"""Make a trace as small as it can be while it still shows the same divergence."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from tests.property.model import APP
from tests.property.session import Divergence, Processes, Session, Step, Trace


def replay(processes: Processes, trace: Trace) -> Divergence | None:
    """What a trace shows."""
    session = Session(processes, trace.boundaries)
    try:
        for step in trace.steps:
            session.step(step)
        session.check_old_versions_are_dead()
    except Divergence as divergence:
        return divergence
    finally:
        session.close()
    return None


def minimise(processes: Processes, divergence: Divergence, seconds: float = 60.0) -> Divergence:
    """Leave out steps, questions, files and pieces for as long as the divergence stays."""
    deadline = time.monotonic() + seconds
    best, signature = divergence, divergence.signature()

    def still(trace: Trace) -> bool:
        nonlocal best
        if time.monotonic() > deadline or not trace.steps:
            return False
        found = replay(processes, trace)
        if found is None or found.signature() != signature:
            return False
        best = found
        return True

    size = -1
    while size != (size := _size(best.trace)) and time.monotonic() < deadline:
        _shrink(list(range(1, len(best.trace.steps))), lambda gone: still(_without_steps(best.trace, gone)), fixed=True)
        for version in (-1, 0):
            _shrink(_unsteady(best.trace), lambda gone, version=version: still(_steadied(best.trace, gone, version)))  # type: ignore[misc]
        _shrink(_questions(best.trace), lambda gone: still(_without_questions(best.trace, gone)))
        _shrink(_file_names(best.trace), lambda gone: still(_without_files(best.trace, gone)))
        _shrink(_piece_names(best.trace), lambda gone: still(_without_pieces(best.trace, gone)))
    return best


def _size(trace: Trace) -> int:
    return sum(len(step.asks) + 1 + sum(map(len, step.snapshot.values())) for step in trace.steps)


def _shrink(items: Sequence[object], works: Callable[[set[object]], bool], fixed: bool = False) -> None:
    """Leave out halves, quarters, ... single items; `works` says whether that may be, and then does it.

    fixed: items are positions, which move when others go: so from the end, one piece at a time
    """
    left: list[object] = list(items)
    width = max(1, len(left) // 2)
    while True:
        index = len(left)
        while index > 0:
            start = max(0, index - width)
            gone = set(left[start:index])
            if works(gone):
                del left[start:index]
                if fixed:
                    left = list(range(1, len(left) + 1))
            index = start
        if width == 1:
            return
        width //= 2


def _without_steps(trace: Trace, gone: set[object]) -> Trace:
    return Trace(trace.boundaries, [step for index, step in enumerate(trace.steps) if index not in gone])


def _questions(trace: Trace) -> Sequence[object]:
    return [(number, ask) for number, step in enumerate(trace.steps) for ask in step.asks]


def _without_questions(trace: Trace, gone: set[object]) -> Trace:
    steps = [
        replace(step, asks=tuple(ask for ask in step.asks if (number, ask) not in gone))
        for number, step in enumerate(trace.steps)
    ]
    return Trace(trace.boundaries, steps)


def _file_names(trace: Trace) -> Sequence[object]:
    return sorted({file for step in trace.steps for file in step.snapshot if file != APP})


def _without_files(trace: Trace, gone: set[object]) -> Trace:
    return Trace(trace.boundaries, [_filtered(step, lambda file, ident: file not in gone) for step in trace.steps])


def _unsteady(trace: Trace) -> Sequence[object]:
    """The files that are not the same in all steps."""
    files = {file for step in trace.steps for file in step.snapshot}
    return sorted(file for file in files if len({step.snapshot.get(file) for step in trace.steps}) > 1)


def _steadied(trace: Trace, files: set[object], version: int) -> Trace:
    """These files are in every step what they are in the first, or in the last."""
    model = trace.steps[version].snapshot
    steps = []
    for step in trace.steps:
        snapshot = {file: pieces for file, pieces in step.snapshot.items() if file not in files}
        snapshot.update({file: pieces for file, pieces in model.items() if file in files})
        steps.append(replace(step, snapshot=snapshot))
    return Trace(trace.boundaries, steps)


def _piece_names(trace: Trace) -> Sequence[object]:
    return sorted(
        {(file, ident) for step in trace.steps for file, pieces in step.snapshot.items() for ident, _ in pieces}
    )


def _without_pieces(trace: Trace, gone: set[object]) -> Trace:
    return Trace(
        trace.boundaries, [_filtered(step, lambda file, ident: (file, ident) not in gone) for step in trace.steps]
    )


def _filtered(step: Step, keep: Callable[[str, str], bool]) -> Step:
    snapshot = {}
    for file, pieces in step.snapshot.items():
        if not keep(file, ""):
            continue
        snapshot[file] = tuple(piece for piece in pieces if keep(file, piece[0]))
    return replace(step, snapshot=snapshot, touched=tuple(file for file in step.touched if file in snapshot))
