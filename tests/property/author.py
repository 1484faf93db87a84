"""Who writes a module: knows what is in scope, and what the rest of the project offers."""

from __future__ import annotations

from collections.abc import Callable

from tests.property.chooser import Chooser
from tests.property.model import Block, Project, SourceFile, Use, module_name

REGISTRIES = ("list", "dict", "set", "bus", "registry", "counter", "base", "base_list", "weak", "deep")


class Author:
    """Writes blocks for one module of a project."""

    def __init__(self, chooser: Chooser, project: Project, path: str, hard: bool = False) -> None:
        """hard: also use what is known to be beyond hot replacement (see README of the run)."""
        self.chooser = chooser
        self.project = project
        self.path = path
        self.name = module_name(path)
        self.hard = hard

    @property
    def source(self) -> SourceFile:
        """The file being written."""
        return self.project.sources[self.path]

    def block(self, kind: str, text: str, *defines: tuple[str, str], needs: list[str] | None = None) -> Block:
        """A block with a number of its own; two digits, so that it can change without changing the size."""
        uses = [Use(expr, use_kind) for expr, use_kind in defines]
        number = self.chooser.integer(10, 99)
        return Block(self.project.fresh(), kind, text, number, uses, list(needs or ()))

    def names(self) -> int:
        """A number to make names from."""
        return self.project.fresh()

    def scope(self, *kinds: str) -> list[Use]:
        """What the module can use by now."""
        return [use for use in self.source.uses() if use.kind in kinds]

    def value(self) -> str:
        """An expression with a plain value."""
        options = [use.expr for use in self.scope("value")]
        options += [f"{use.expr}()" for use in self.scope("func")]
        options += [f"{use.expr}.label" for use in self.scope("class", "base", "base_list")]
        if options and self.chooser.chance(70):
            return self.chooser.pick(options)
        return "§"

    def other_modules(self) -> list[str]:
        """The modules that could be imported; the application is not among them."""
        return [name for name in self.project.modules() if name not in (self.name, "app")]

    def write(self, feature: Feature) -> bool:
        """Add a block, if the feature finds what it needs."""
        block = feature(self)
        if block is None:
            return False
        self.source.blocks.append(block)
        return True


Feature = Callable[[Author], "Block | None"]
