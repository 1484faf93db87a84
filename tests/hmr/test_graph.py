"""The graph as pure data."""

from __future__ import annotations

from hotserve.hmr.graph import ModuleGraph


def graph_of(**imports: str) -> ModuleGraph:
    graph = ModuleGraph()
    for name in imports:
        graph.begin(name, f"/p/{name}.py", package=False)
    for name, imported in imports.items():
        for each in imported.split():
            graph.link(name, each)
    return graph


def test_what_imports_a_stale_module_is_stale_too() -> None:
    graph = graph_of(app="page", page="service other", service="leaf", other="", leaf="")
    assert graph.with_importers(["leaf"]) == {"leaf", "service", "page", "app"}
    assert graph.with_importers(["other"]) == {"other", "page", "app"}


def test_a_cycle_is_walked_once() -> None:
    graph = graph_of(a="b", b="c", c="a")
    assert graph.with_importers(["a"]) == {"a", "b", "c"} == graph.with_imports(["a"])


def test_a_walk_visits_each_module_once_however_many_paths_lead_to_it() -> None:
    """60 diamonds on top of each other have 2**60 import paths."""
    graph = ModuleGraph()
    for level in range(60):
        for side in ("l", "r"):
            graph.begin(f"{side}{level}", f"/p/{side}{level}.py", package=False)
            graph.link(f"{side}{level}", f"l{level + 1}")
            graph.link(f"{side}{level}", f"r{level + 1}")
    assert len(graph.with_importers(["l60"])) == 121
    assert len(graph.chain("l0", {"r60"})) == 61


def test_the_shortest_import_path_is_found() -> None:
    graph = graph_of(app="long short", long="longer", longer="leaf", short="leaf", leaf="")
    assert graph.chain("app", {"leaf"}) == ("app", "short", "leaf")
    assert graph.chain("leaf", {"app"}) == ()
    assert graph.chain("app", {"app"}) == ("app",)


def test_a_module_that_executes_again_has_only_the_imports_of_its_new_version() -> None:
    graph = graph_of(page="one two", one="", two="")
    graph.end("page", complete=True)
    graph.begin("page", "/p/page.py", package=False)
    graph.link("page", "two")
    assert graph.end("page", complete=True) == {"one"}
    assert graph.importers("one") == frozenset()
    assert set(graph.importers("two")) == {"page"}


def test_what_a_failed_execution_did_not_reach_is_not_dropped() -> None:
    graph = graph_of(page="one two", one="", two="")
    graph.end("page", complete=True)
    graph.begin("page", "/p/page.py", package=False)
    assert graph.end("page", complete=False) == set()
    graph.begin("page", "/p/page.py", package=False)
    graph.link("page", "two")
    assert graph.end("page", complete=True) == {"one"}


def test_a_module_whose_file_moves_is_known_by_the_new_one_only() -> None:
    graph = ModuleGraph()
    graph.begin("x", "/p/x.py", package=False)
    graph.begin("x", "/p/x/__init__.py", package=True)
    assert set(graph.names_of("/p/x/__init__.py")) == {"x"}
    assert set(graph.names_of("/p/x.py")) == set()


def test_one_file_loaded_under_two_names_stands_for_both() -> None:
    graph = ModuleGraph()
    graph.begin("db", "/p/app/db.py", package=False)
    graph.begin("app.db", "/p/app/db.py", package=False)
    assert set(graph.names_of("/p/app/db.py")) == {"db", "app.db"}


def test_readers_are_forgotten_when_the_module_executes_again() -> None:
    graph = ModuleGraph()
    graph.begin("page", "/p/page.py", package=False)
    graph.read("page", "/p/prices.json")
    assert set(graph.readers_of("/p/prices.json")) == {"page"}
    graph.begin("page", "/p/page.py", package=False)
    assert set(graph.readers_of("/p/prices.json")) == set()


def test_importers_end_later_than_what_they_import() -> None:
    graph = ModuleGraph()
    for name in ("page", "leaf"):
        graph.begin(name, f"/p/{name}.py", package=False)
    graph.end("leaf", complete=True)
    graph.end("page", complete=True)
    assert graph.nodes["page"].order > graph.nodes["leaf"].order
