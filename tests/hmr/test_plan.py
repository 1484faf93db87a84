"""Decisions as values: what a change asks for, and why, word for word."""

from __future__ import annotations

from typing import Any

from hotserve.hmr.changes import Changes
from hotserve.hmr.graph import APPLICATION
from hotserve.hmr.plan import AppSwap, HotUpdate, NotLoaded, Restart, Update, plan
from tests.hmr.test_graph import graph_of

GRAPH: dict[str, str] = {
    "app": "bootstrap eager",
    "bootstrap": "models",
    "models": "",
    "eager": "",
    "page": "service",
    "other": "service",
    "service": "",
}


def decide(changes: Changes, **options: Any) -> Update | None:
    graph = graph_of(**GRAPH)
    graph.link(APPLICATION, "app")
    boundaries = options.pop("boundaries", {"page", "other", "eager"})
    return plan(graph, changes, boundaries=boundaries, display=lambda file: file.removeprefix("/p/"), **options)


def saved(*names: str, **more: Any) -> Changes:
    return Changes(tuple(f"/p/{name}.py" for name in names), frozenset(names), **more)


def test_a_change_below_boundaries_is_a_hot_update() -> None:
    update = decide(saved("service"))
    assert update == HotUpdate(("service.py",), frozenset({"service", "page", "other"}), ("other", "page"))
    assert str(update) == "service.py → other, page  3 modules"


def test_a_change_to_the_application_module_is_an_app_swap() -> None:
    update = decide(saved("app"))
    assert isinstance(update, AppSwap)
    assert str(update) == "app.py changed (application module)"


def test_a_change_that_passes_no_boundary_is_an_app_swap_with_its_import_path() -> None:
    update = decide(saved("models"))
    assert isinstance(update, AppSwap)
    assert update.chain == ("app", "bootstrap", "models")
    assert str(update) == "models.py changed (app.py → bootstrap.py → models.py passes no boundary)"
    assert update.stale == {"models", "bootstrap", "app"}


def test_a_boundary_imported_eagerly_is_named_with_its_importer() -> None:
    assert str(decide(saved("eager"))) == "eager.py changed (eager is imported eagerly by app.py)"


def test_a_restart_pattern_wins_over_everything() -> None:
    update = decide(saved("service", restart=".env changed (restart pattern '.env')"))
    assert update == Restart(("service.py",), ".env changed (restart pattern '.env')")


def test_files_that_nothing_imported_are_said_so() -> None:
    update = decide(Changes(unloaded=("/p/tools.py",)))
    assert update == NotLoaded(("tools.py",))
    assert str(update) == "tools.py  not imported by anything so far"


def test_nothing_changed_is_nothing() -> None:
    assert decide(Changes()) is None


def test_who_asked_in_vain_for_a_new_name_is_stale() -> None:
    graph = graph_of(page="missing.name", app="")
    update = plan(
        graph,
        Changes(("/p/missing/name.py",), names=frozenset({"missing.name"}), structural=True),
        boundaries={"page"},
        display=str,
    )
    assert isinstance(update, HotUpdate)
    assert update.stale == {"page"} and update.structural


def test_what_is_coupled_goes_stale_with_its_importers_until_nothing_is_added() -> None:
    def coupled(stale: set[str]) -> set[str]:
        return {"service"} if "lone" in stale else set()

    graph = graph_of(page="service", service="", lone="")
    update = plan(graph, saved("lone"), boundaries={"page"}, display=str, coupled=coupled)
    assert isinstance(update, HotUpdate)
    assert update.stale == {"lone", "service", "page"}


def test_many_names_are_shortened() -> None:
    names = [f"page{number}" for number in range(8)]
    graph = graph_of(leaf="", **dict.fromkeys(names, "leaf"))
    update = plan(graph, saved("leaf"), boundaries=set(names), display=str)
    assert str(update) == "/p/leaf.py → page0, page1, page2 and 5 more  9 modules"
