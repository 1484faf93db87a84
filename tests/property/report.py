"""A divergence as people read it: the project, the edits, and the two answers."""

from __future__ import annotations

import difflib
import itertools
import json
from typing import Any

from tests.property.model import Snapshot, text_of
from tests.property.session import Divergence


def report(divergence: Divergence) -> str:
    """All of it, as text."""
    lines = [f"hot is not cold ({divergence.kind}), route {divergence.path}", ""]
    steps = divergence.trace.steps
    if divergence.trace.boundaries:
        lines.append(f"boundaries = {divergence.trace.boundaries}")
    lines += ["== the project", *_files(steps[0].snapshot), f"== asked: {', '.join(steps[0].asks)}"]
    for number, (old, new) in enumerate(itertools.pairwise(steps)):
        update = divergence.updates[number] if number < len(divergence.updates) else "?"
        lines += ["", f"== edit {number + 1}   ({update})", *_difference(old.snapshot, new.snapshot)]
        if new.touched:
            lines.append(f"touched: {', '.join(new.touched)}")
        lines.append(f"== asked: {', '.join(new.asks)}")
    lines += [f"-- {line}" for line in divergence.updates[len(steps) - 1 :]]
    lines += ["", *_answers(divergence.hot, divergence.cold)]
    return "\n".join(lines)


def _files(snapshot: Snapshot) -> list[str]:
    lines = []
    for file, pieces in sorted(snapshot.items()):
        lines += [f"--- {file}", *(f"    {line}" for line in text_of(pieces).splitlines())]
    return lines


def _difference(old: Snapshot, new: Snapshot) -> list[str]:
    lines = []
    for file in sorted(old.keys() | new.keys()):
        before = text_of(old[file]).splitlines() if file in old else None
        after = text_of(new[file]).splitlines() if file in new else None
        if before == after:
            continue
        mark = "deleted" if after is None else "new" if before is None else "changed"
        lines.append(f"--- {file} ({mark})")
        if after is not None:
            compared = difflib.unified_diff(before or [], after, lineterm="", n=1)
            lines += [f"    {line}" for line in compared if not line.startswith(("---", "+++", "@@"))]
    return lines


def _answers(hot: Any, cold: Any) -> list[str]:
    shown = [json.dumps(each, indent=1).splitlines() for each in (cold, hot)]
    if max(map(len, shown)) < 12:
        return ["fresh: " + json.dumps(cold), "hot:   " + json.dumps(hot)]
    return ["- fresh, + hot", *difflib.unified_diff(shown[0], shown[1], lineterm="", n=3)]
