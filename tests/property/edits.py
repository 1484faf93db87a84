"""What a person does to a project between two requests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.property import features
from tests.property.author import Author
from tests.property.chooser import Chooser
from tests.property.imports import import_
from tests.property.model import APP, Project, SourceFile, is_package, module_name, module_path
from tests.property.random_project import set_all, write_module

_BROKEN = [
    "def broken(",
    "raise RuntimeError('half way')",
    "undefined_name",
    "1 / 0",
    "import nowhere_to_be_found",
    "raise ImportError('not today')",
    "    x = 1",
]


class Editor:
    """Makes random edits. Each gives the paths touched beyond what differs on disk."""

    def __init__(self, chooser: Chooser, project: Project, hard: bool = False) -> None:
        self.chooser = chooser
        self.project = project
        self.hard = hard
        self.before: list[Project] = []
        # The project when its routes last gave values, and whether they do now.
        self._good: Project | None = None
        self._broken = False

    def note(self, errors: int) -> None:
        """How many of the routes asked after the last edit answered with an error."""
        self._broken = errors > 0
        if not self._broken:
            self._good = self.project.copy()

    def edit(self) -> set[str]:
        """One change set: mostly one edit, sometimes several at once, sometimes back to how it was."""
        chooser = self.chooser
        if self._broken and self._good is not None and chooser.chance(30):
            return self._back_to(self._good)
        if self.before and chooser.chance(6):
            return self._back_to(chooser.pick(self.before[-6:]))
        self.before.append(self.project.copy())
        del self.before[:-8]
        touched: set[str] = set()
        for _ in range(chooser.integer(2, 4) if chooser.chance(20) else 1):
            for _ in range(10):
                result = chooser.pick(_EDITS)(self)
                if result is not None:
                    touched |= result
                    break
        return touched

    def _back_to(self, project: Project) -> set[str]:
        counter = self.project.counter
        self.project.__dict__.update(project.copy().__dict__)
        self.project.counter = counter
        return set()

    def author(self, path: str) -> Author:
        """Who writes in this file."""
        return Author(self.chooser, self.project, path, self.hard)

    def any_source(self) -> str:
        """A module; the application rarely, since that is a restart."""
        paths = sorted(path for path in self.project.sources if path != APP)
        return APP if not paths or self.chooser.chance(2) else self.chooser.pick(paths)


Edit = Callable[[Editor], "set[str] | None"]


def change_value(editor: Editor) -> set[str] | None:
    """Another number, often of the same size."""
    blocks = editor.project.sources[editor.any_source()].blocks
    blocks = [block for block in blocks if "§" in block.text]
    if not blocks:
        return None
    block = editor.chooser.pick(blocks)
    block.number = editor.chooser.integer(10, 99) if editor.chooser.chance(80) else editor.chooser.integer(100, 99999)
    return set()


def add_import(editor: Editor) -> set[str] | None:
    """Import something more, and use it."""
    path = editor.any_source()
    if path == APP or not editor.author(path).write(import_):
        return None
    if editor.chooser.chance(60):
        editor.author(path).write(editor.chooser.pick(features.USES))
    return set()


def add_block(editor: Editor) -> set[str] | None:
    """A new definition, registration, guess or discovery."""
    path, chooser = editor.any_source(), editor.chooser
    if path == APP and not chooser.chance(20):
        return None
    kind = chooser.pick([features.DEFINITIONS, features.USES, features.USES, features.WORLD, features.HOLDERS])
    return set() if editor.author(path).write(chooser.pick(kind)) else None


def remove_block(editor: Editor) -> set[str] | None:
    """Something goes; who used it may break."""
    source = editor.project.sources[editor.any_source()]
    if not source.blocks:
        return None
    source.blocks.remove(editor.chooser.pick(source.blocks))
    return set()


def swap_blocks(editor: Editor) -> set[str] | None:
    """Two blocks change places, as when imports are sorted."""
    blocks = editor.project.sources[editor.any_source()].blocks
    if len(blocks) < 2:
        return None
    index = editor.chooser.integer(0, len(blocks) - 2)
    blocks[index], blocks[index + 1] = blocks[index + 1], blocks[index]
    return set()


def add_module(editor: Editor) -> set[str]:
    """A new module, imported by somebody."""
    project, chooser = editor.project, editor.chooser
    folders = sorted({path.rpartition("/")[0] for path in project.sources if "/" in path and "controllers" not in path})
    folder = chooser.pick(["", *folders, f"new{project.fresh()}"])
    path = f"{folder}/mod{project.fresh()}.py".removeprefix("/")
    earlier = sorted(known for known in project.sources if known != APP and "controllers" not in known)
    project.sources[path] = SourceFile()
    write_module(editor.author(path), earlier, 2, holders=chooser.chance(50))
    importer = editor.any_source()
    if importer not in (APP, path):
        editor.author(importer).write(lambda author: import_(author, module_name(path)))
    return set()


def answer_a_want(editor: Editor) -> set[str] | None:
    """What somebody tried to import in vain appears."""
    project, chooser = editor.project, editor.chooser
    if not project.wanted:
        return None
    target = chooser.pick(sorted(project.wanted))
    path = project.modules().get(target)
    if path is None:
        path = module_path(target, chooser.chance(30))
        project.sources[path] = SourceFile()
    author = editor.author(path)
    for name in project.wanted[target]:
        author.source.blocks.append(author.block("value", f"{name} = ('found', §)", (name, "value")))
    if not project.wanted[target]:
        author.write(features.value)
    return set()


def delete_module(editor: Editor) -> set[str] | None:
    """A module goes, with or without what imported it; or a whole folder."""
    project, path = editor.project, editor.any_source()
    if path == APP or len(project.sources) < 5:
        return None
    gone = [path]
    if is_package(path) and editor.chooser.chance(40):
        folder = path.rpartition("/")[0] + "/"
        gone = [each for each in project.sources if each.startswith(folder)]
    names = {module_name(each) for each in gone}
    for each in gone:
        del project.sources[each]
    if editor.chooser.chance(65):
        _forget(project, names - set(project.modules()))
    return set()


def _forget(project: Project, names: set[str]) -> None:
    for source in project.sources.values():
        source.blocks = [block for block in source.blocks if not names.intersection(block.needs)]


def rename_module(editor: Editor) -> set[str] | None:
    """A file gets another name; who imports it is told, or not."""
    project, path = editor.project, editor.any_source()
    if path == APP or is_package(path):
        return None
    old = module_name(path)
    head = path.rpartition("/")[0]
    new_path = f"{head}/ren{project.fresh()}.py".removeprefix("/")
    project.sources[new_path] = project.sources.pop(path)
    if editor.chooser.chance(70):
        _rewrite(project, old, module_name(new_path))
    return set()


def _rewrite(project: Project, old: str, new: str) -> None:
    """Every mention of a module follows it to its new name."""
    old_last, new_last = old.rpartition(".")[2], new.rpartition(".")[2]
    for source in project.sources.values():
        for block in source.blocks:
            if old in block.needs:
                block.text = block.text.replace(old, new).replace(f"import {old_last} as", f"import {new_last} as")
                block.needs = [new if name == old else name for name in block.needs]
                block.defines = [type(use)(use.expr.replace(old + ".", new + "."), use.kind) for use in block.defines]
    project.routes = [(path, new if module == old else module, attr) for path, module, attr in project.routes]


def rename_symbol(editor: Editor) -> set[str] | None:
    """A name changes in the module that defines it and in the others at once."""
    project = editor.project
    names = project.sources[editor.any_source()].names()
    if not names:
        return None
    old, new = editor.chooser.pick(names).expr, f"N{project.fresh()}"
    for source in project.sources.values():
        for block in source.blocks:
            block.text = block.text.replace(old, new)
            block.defines = [type(use)(use.expr.replace(old, new), use.kind) for use in block.defines]
        source.exports = [name.replace(old, new) for name in source.exports] if source.exports is not None else None
    return set()


def move_definition(editor: Editor) -> set[str] | None:
    """A block moves to another module, which the first one may import it from."""
    chooser, project = editor.chooser, editor.project
    path, other = editor.any_source(), editor.any_source()
    movable = [b for b in project.sources[path].blocks if b.kind in ("value", "function", "class", "holder", "enum")]
    if path == other or APP in (path, other) or not movable:
        return None
    block = chooser.pick(movable)
    index = project.sources[path].blocks.index(block)
    project.sources[path].blocks.remove(block)
    project.sources[other].blocks.insert(0, block)
    names = [use.expr for use in block.defines]
    if names and chooser.chance(70):
        target = module_name(other)
        author = editor.author(path)
        defines = [(use.expr, use.kind) for use in block.defines]
        moved = author.block("from", f"from {target} import {', '.join(names)}", *defines, needs=[target])
        project.sources[path].blocks.insert(index, moved)
    return set()


def become_package(editor: Editor) -> set[str] | None:
    """x.py becomes x/__init__.py, or back."""
    project, path = editor.project, editor.any_source()
    if path == APP:
        return None
    if not is_package(path):
        target = path.removesuffix(".py") + "/__init__.py"
    else:
        folder = path.rpartition("/")[0]
        target = folder + ".py"
        if any(each.startswith(folder + "/") and each != path for each in project.sources) and editor.chooser.chance(
            70
        ):
            return None
    if target in project.sources:
        return None
    project.sources[target] = project.sources.pop(path)
    return set()


def add_init(editor: Editor) -> set[str] | None:
    """A namespace package gets an __init__."""
    project = editor.project
    folders = {path.rpartition("/")[0] for path in project.sources if "/" in path}
    bare = sorted(folder for folder in folders if f"{folder}/__init__.py" not in project.sources)
    if not bare:
        return None
    path = f"{editor.chooser.pick(bare)}/__init__.py"
    project.sources[path] = SourceFile()
    if editor.chooser.chance(50):
        write_module(editor.author(path), [], 0, holders=False)
    return set()


def delete_init(editor: Editor) -> set[str] | None:
    """A package loses its __init__ and becomes a namespace package."""
    paths = sorted(path for path in editor.project.sources if is_package(path))
    if not paths:
        return None
    del editor.project.sources[editor.chooser.pick(paths)]
    return set()


def break_(editor: Editor) -> set[str] | None:
    """A module no longer compiles, or raises half way down."""
    path = editor.any_source()
    if path == APP:
        return None
    source = editor.project.sources[path]
    source.broken = editor.chooser.pick(_BROKEN)
    source.broken_at = editor.chooser.integer(0, len(source.blocks))
    return set()


def mend(editor: Editor) -> set[str] | None:
    """All that was broken on purpose works again, and nobody imports what is not there."""
    project, found = editor.project, False
    for source in project.sources.values():
        found = found or bool(source.broken)
        source.broken = ""
    known = set(project.modules())
    for source in project.sources.values():
        kept = [block for block in source.blocks if known.issuperset(block.needs)]
        found = found or len(kept) < len(source.blocks)
        source.blocks = kept
    return set() if found else None


def edit_data(editor: Editor) -> set[str] | None:
    """A data file changes, goes, comes back, or is broken."""
    data, chooser = editor.project.data, editor.chooser
    if not data:
        return None
    file = chooser.pick(sorted(data))
    data[file] = f'{{"price": {chooser.integer(10, 99)}}}' if chooser.chance(85) else "{"
    return set()


def touch(editor: Editor) -> set[str]:
    """A file is saved as it was."""
    return {editor.any_source()}


def change_all(editor: Editor) -> set[str] | None:
    """`__all__` comes, goes or names something else."""
    path = editor.any_source()
    if path == APP:
        return None
    source = editor.project.sources[path]
    if source.exports is not None and editor.chooser.chance(40):
        source.exports = None
    else:
        set_all(editor.author(path))
    return set()


def change_routes(editor: Editor) -> set[str] | None:
    """The application changes: a restart or a swap."""
    chooser, project = editor.chooser, editor.project
    if not chooser.chance(10):
        return None
    names = sorted(name for name in project.modules() if name != "app")
    project.routes.append((f"/{project.fresh()}", chooser.pick(names), "show"))
    return set()


_EDITS: Sequence[Edit] = (
    [change_value] * 10
    + [add_block] * 4
    + [add_import, remove_block, break_] * 2
    + [mend] * 6
    + [swap_blocks, add_module, answer_a_want, delete_module, rename_module, rename_symbol, move_definition]
    + [become_package, add_init, delete_init, edit_data, edit_data, touch, change_all, change_routes]
)
