"""What lies and comes and goes in a project's folders without being any module's business."""

from __future__ import annotations

import os
import sys
import types

import pytest

from hotserve.hmr.plan import HotUpdate
from tests.hmr.conftest import Project

LISTING = (
    "import os\nfrom pathlib import Path\nNAMES = sorted(os.listdir(Path(__file__).parent))\ndef index(): return NAMES"
)


@pytest.mark.parametrize(
    "name", [".page.py.swp", "page.py~", ".#page.py", "server.log", "t.db-journal", "t.db-wal", ".git/x"]
)
def test_what_editors_and_databases_leave_behind_is_no_change_of_a_listed_folder(project: Project, name: str) -> None:
    project.write("page.py", LISTING)
    project.write("app.py", "routes = []")
    project.start()
    project.ask("page:index")
    assert not isinstance(project.plan(project.write(name, "x")), HotUpdate)


def test_a_new_file_in_a_listed_folder_is_named_and_nothing_else(project: Project) -> None:
    file = project.write("page.py", LISTING)
    project.write("app.py", "routes = []")
    project.start()
    project.ask("page:index")
    assert project.save(project.write("menu.json", "{}"), file).changed == ("menu.json",)


def test_a_library_that_looks_around_for_itself_makes_no_dependency(project: Project) -> None:
    """importlib.metadata lists every folder on sys.path; pydantic asks it at its first model."""
    library = types.ModuleType("some_library")
    exec("import os\ndef plugins(): return os.listdir('.')", vars(library))
    sys.modules["some_library"] = library
    before = os.getcwd()
    os.chdir(project.root)
    try:
        project.write("page.py", "import some_library\nsome_library.plugins()\ndef index(): return 1")
        project.write("app.py", "routes = []")
        project.start()
        project.ask("page:index")
        assert project.plan(project.write("menu.json", "{}")) is None
    finally:
        os.chdir(before)
        del sys.modules["some_library"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_read(project: Project) -> None:
    project.write("app.py", "routes = []")
    project.start()
    os.mkfifo(project.path("pipe"))
    os.mkfifo(project.path(".env"))
    assert project.plan(project.path("pipe")) is None
    project.plan(project.path(".env"))


def test_reading_goes_on_when_the_working_directory_is_gone(project: Project) -> None:
    project.write("gone/file.txt", "x")
    project.write("app.py", "routes = []")
    project.start()
    before = os.getcwd()
    os.chdir(project.path("gone"))
    try:
        folder = os.open(project.path("."), os.O_RDONLY)
        os.remove(project.path("gone/file.txt"))
        os.rmdir(project.path("gone"))
        os.close(os.open("app.py", os.O_RDONLY, dir_fd=folder))
        os.close(folder)
    finally:
        os.chdir(before)


def test_one_broken_module_is_said_once_however_many_references_need_it(project: Project) -> None:
    project.write("leaf.py", "1 / 0")
    for name in ("one", "two"):
        project.write(f"{name}.py", "import leaf\ndef a(): ...\ndef b(): ...")
    project.write("app.py", "routes = []")
    project.start()
    for reference in ("one:a", "one:b", "two:a"):
        with pytest.raises(Exception, match="division by zero"):
            project.ask(reference)
    assert len(project.failures) == 1


def test_a_reference_to_a_file_that_no_boundaries_glob_matches_says_so(project: Project) -> None:
    project.boundaries = ("pages/*.py",)
    project.write("other.py", "def index(): return 1")
    project.write("app.py", "routes = []")
    project.start()
    project.ask("other:index")
    update = project.requires_more(project.edit("other.py", "1", "2"))
    assert update.reason == (
        "other.py changed (used by the application itself: no `boundaries` glob matches it, "
        "or it was loaded at startup)"
    )
