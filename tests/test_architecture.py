"""The house: which room may import which, and who alone may import what from outside."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "hotserve"
FILES = sorted(PACKAGE.rglob("*.py"))

# What ships to production with an application.
APPLICATION_SIDE = {"__init__", "callables", "errors", "hot", "lazy_app", "middleware", "reference", "routing"}


def room_of(file: Path) -> str:
    """hotserve/hmr/graph.py is in the room "hmr"; hotserve/cli.py is the room "cli"."""
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(file: Path) -> Iterator[str]:
    """The names of the modules that a file imports, wherever in it; `from hotserve import x` gives hotserve.x too."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are absolute"
            assert node.module is not None
            yield node.module
            if node.module == "hotserve" or node.module.startswith("hotserve."):
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rooms_imported_by(file: Path) -> set[str]:
    return {name.split(".")[1] for name in imports_of(file) if name.startswith("hotserve.")}


def names(file: Path) -> str:
    return str(file.relative_to(PACKAGE))


@pytest.mark.parametrize("file", [f for f in FILES if room_of(f) == "hmr"], ids=names)
def test_hmr_knows_modules_and_nothing_of_http_or_terminals(file: Path) -> None:
    assert not rooms_imported_by(file) & {"server", "browser", "terminal", "cli", "routing", "failure"}


@pytest.mark.parametrize("file", [f for f in FILES if room_of(f) == "browser"], ids=names)
def test_the_browser_side_does_not_import_the_server(file: Path) -> None:
    assert not rooms_imported_by(file) & {"server", "terminal", "cli"}


@pytest.mark.parametrize("file", [f for f in FILES if room_of(f) == "terminal"], ids=names)
def test_the_terminal_only_shows_what_it_is_given(file: Path) -> None:
    assert not rooms_imported_by(file) & {"server", "browser", "hmr", "cli"}


@pytest.mark.parametrize("file", [f for f in FILES if room_of(f) in APPLICATION_SIDE], ids=names)
def test_what_an_application_imports_does_not_import_the_development_server(file: Path) -> None:
    assert rooms_imported_by(file) <= APPLICATION_SIDE


@pytest.mark.parametrize("file", [f for f in FILES if room_of(f) != "__main__"], ids=names)
def test_nobody_imports_the_command_line(file: Path) -> None:
    assert "cli" not in rooms_imported_by(file)


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        ("watchfiles", {"hmr/watcher.py"}),
        ("click", {"cli.py"}),
        ("tomli", {"pyproject.py"}),
        ("tomllib", {"pyproject.py"}),
    ],
)
def test_a_dependency_is_imported_in_one_place(package: str, allowed: set[str]) -> None:
    importers = {names(file) for file in FILES if any(name.split(".")[0] == package for name in imports_of(file))}
    assert importers == allowed


def test_uvicorn_is_imported_by_the_server_and_by_the_list_of_its_options_only() -> None:
    importers = {room_of(file) for file in FILES if any(name.split(".")[0] == "uvicorn" for name in imports_of(file))}
    assert importers == {"server", "cli"}


def test_only_the_updater_and_the_import_system_write_to_sys_modules() -> None:
    writers = {
        names(file)
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Call) and ast.unparse(node.func) in {"sys.modules.pop", "sys.modules.update"})
        or (isinstance(node, ast.Delete | ast.Assign) and "sys.modules[" in ast.unparse(node).split("=")[0])
    }
    assert writers == {"hmr/updater.py"}


@pytest.mark.parametrize("file", FILES, ids=names)
def test_no_exception_is_swallowed_bare(file: Path) -> None:
    bare = [
        node.lineno
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler) and node.type is None
    ]
    assert bare == []
