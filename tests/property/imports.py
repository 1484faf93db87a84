"""The many ways in which a random module imports another."""

from __future__ import annotations

from tests.property.author import REGISTRIES, Author
from tests.property.model import Block, Use, is_package


def _wanted_names(author: Author, target: str, most: int = 3) -> list[Use]:
    """A few names of a module, registries before others."""
    path = author.project.modules()[target]
    names = author.project.sources[path].names()
    special = [use for use in names if use.kind in REGISTRIES]
    chosen = author.chooser.some(special, 0, 2) if special else []
    return chosen + author.chooser.some([use for use in names if use not in chosen], 0 if chosen else 1, most)


def import_(author: Author, target: str | None = None, form: int | None = None) -> Block | None:
    """Import a module of the project, in one of the many ways."""
    chooser, others = author.chooser, author.other_modules()
    if target is None:
        if not others:
            return None
        target = chooser.pick(others)
    names = _wanted_names(author, target)
    head, _, last = target.rpartition(".")
    source = f"«{target}»" if chooser.chance(50) else target
    form = chooser.integer(0, 8) if form is None else form
    alias = f"m{author.names()}"
    if form == 2 and head:
        prefix = f"«{head}»" if chooser.chance(50) else head
        bound = alias if chooser.chance(50) else last
        return _module_block(author, f"from {prefix} import {last} as {bound}", bound, names, target)
    if form in (3, 4) and names:
        parts, defines = [], []
        for use in names:
            bound = f"{use.expr}_{author.names()}" if chooser.chance(20) else use.expr
            parts.append(use.expr if bound == use.expr else f"{use.expr} as {bound}")
            defines.append((bound, use.kind))
        return author.block("from", f"from {source} import {', '.join(parts)}", *defines, needs=[target])
    if form == 5:
        return _star_block(author, source, target)
    if form == 6:
        call = f'importlib.import_module("{target}")'
        if head and not source.startswith(target):
            call = f'importlib.import_module("«{target}»", __package__ or None)'
        return _module_block(author, f"{alias} = {call}", alias, names, target)
    if form in (7, 8):
        return _inner_import(author, source, target, names)
    if form == 1:
        return _module_block(author, f"import {target} as {alias}", alias, names, target)
    return _module_block(author, f"import {target}", target, names, target)


def _module_block(author: Author, text: str, bound: str, names: list[Use], target: str) -> Block:
    uses = [(f"{bound}.{use.expr}", use.kind) for use in names]
    if author.chooser.chance(35):
        uses.append((f"{bound}.show", "show"))
    return author.block("import", text, *uses, needs=[target])


def _star_block(author: Author, source: str, target: str) -> Block:
    path = author.project.modules()[target]
    found = author.project.sources[path]
    names = [(use.expr, use.kind) for use in found.names() if found.exports is None or use.expr in found.exports]
    submodules = [name for name in found.exports or () if f"{target}.{name}" in author.project.modules()]
    shows = [(f"{name}.show", "show") for name in submodules]
    return author.block("star", f"from {source} import *", *names[:8], *shows, needs=[target])


def _inner_import(author: Author, source: str, target: str, names: list[Use]) -> Block:
    """A function that imports when it is called."""
    name, form = f"f{author.names()}", author.chooser.integer(0, 3)
    plain = [use for use in names if use.kind not in ("counter",)] or [Use("show", "show")]
    wanted = author.chooser.pick(plain).expr
    if form == 0:
        text = f"def {name}():\n    from {source} import {wanted}\n    return {wanted}"
    elif form == 1:
        text = f"def {name}():\n    import {target}\n    return {target}.{wanted}"
    elif form == 2:
        text = f'def {name}():\n    return importlib.import_module("{target}").{wanted}'
    else:
        text = f"@functools.cache\ndef {name}():\n    from {source} import {wanted} as found\n    return (found, §)"
    return author.block("inner", text, (name, "func"), needs=[target])


def guess(author: Author) -> Block | None:
    """Import something that may be missing, with something to fall back on."""
    chooser, others, name = author.chooser, author.other_modules(), f"V{author.names()}"
    form, wanted = chooser.integer(0, 4), author.project.wanted
    target = chooser.pick(others) if others else "missing"
    if form == 0 or not others:
        package = author.name if is_package(author.path) else author.name.rpartition(".")[0]
        missing = f"missing{author.names()}"
        target = f"{package}.{missing}" if package and chooser.chance(60) else missing
        wanted.setdefault(target, []).append(name)
        text = f"try:\n    from {target} import {name}\nexcept ImportError:\n    {name} = ('fallback', §)"
    elif form == 1:
        missing = f"sub{author.names()}"
        wanted.setdefault(f"{target}.{missing}", [])
        text = f"try:\n    from {target} import {missing}\n    {name} = {missing}.show\n"
        text += f"except ImportError:\n    {name} = §"
    elif form == 2:
        wanted.setdefault(target, []).append(name)
        text = f"try:\n    from «{target}» import {name}\nexcept ImportError:\n    {name} = ('fallback', §)"
    else:
        known = [use.expr for use in _wanted_names(author, target)]
        name = chooser.pick(known) if known and chooser.chance(60) else name
        if name not in known:
            wanted.setdefault(target, []).append(name)
        test = f'hasattr(guessed, "{name}")' if form == 3 else f'getattr(guessed, "{name}", None) is not None'
        text = f"import {target} as guessed\nG{name} = guessed.{name} if {test} else ('none', §)"
        name = f"G{name}"
    return author.block("guess", text, (name, "thing"), needs=[])
