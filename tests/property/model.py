"""A project that exists on paper: files made of blocks, each of which can be changed, removed or moved by itself."""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass, field

# A piece of rendered text and the name under which the minimiser can leave it out.   ("b12", "from core import V3")
Piece = tuple[str, str]
# Everything on disk at one moment, by path relative to the project.
Snapshot = dict[str, tuple[Piece, ...]]

HEADER = "import dataclasses, enum, functools, importlib, json, pathlib, pkgutil, weakref"
APP = "app.py"


@dataclass(frozen=True)
class Use:
    """An expression that means something in a module, and what kind of thing it is.   Use("a.b.L7", "list")"""

    expr: str
    kind: str


@dataclass
class Block:
    """Some lines of a module. In `text`, § stands for `number`, «a.b» for a relative name of module a.b."""

    ident: int
    kind: str
    text: str
    number: int
    defines: list[Use] = field(default_factory=list)
    needs: list[str] = field(default_factory=list)


@dataclass
class SourceFile:
    """A Python file, as blocks."""

    blocks: list[Block] = field(default_factory=list)
    # Added after the last block: text that breaks it.   "def broken("
    broken: str = ""
    # Where `broken` stands: after so many blocks.
    broken_at: int = 0
    exports: list[str] | None = None

    def uses(self) -> list[Use]:
        """All that the module's blocks define."""
        return [use for block in self.blocks for use in block.defines]

    def names(self) -> list[Use]:
        """What another module can import from it by name."""
        return [use for use in self.uses() if use.expr.isidentifier()]


@dataclass
class Project:
    """Files by relative path, and the routes of the application: (path, module, attribute)."""

    sources: dict[str, SourceFile] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)
    routes: list[tuple[str, str, str]] = field(default_factory=list)
    # What `[tool.hotserve] boundaries` would say.
    boundaries: list[str] | None = None
    # Names that some module tried to import in vain.   {"missing4": ["V9"], "core.base": ["V11"]}
    wanted: dict[str, list[str]] = field(default_factory=dict)
    counter: int = 10

    def copy(self) -> Project:
        """A project that can change without changing this one."""
        return deepcopy(self)

    def fresh(self) -> int:
        """A number that names nothing yet."""
        self.counter += 1
        return self.counter

    def modules(self) -> dict[str, str]:
        """The path of each module by its name; of x.py and x/__init__.py, the one that Python prefers."""
        found: dict[str, str] = {}
        for path in sorted(self.sources):
            name = module_name(path)
            if name not in found or is_package(path):
                found[name] = path
        return found

    def snapshot(self) -> Snapshot:
        """What is on disk."""
        files: Snapshot = {path: tuple(render(path, source)) for path, source in self.sources.items()}
        files.update({path: (("data", text),) for path, text in self.data.items()})
        files[APP] = (*files.get(APP, ()), *self._route_pieces())
        return files

    def _route_pieces(self) -> list[Piece]:
        lines = [("routes:import", "from hotserve.reference import Lazy"), ("routes:head", "routes = []")]
        for path, module, attr in self.routes:
            lines.append((f"route:{path}", f"routes.append(({path!r}, Lazy({module + ':' + attr!r})))"))
        return lines


def module_name(path: str) -> str:
    """ "a/b.py" and "a/b/__init__.py" give "a.b"."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def is_package(path: str) -> bool:
    """Is this file the __init__ of a package?"""
    return path.endswith("/__init__.py")


def module_path(name: str, package: bool = False) -> str:
    """Where the module of this name is written."""
    return name.replace(".", "/") + ("/__init__.py" if package else ".py")


def relative(target: str, path: str) -> str:
    """How the module in `path` names `target` with leading dots; absolutely, if they share no package."""
    parts = module_name(path).split(".")
    package = parts if is_package(path) else parts[:-1]
    wanted = target.split(".")
    common = 0
    while common < min(len(package), len(wanted)) and package[common] == wanted[common]:
        common += 1
    if not common:
        return target
    return "." * (len(package) - common + 1) + ".".join(wanted[common:])


def render(path: str, source: SourceFile) -> list[Piece]:
    """The text of a file, piece by piece. A module ends in `show`, which gives all that can be seen from it."""
    pieces: list[Piece] = [("header", HEADER)]
    if source.exports is not None:
        pieces.append(("all", f"__all__ = {source.exports!r}"))
    for index, block in enumerate(source.blocks):
        if source.broken and index == min(source.broken_at, len(source.blocks)):
            pieces.append(("broken", source.broken))
        text = re.sub("«(.*?)»", lambda match: relative(match[1], path), block.text)
        pieces.append((f"b{block.ident}", text.replace("§", str(block.number))))
    pieces += [("show:head", "def show():\n    shown = []")]
    pieces += [
        (f"show:{block.ident}:{use.expr}", f"    shown.append(lambda: {use.expr})")
        for block in source.blocks
        for use in block.defines
        if use.kind != "counter"
    ]
    pieces += [("show:tail", "    return shown")]
    if source.broken and source.broken_at >= len(source.blocks):
        pieces.append(("broken", source.broken))
    return pieces


def text_of(pieces: tuple[Piece, ...]) -> str:
    """What is written to disk."""
    return "".join(text if text.endswith("\n") else text + "\n" for _, text in pieces)
