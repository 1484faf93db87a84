"""Finds what the other finders find, and makes the project's modules tracked ones."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any, Protocol

from hotserve.hmr.sources import Sources


class Host(Protocol):
    """Who is told that a module executes: the tracker."""

    @property
    def sources(self) -> Sources:
        """Where the code of modules comes from."""

    def is_tracked(self, file: str) -> bool:
        """Is this file one of the project's?"""

    def execution(self, name: str, file: str, package: bool) -> AbstractContextManager[None]:
        """The time in which a module executes."""

    def on_our_own(self) -> AbstractContextManager[None]:
        """The time in which what is opened and listed is not the doing of the module that executes."""

    def hold(self, name: str, by: str) -> None:
        """A module that cannot be replaced."""


class Finder(MetaPathFinder):
    """Finds what the other finders find, and makes the project's modules tracked ones."""

    def __init__(self, host: Host) -> None:
        self._host = host
        # Where each module was found, until files come or go: (file, submodule search locations).
        self.specs: dict[str, tuple[str, list[str] | None]] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        known = self.specs.get(fullname)
        if known is not None:
            return self._spec(fullname, *known)
        with self._host.on_our_own():
            spec = self._ask_others(fullname, path, target)
        if spec is None or spec.loader is None or not isinstance(spec.origin, str) or not spec.has_location:
            return spec
        if not self._host.is_tracked(spec.origin):
            return spec
        if type(spec.loader) is SourceFileLoader:
            locations = spec.submodule_search_locations
            self.specs[fullname] = (spec.origin, None if locations is None else list(locations))
            return self._spec(fullname, spec.origin, self.specs[fullname][1])
        if not isinstance(spec.loader, TrackedLoader):
            spec.loader = ForeignLoader(spec.loader, self._host, spec.origin)
        return spec

    def _ask_others(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None) -> ModuleSpec | None:
        for finder in sys.meta_path:
            if finder is not self and (find := getattr(finder, "find_spec", None)) is not None:
                spec: ModuleSpec | None = find(fullname, path, target)
                if spec is not None:
                    return spec
        return None

    def _spec(self, fullname: str, file: str, locations: list[str] | None) -> ModuleSpec | None:
        loader = TrackedLoader(fullname, file, self._host)
        return importlib.util.spec_from_file_location(
            fullname, file, loader=loader, submodule_search_locations=None if locations is None else list(locations)
        )


class TrackedLoader(SourceFileLoader):
    """Compiles from source, never from a .pyc, and says when the module executes."""

    def __init__(self, fullname: str, path: str, host: Host) -> None:
        super().__init__(fullname, path)
        self._host = host

    def get_code(self, fullname: str) -> CodeType:
        with self._host.on_our_own():
            return self._host.sources.take_code(fullname, self.path)

    def exec_module(self, module: ModuleType) -> None:
        with self._host.execution(module.__name__, self.path, hasattr(module, "__path__")):
            super().exec_module(module)


class ForeignLoader(Loader):
    """Another import hook's loader (an extension module, an import rewriter), with the execution tracked."""

    def __init__(self, loader: Any, host: Host, file: str) -> None:
        self._loader = loader
        self._host = host
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        create = getattr(self._loader, "create_module", None)
        module: ModuleType | None = create(spec) if create is not None else None
        return module

    def exec_module(self, module: ModuleType) -> None:
        with self._host.execution(module.__name__, self._file, hasattr(module, "__path__")):
            with self._host.on_our_own():
                self._host.sources.take(self._file)
            if self._file.endswith(tuple(EXTENSION_SUFFIXES)):
                # An extension module cannot be loaded twice into one process.
                self._host.hold(module.__name__, "the interpreter (an extension module)")
            self._loader.exec_module(module)
