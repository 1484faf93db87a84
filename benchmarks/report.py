"""What every benchmark says beside its numbers: versions, machine, load; and how results are written down."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.servers import Failed

_PACKAGES = ("hotserve", "uvicorn", "starlette", "watchfiles", "httptools", "uvloop")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what was measured, hotserve's figure, what it is compared with, and how they relate."""

    what: str
    hotserve: str
    compared: str = ""
    ratio: str = ""


@dataclass(frozen=True, slots=True)
class Results:
    """What a benchmark found: rows for people, `raw` for programs."""

    rows: list[Row]
    raw: dict[str, Any]


def say(text: str) -> None:
    """Tell how far the benchmark is."""
    print(f"  {text}", file=sys.stderr, flush=True)


def machine() -> dict[str, Any]:
    """Versions and load, without which no number means anything."""
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "versions": versions,
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "load": [round(each, 2) for each in os.getloadavg()],
        "date": time.strftime("%Y-%m-%d"),
    }


def described(facts: dict[str, Any]) -> str:
    """`machine()` as a line."""
    packages = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    load = ", ".join(f"{each:.1f}" for each in facts["load"])
    return f"Python {facts['python']}, {packages}; {facts['system']}, {facts['cores']} cores, load average {load}"


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| | `hotserve run --hmr` | compared with | ratio |", "|---|---|---|---|"]
    return "\n".join([*lines, *(f"| {row.what} | {row.hotserve} | {row.compared} | {row.ratio} |" for row in rows)])


def parser(description: str | None) -> argparse.ArgumentParser:
    """The command line that every benchmark shares."""
    result = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    result.add_argument("--json", type=Path, metavar="FILE", help="write the raw results there")
    return result


def publish(measure: Callable[[], Results], file: Path | None) -> None:
    """Measure, print the table and write the raw results. A benchmark that cannot be run ends with its reason."""
    before = machine()
    if "hotserve" not in before["versions"]:
        sys.exit("benchmarks: hotserve is not installed in this environment; run `pip install --editable .` first")
    try:
        results = measure()
    except Failed as failure:
        sys.exit(f"benchmarks: {failure}")
    after = machine()
    print(table(results.rows))
    print(f"\n{described(before)} before, {', '.join(f'{each:.1f}' for each in after['load'])} after.")
    if file is not None:
        document = {"machine": before, "load_after": after["load"], "results": results.raw}
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share of `values` lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def median(values: Sequence[float]) -> float:
    """The middle of `values`."""
    return statistics.median(values)
