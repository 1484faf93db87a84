"""Requests per second of a route that nobody edits: lazy under `--hmr`, lazy without it, and eager under plain uvicorn.

Each round starts all three anew, since one process is a little faster than the next of the same program, and loads one
after the other, in another order each time, while the other two are suspended. Servers of a round are compared with
each other only. Processor time a request says the same with less noise on a busy machine.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from contextlib import ExitStack
from dataclasses import asdict, dataclass

from benchmarks.project import generated
from benchmarks.report import Results, Row, median, parser, publish, say
from benchmarks.servers import HOST, HOT, LAZY, PLAIN, Command, Failed, Server, serving

_COMMANDS = (PLAIN, HOT, LAZY)
_CONTROLLERS = 10
_WARM_UP = 1  # seconds; wrk knows whole ones only


@dataclass(frozen=True, slots=True)
class Load:
    """What one server did under load. cpu: microseconds of processor time a request."""

    per_second: float
    cpu: float


def find_wrk() -> str:
    """The program that makes the load. Raises Failed."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise Failed("the throughput benchmark needs `wrk`: apt-get install wrk, or brew install wrk")
    return wrk


def load(server: Server, wrk: str, seconds: int, connections: int) -> Load:
    """Ask for /c0 as often as it answers, over connections that stay open. Raises Failed on any error."""
    run_wrk(wrk, server, _WARM_UP, connections)
    before = server.cpu_seconds()
    written = run_wrk(wrk, server, seconds, connections)
    cpu = server.cpu_seconds() - before
    rate = re.search(r"Requests/sec:\s+([\d.]+)", written)
    requests = re.search(r"(\d+) requests in", written)
    if rate is None or requests is None or "Non-2xx" in written or "Socket errors" in written:
        raise Failed(f"{server.command.name} did not answer every request:\n{written}")
    return Load(float(rate[1]), 1e6 * cpu / int(requests[1]))


def run_wrk(wrk: str, server: Server, seconds: int, connections: int) -> str:
    """What wrk says of so many seconds. Raises Failed."""
    url = f"http://{HOST}:{server.port}/c0"
    command = [wrk, "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s", url]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if run.returncode != 0:
        raise Failed(f"`{' '.join(command)}` ended with code {run.returncode}:\n{run.stdout}")
    return run.stdout


def measure_round(number: int, wrk: str, seconds: int, connections: int, options: tuple[str, ...]) -> dict[str, Load]:
    """One start of each server and one load on each, by the name of the command."""
    turn = number % len(_COMMANDS)
    order: tuple[Command, ...] = _COMMANDS[turn:] + _COMMANDS[:turn]
    found: dict[str, Load] = {}
    with generated(_CONTROLLERS) as project, ExitStack() as stack:
        servers = [
            stack.enter_context(serving(command.plus("--no-access-log", *options), project)) for command in order
        ]
        for server in servers:
            server.process.suspend()
        try:
            for server in servers:
                server.process.resume()
                found[server.command.name] = load(server, wrk, seconds, connections)
                server.process.suspend()
        finally:
            for server in servers:
                server.process.resume()
    return found


def measure(rounds: int, seconds: int, connections: int, http: str, loop: str) -> Results:
    """Several rounds; the figures are medians, the ratios medians of each round's ratio."""
    wrk = find_wrk()
    found = []
    for number in range(rounds):
        say(f"throughput, round {number + 1} of {rounds}")
        found.append(measure_round(number, wrk, seconds, connections, ("--http", http, "--loop", loop)))
    rows = [_row(found, LAZY), _row(found, PLAIN)]
    raw = [{name: asdict(each) for name, each in each_round.items()} for each_round in found]
    return Results(rows, {"rounds": raw, "http": http, "loop": loop, "connections": connections})


def _row(rounds: list[dict[str, Load]], other: Command) -> Row:
    rate = median([each[HOT.name].per_second / each[other.name].per_second for each in rounds])
    cpu = median([each[HOT.name].cpu / each[other.name].cpu for each in rounds])
    return Row(
        f"requests per second beside `{other.name}`; processor time a request",
        _shown([each[HOT.name] for each in rounds]),
        f"{_shown([each[other.name] for each in rounds])} (`{other.name}`)",
        f"{100 * rate:.1f} %; {100 * cpu:.1f} %",
    )


def _shown(loads: list[Load]) -> str:
    return f"{median([each.per_second for each in loads]):,.0f}; {median([each.cpu for each in loads]):.1f} µs"


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--rounds", type=int, default=9)
    arguments.add_argument("--seconds", type=int, default=3, help="load on each server, each round")
    arguments.add_argument("--connections", type=int, default=16)
    arguments.add_argument("--http", default="auto", help="uvicorn's --http, for all")
    arguments.add_argument("--loop", default="auto", help="uvicorn's --loop, for all")
    given = arguments.parse_args()
    publish(
        lambda: measure(given.rounds, given.seconds, given.connections, given.http, given.loop),
        given.json,
    )
