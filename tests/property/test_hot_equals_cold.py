"""After any sequence of saves, every answer is one that a freshly started process could give.

HOTSERVE_PROPERTY_EDITS says how many edits (600 unless told), HOTSERVE_PROPERTY_SEED which ones: the same ones each
time unless told. `python -m tests.property.run` hunts faster and longer.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.property.chooser import Chooser
from tests.property.edits import Editor
from tests.property.minimise import minimise
from tests.property.random_project import random_project
from tests.property.report import report
from tests.property.session import Divergence, Processes, Session, Step

EDITS = int(os.environ.get("HOTSERVE_PROPERTY_EDITS", "600"))
SEED = int(os.environ.get("HOTSERVE_PROPERTY_SEED", "3"))
STEPS = 40  # edits to one project
_MOST_RESTARTS = 0.35  # of all edits: beyond, the kernel would pass by doing nothing


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    """The process under the kernel and the oracle."""
    both = Processes()
    yield both
    both.close()


class HotEqualsCold(RuleBasedStateMachine):
    """A person edits a project and asks for pages; each answer is compared with a fresh interpreter's."""

    processes: Processes
    statistics: Counter[str]
    reports: list[str]
    rounds: int  # runs of the state machine so far, whose choices are the same each time

    def __init__(self) -> None:
        super().__init__()
        self.session: Session | None = None

    @initialize(seed=strategies.integers(0, 2**48))
    def start(self, seed: int) -> None:
        """Write a project and start it."""
        self.chooser = Chooser.seeded(seed + ((SEED << 16) + self.rounds << 48))
        self.project = random_project(self.chooser)
        self.editor = Editor(self.chooser, self.project)
        self.session = Session(self.processes, self.project.boundaries, self.statistics)
        self._step(set(), self._some())

    @rule()
    def save(self) -> None:
        """One change set, and some of the routes."""
        self._step(self.editor.edit(), self._some())

    @rule()
    def save_and_ask_everything(self) -> None:
        """One change set, and all of the routes."""
        self._step(self.editor.edit(), self.chooser.some(self._routes(), 99, 99))

    @rule()
    def save_twice_before_anyone_asks(self) -> None:
        """Two change sets, one after the other."""
        self._step(self.editor.edit(), [])
        self._step(self.editor.edit(), self._some())

    @rule()
    def collect(self) -> None:
        """What was unloaded is gone."""
        assert self.session is not None
        self._checked(self.session.check_old_versions_are_dead)

    @invariant()
    def broken_projects_are_mended_some_day(self) -> None:
        """The editor knows how many routes are broken, so that it goes back to what worked now and then."""
        if self.session is not None:
            self.editor.note(self.session.errors)

    def teardown(self) -> None:
        if self.session is not None:
            self.session.close()

    def _routes(self) -> list[str]:
        return [path for path, _, _ in self.project.routes]

    def _some(self) -> list[str]:
        routes = self._routes()
        return self.chooser.some(routes, 1, len(routes))

    def _step(self, touched: set[str], asks: list[str]) -> None:
        session, snapshot = self.session, self.project.snapshot()
        assert session is not None
        self._checked(lambda: session.step(Step(snapshot, tuple(sorted(touched & snapshot.keys())), tuple(asks))))

    def _checked(self, call: object) -> None:
        assert callable(call)
        try:
            call()
        except Divergence as divergence:
            if not self.reports:  # Hypothesis runs the example once more, to be sure of it
                self.reports.append(report(minimise(self.processes, divergence)))
            pytest.fail(self.reports[0], pytrace=False)


@pytest.mark.timeout(max(600, EDITS))
def test_every_answer_is_one_that_a_fresh_interpreter_could_give(processes: Processes) -> None:
    HotEqualsCold.processes, HotEqualsCold.statistics, HotEqualsCold.reports = processes, Counter(), []
    profile = settings(
        max_examples=25,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        derandomize=True,
        # The trace is minimised by `minimise`, which knows what a project is.
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
    )
    statistics = HotEqualsCold.statistics
    HotEqualsCold.rounds = 0
    while statistics["edits"] < EDITS:  # Hypothesis chooses how many of the steps it takes
        HotEqualsCold.rounds += 1
        run_state_machine_as_test(HotEqualsCold, settings=profile)
    print(dict(statistics))
    if EDITS < 500:
        return  # too few to judge by the shares of anything
    restarts = statistics["Restart"] + statistics["AppSwap"] + statistics["phantoms"]
    assert statistics["HotUpdate"] > statistics["edits"] / 3, statistics
    assert restarts < statistics["edits"] * _MOST_RESTARTS, statistics
    assert statistics["answers that are errors"] < statistics["answers"] / 2, statistics
