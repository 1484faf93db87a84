"""From a save to the fresh answer, and from the start to the first one: `hotserve run --hmr` beside uvicorn, in turn.

A save closes the file; from then on /c0 is asked every millisecond, each time on a new connection, until the answer
holds what was saved. A request that is refused, reset or answered by an error has failed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.project import Project, generated
from benchmarks.report import Results, Row, median, parser, percentile, publish, say
from benchmarks.servers import HOT, PLAIN, RELOADING, Command, Failed, Server, serving

_SETTLE_AFTER_BOOT = 1.5  # seconds until the watcher of any server surely stands
_EDIT_TIMEOUT = 20.0


@dataclass(slots=True)
class Saves:
    """What a row of saves brought.

    latencies: milliseconds from each save to the fresh answer
    failed:    requests that were refused, reset or answered by an error meanwhile
    stale:     saves after which the first answer was still the old one
    """

    latencies: list[float] = field(default_factory=list)
    failed: int = 0
    stale: int = 0

    def add(self, other: Saves) -> None:
        """Take in the saves of another round."""
        self.latencies += other.latencies
        self.failed += other.failed
        self.stale += other.stale

    def summary(self) -> dict[str, float]:
        """The figures that people compare."""
        return {
            "p50": median(self.latencies),
            "p95": percentile(self.latencies, 0.95),
            "max": max(self.latencies),
            "failed": self.failed,
            "saves": len(self.latencies),
        }


def time_saves(server: Server, project: Project, count: int, settle: float) -> Saves:
    """Save `count` times, `settle` seconds after each fresh answer. Raises Failed where a save is never served."""
    saves = Saves()
    time.sleep(_SETTLE_AFTER_BOOT)
    for number in range(1, count + 1):
        marker = f"v{number}."
        saved = project.save(marker)
        first = True
        while True:
            try:
                status, body = server.get("/c0")
                if marker in body:
                    saves.latencies.append((time.perf_counter() - saved) * 1000)
                    break
                saves.failed += status >= 500 or status == 0
                saves.stale += first and status == 200
                first = False
            except OSError:
                saves.failed += 1
            if time.perf_counter() - saved > _EDIT_TIMEOUT:
                raise Failed(f"{server.command.name}: save {number} was not served within {_EDIT_TIMEOUT:.0f} s")
            time.sleep(0.001)
        time.sleep(settle)
    return saves


def measure_saves(controllers: int, rounds: int, edits: int, settle: float) -> dict[str, Saves]:
    """Both servers in turn, `rounds` times, by the name of the command."""
    found = {HOT.name: Saves(), RELOADING.name: Saves()}
    with generated(controllers) as project:
        for number in range(rounds):
            for command in (HOT, RELOADING):
                say(f"latency, {controllers} controllers, round {number + 1} of {rounds}: {command.name}")
                with serving(command, project) as server:
                    found[command.name].add(time_saves(server, project, edits, settle))
                project.restore()
    return found


def measure_boots(controllers: int, boots: int, compiled: bool) -> dict[str, list[float]]:
    """Seconds from the start of the process to the first answer, in turn, by the name of the command.

    compiled: with the project's bytecode from earlier starts, of which hotserve makes no use; else as after a checkout
    """
    commands: tuple[Command, ...] = (HOT, PLAIN)
    found: dict[str, list[float]] = {command.name: [] for command in commands}
    with generated(controllers) as project:
        if compiled:
            with serving(PLAIN, project):
                pass
        for number in range(boots):
            say(f"boot, {controllers} controllers, {_bytecode(compiled)}, {number + 1} of {boots}")
            for command in commands:
                if not compiled:
                    project.remove_bytecode()
                with serving(command, project) as server:
                    found[command.name].append(server.boot)
    return found


def measure(sizes: Sequence[int], rounds: int, edits: int, settle: float, boots: int) -> Results:
    """Saves at each size, boots at the largest."""
    rows: list[Row] = []
    raw: dict[str, Any] = {"saves": {}, "boots": {}}
    for size in sizes:
        saves = measure_saves(size, rounds, edits, settle)
        raw["saves"][size] = {name: asdict(each) | each.summary() for name, each in saves.items()}
        rows.append(_saves_row(size, saves[HOT.name], saves[RELOADING.name]))
    for compiled in (False, True) if boots else ():
        found = measure_boots(max(sizes), boots, compiled)
        raw["boots"][_bytecode(compiled)] = found
        hot, plain = median(found[HOT.name]), median(found[PLAIN.name])
        rows.append(
            Row(
                f"start to first answer, {max(sizes)} controllers, {_bytecode(compiled)}",
                f"{hot:.2f} s",
                f"{plain:.2f} s (`{PLAIN.name}`)",
                f"{hot / plain:.2f}",
            )
        )
    return Results(rows, raw)


def _bytecode(compiled: bool) -> str:
    return "bytecode there" if compiled else "no bytecode yet"


def _saves_row(size: int, hot: Saves, reloading: Saves) -> Row:
    ratio = median(reloading.latencies) / median(hot.latencies)
    return Row(
        f"save to fresh answer, {size} controllers: p50 / p95 / max, failed requests",
        _shown(hot, 1),
        f"{_shown(reloading, 0)} (`{RELOADING.name}`)",
        f"{ratio:.0f} times faster",
    )


def _shown(saves: Saves, digits: int) -> str:
    figures = saves.summary()
    times = " / ".join(f"{figures[name]:.{digits}f}" for name in ("p50", "p95", "max"))
    return f"{times} ms, {saves.failed}"


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--controllers", type=int, nargs="+", default=[10, 500], metavar="N")
    arguments.add_argument("--rounds", type=int, default=2, help="how often each server is started for saves")
    arguments.add_argument("--edits", type=int, default=30, help="saves a round")
    arguments.add_argument("--settle", type=float, default=0.3, metavar="SECONDS", help="pause before the next save")
    arguments.add_argument("--boots", type=int, default=5, help="starts of each server that are timed; 0: none")
    given = arguments.parse_args()
    publish(
        lambda: measure(given.controllers, given.rounds, given.edits, given.settle, given.boots),
        given.json,
    )
