"""A layered application to measure on, the same modules under an eager and a lazy route table.

N controllers, each with its service and its repository (3 N modules), and a helper that every service imports.

    app_eager.py   app = Starlette(...), every controller imported at the top: what `uvicorn --reload` users write
    app_lazy.py    routes = [hotserve.Route("/c0", "controllers.c0:index"), ...]
    app_probe.py   the same, and routes that tell which versions of modules are alive
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

# The deepest module below /c0, and the line in it that the answer shows.
EDITED = "repositories/repo0.py"
MARKED = 'VALUE = "{}"'
FIRST = "v0"

_FUNCTIONS = 12  # that do nothing but make each module as long as a real one

_HELPERS = """\
def fmt(x):
    return f"value={x}"
"""
_REPOSITORY = """\
VALUE = "v0"

def find():
    return VALUE
"""
_SERVICE = """\
from helpers import fmt
from repositories import repo{k}

def show():
    return fmt(repo{k}.find())
"""
_CONTROLLER = """\
from starlette.responses import PlainTextResponse
from services.svc{k} import show

async def index(request):
    return PlainTextResponse(show())
"""
_FILLER = """\

def helper_{i}(a, b=1, *, c=None):
    '''Return something derived from a, b and c.'''
    total = a + b
    if c is not None:
        total += c
    return {{'total': total, 'i': {i}}}
"""
_EAGER = """\
from starlette.applications import Starlette
from starlette.routing import Route
{imports}
app = Starlette(routes=[{routes}])
"""
_LAZY = """\
from hotserve import Route
routes = [{routes}]
"""
_PROBE = """\
from hotserve import Route
routes = [Route("/alive", "probe:alive"), {routes}]
"""
_PYPROJECT = """\
[project]
name = "benchmark"
version = "0"

[tool.hotserve]
boundaries = ["controllers/**/*.py"]
"""


@dataclass(frozen=True, slots=True)
class Project:
    """A generated application in `folder`. `outside` holds a module that is none of the project's."""

    folder: Path
    outside: Path
    controllers: int

    def save(self, marker: str) -> float:
        """Edit the deepest module so that /c0 answers with `marker`. When the file was closed, by perf_counter."""
        source = _source(_REPOSITORY, 0).replace(MARKED.format(FIRST), MARKED.format(marker))
        with open(self.folder / EDITED, "w", encoding="utf-8") as file:
            file.write(source)
        return time.perf_counter()

    def restore(self) -> None:
        """Undo the edits."""
        self.save(FIRST)

    def remove_bytecode(self) -> None:
        """Make the next start compile what it imports, as the first one after a checkout does."""
        for cache in list(self.folder.rglob("__pycache__")):
            shutil.rmtree(cache)


@contextmanager
def generated(controllers: int) -> Iterator[Project]:
    """A project of this many controllers, in a temporary folder."""
    with TemporaryDirectory(prefix="hotserve-benchmark-") as top:
        # Resolved, as the watcher reports paths.
        folder, outside = Path(top).resolve() / "project", Path(top).resolve() / "outside"
        outside.mkdir()
        shutil.copy(Path(__file__).with_name("probe.py"), outside)
        for path, text in _files(controllers):
            file = folder / path
            os.makedirs(file.parent, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        yield Project(folder, outside, controllers)


def _files(controllers: int) -> Iterator[tuple[str, str]]:
    numbers = range(controllers)
    yield "pyproject.toml", _PYPROJECT
    yield "helpers.py", _HELPERS
    for package in ("controllers", "services", "repositories"):
        yield f"{package}/__init__.py", ""
    for k in numbers:
        yield f"repositories/repo{k}.py", _source(_REPOSITORY, k)
        yield f"services/svc{k}.py", _source(_SERVICE, k)
        yield f"controllers/c{k}.py", _source(_CONTROLLER, k)
    imports = "\n".join(f"from controllers import c{k}" for k in numbers)
    yield (
        "app_eager.py",
        _EAGER.format(imports=imports, routes=", ".join(f"Route('/c{k}', c{k}.index)" for k in numbers)),
    )
    lazy = ", ".join(f"Route('/c{k}', 'controllers.c{k}:index')" for k in numbers)
    yield "app_lazy.py", _LAZY.format(routes=lazy)
    yield "app_probe.py", _PROBE.format(routes=lazy)


def _source(template: str, k: int) -> str:
    return template.format(k=k) + "".join(_FILLER.format(i=i) for i in range(_FUNCTIONS))
