"""A random small project: packages, namespace packages, modules, controllers and an application."""

from __future__ import annotations

from tests.property import features
from tests.property.author import Author
from tests.property.chooser import Chooser
from tests.property.imports import import_
from tests.property.model import APP, Project, SourceFile, is_package, module_name

_TOP = ["core", "services", "shop", "plugins"]
_LEAF = ["base", "users", "orders", "prices", "events", "tools"]


def random_project(chooser: Chooser, hard: bool = False) -> Project:
    """Five to fifteen modules and an application with two to four routes."""
    project = Project()
    paths = _layout(chooser)
    controllers = [f"controllers/{name}.py" for name in chooser.some(["home", "admin", "api", "cart"], 2, 4)]
    if chooser.chance(40):
        paths.append("controllers/__init__.py")
    for path in [*paths, *controllers, APP]:
        project.sources[path] = SourceFile()
    # Whoever comes later imports who came earlier; a few imports go the other way and make cycles.
    for rank, path in enumerate(paths):
        write_module(Author(chooser, project, path, hard), paths[:rank], chooser.integer(1, 4), holders=rank < 4)
    for path in controllers:
        write_module(Author(chooser, project, path, hard), paths, chooser.integer(1, 4), holders=False)
        _add_route(chooser, project, path)
    for path in paths[-3:]:
        if chooser.chance(15) and not is_package(path):
            _add_route(chooser, project, path)
    _add_cycles(chooser, project, paths, hard)
    if chooser.chance(20):
        write_module(Author(chooser, project, APP, hard), paths, 1, holders=False)
    if chooser.chance(15):
        project.boundaries = ["controllers/**"]
    return project


def _layout(chooser: Chooser) -> list[str]:
    paths: list[str] = []
    for top in chooser.some(_TOP, 1, 3):
        if chooser.chance(25):
            paths.append(f"{top}.py")
            continue
        inner = [f"{top}/{leaf}.py" for leaf in chooser.some(_LEAF, 1, 3)]
        if chooser.chance(30):
            deeper = f"{top}/{chooser.pick(['inner', 'parts'])}"
            inner += [f"{deeper}/{leaf}.py" for leaf in chooser.some(_LEAF, 1, 2)]
            if chooser.chance(60):
                inner.append(f"{deeper}/__init__.py")
        if chooser.chance(70):
            # A package's __init__ either comes before its submodules (a base) or after (it re-exports them).
            inner.insert(0 if chooser.chance(40) else len(inner), f"{top}/__init__.py")
        paths += inner
    paths += [f"{name}.py" for name in chooser.some(["helpers", "settings"], 0, 2)]
    return paths if len(paths) > 2 else [*paths, "basis.py", "extra.py"]


def write_module(author: Author, earlier: list[str], imports: int, holders: bool) -> None:
    """Fill a module with definitions, imports of earlier modules, and what can be made of them."""
    chooser = author.chooser
    for _ in range(chooser.integer(1, 2)):
        author.write(chooser.pick(features.DEFINITIONS))
    if holders or chooser.chance(30):
        author.write(features.holder)
    known = author.project.modules()
    targets = [name for path in earlier if (name := module_name(path)) in known and name != author.name]
    for target in chooser.some(targets, min(imports, 1), imports):
        author.write(lambda a, target=target: import_(a, target))  # type: ignore[misc]
    for _ in range(chooser.integer(1, 4)):
        author.write(chooser.pick(features.USES))
    if chooser.chance(45):
        author.write(chooser.pick(features.WORLD))
    if chooser.chance(15):
        set_all(author)


def set_all(author: Author) -> None:
    """Give the module an `__all__`; a package may name submodules in it."""
    names = [use.expr for use in author.source.names()]
    chosen = author.chooser.some(names, 1, 6) if names else []
    if is_package(author.path):
        prefix = author.name + "."
        below = [name[len(prefix) :] for name in author.project.modules() if name.startswith(prefix)]
        chosen += author.chooser.some([name for name in below if "." not in name], 0, 2)
    author.source.exports = chosen


def _add_route(chooser: Chooser, project: Project, path: str) -> None:
    attr = "show"
    functions = [use.expr for use in project.sources[path].names() if use.kind == "func"]
    if functions and chooser.chance(20):
        attr = chooser.pick(functions)
    project.routes.append((f"/{len(project.routes)}", module_name(path), attr))


def _add_cycles(chooser: Chooser, project: Project, paths: list[str], hard: bool) -> None:
    for path in paths:
        if chooser.chance(12):
            # `import x` in a cycle works; `from x import y` often does not, which is an answer too.
            form = chooser.pick([0, 1, 2, 7, 8, 8, 3])
            author = Author(chooser, project, path, hard)
            author.write(lambda author, form=form: import_(author, form=form))  # type: ignore[misc]
