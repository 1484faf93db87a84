"""What is left of old versions after thousands of saves: resident memory, threads, file descriptors, module objects.

Each save follows the answer to the one before it without a pause, and its own answer must show it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from benchmarks.project import Project, generated
from benchmarks.report import Results, Row, parser, publish, say
from benchmarks.servers import HOT_PROBE, Failed, Server, serving

_CONTROLLERS = 10
_SAMPLES = 10
_EDIT_TIMEOUT = 20.0  # seconds


@dataclass(frozen=True, slots=True)
class Sample:
    """The process after so many saves, its garbage collected.

    resident: MB (10^6 bytes)
    modules, functions: objects alive of the modules that went stale at each save, by the name of the module
    """

    saves: int
    resident: float
    threads: int
    descriptors: int
    modules: dict[str, int]
    functions: dict[str, int]


def save_and_ask(server: Server, project: Project, number: int) -> None:
    """One save, and requests until it is served. Raises Failed when a request fails, or it never is."""
    marker = f"v{number}."
    saved = project.save(marker)
    while True:
        status, body = server.get("/c0")
        if marker in body:
            return
        if status != 200:
            raise Failed(f"save {number} was answered by {status}: {body[:200]}")
        if time.perf_counter() - saved > _EDIT_TIMEOUT:
            raise Failed(f"save {number} was not served within {_EDIT_TIMEOUT:.0f} s")
        time.sleep(0.001)


def sample(server: Server, saves: int) -> Sample:
    """Look at the process. Collects its garbage."""
    status, body = server.get("/alive")
    if status != 200:
        raise Failed(f"the probe answered {status}: {body[:200]}")
    alive = json.loads(body)
    process = server.process
    return Sample(
        saves,
        process.memory_info().rss / 1e6,
        process.num_threads(),
        process.num_fds(),
        alive["modules"],
        alive["functions"],
    )


def samples(warm_up: int, edits: int) -> Iterator[Sample]:
    """A sample after the warm-up, and ten more on the way to the last save."""
    at = {warm_up + edits * part // _SAMPLES for part in range(_SAMPLES + 1)}
    with generated(_CONTROLLERS) as project, serving(HOT_PROBE, project) as server:
        for number in range(1, warm_up + edits + 1):
            save_and_ask(server, project, number)
            if number in at:
                taken = sample(server, number)
                say(f"memory, {number} saves: {taken.resident:.2f} MB, {sum(taken.modules.values())} modules alive")
                yield taken


def measure(warm_up: int, edits: int) -> Results:
    """The growth from the end of the warm-up to the last save."""
    taken = list(samples(warm_up, edits))
    first, last = taken[0], taken[-1]
    rows = [
        Row(
            f"{edits:,} saves: growth of resident memory",
            f"{last.resident - first.resident:+.2f} MB",
            f"{first.resident:.1f} MB after {warm_up} saves",
            f"{last.resident / first.resident:.3f}",
        ),
        Row(
            f"{edits:,} saves: threads, file descriptors",
            f"{last.threads}, {last.descriptors}",
            f"{first.threads}, {first.descriptors} after {warm_up} saves",
        ),
        Row(
            f"{edits:,} saves: module objects alive of {len(last.modules)} modules that each save made stale",
            f"{sum(last.modules.values())}",
            f"{len(last.modules)} in a fresh process",
        ),
    ]
    return Results(rows, {"samples": [asdict(each) for each in taken]})


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--warm-up", type=int, default=300, help="saves before memory is looked at")
    arguments.add_argument("--edits", type=int, default=3_000)
    given = arguments.parse_args()
    publish(lambda: measure(given.warm_up, given.edits), given.json)
