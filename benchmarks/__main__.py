"""Run all benchmarks with short settings and print one table, as the README quotes it."""

from __future__ import annotations

from benchmarks import idle, latency, memory, throughput
from benchmarks.report import Results, parser, publish


def measure() -> Results:
    """Everything, in some five minutes on an idle machine."""
    found = {
        "latency": latency.measure([10, 500], rounds=1, edits=30, settle=0.3, boots=3),
        "idle": idle.measure([10, 500], seconds=20.0),
        "throughput": throughput.measure(rounds=5, seconds=2, connections=16, http="auto", loop="auto"),
        "memory": memory.measure(warm_up=300, edits=3_000),
    }
    rows = [row for results in found.values() for row in results.rows]
    return Results(rows, {name: results.raw for name, results in found.items()})


if __name__ == "__main__":
    given = parser(__doc__).parse_args()
    publish(measure, given.json)
