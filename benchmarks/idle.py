"""What watching costs while nobody saves and nobody asks: processor time of the idle process, in percent of a core.

Every route was asked for once before, so that all modules are loaded. The processes are measured side by side over the
same seconds; time spent waiting for a core counts for none of them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack

from benchmarks.project import generated
from benchmarks.report import Results, Row, parser, publish, say
from benchmarks.servers import HOT, RELOADING, serving

_SETTLE = 3.0  # seconds until everything that follows a boot is over


def measure_size(controllers: int, seconds: float) -> dict[str, float]:
    """Percent of a core, by the name of the command."""
    say(f"idle, {controllers} controllers, {seconds:.0f} s")
    with generated(controllers) as project, ExitStack() as stack:
        servers = [stack.enter_context(serving(command, project)) for command in (HOT, RELOADING)]
        for server in servers:
            for number in range(controllers):
                server.get(f"/c{number}")
        time.sleep(_SETTLE)
        began = time.perf_counter()
        before = [server.cpu_seconds() for server in servers]
        time.sleep(seconds)
        elapsed = time.perf_counter() - began
        return {
            server.command.name: 100 * (server.cpu_seconds() - start) / elapsed
            for server, start in zip(servers, before, strict=True)
        }


def measure(sizes: Sequence[int], seconds: float) -> Results:
    """Each size in turn."""
    found = {size: measure_size(size, seconds) for size in sizes}
    rows = [
        Row(
            f"idle, {size} controllers",
            f"{each[HOT.name]:.2f} % of a core",
            f"{each[RELOADING.name]:.2f} % (`{RELOADING.name}`, both processes)",
            f"{each[HOT.name] / each[RELOADING.name]:.2f}" if each[RELOADING.name] else "",
        )
        for size, each in found.items()
    ]
    return Results(rows, {"percent_of_a_core": found, "seconds": seconds})


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--controllers", type=int, nargs="+", default=[10, 500], metavar="N")
    arguments.add_argument("--seconds", type=float, default=20.0)
    given = arguments.parse_args()
    publish(lambda: measure(given.controllers, given.seconds), given.json)
