"""A project on disk and a kernel over it, in this process: no server, no watcher, no clock."""

from __future__ import annotations

import asyncio
import gc
import importlib
import os
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hotserve.config import Config
from hotserve.errors import LoadError
from hotserve.hmr.kernel import Applied, Kernel
from hotserve.hmr.plan import AppSwap, HotUpdate, Restart, Update
from hotserve.hot import hot
from hotserve.reference import Lazy, Reference


class Project:
    """Writes modules, saves changes, and asks references for their answers as requests would."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.failures: list[LoadError] = []
        self.boundaries: tuple[str, ...] | None = None
        self._kernel: Kernel | None = None
        self._lazies: dict[str, Lazy] = {}

    @property
    def kernel(self) -> Kernel:
        if self._kernel is None:
            config = Config(root=self.root, pyproject=None, app_dir=self.root, boundaries=self.boundaries)
            self._kernel = Kernel(config)
            self._kernel.on_failure = self.failures.append
            self._kernel.install()
        return self._kernel

    # -- files

    def path(self, name: str) -> str:
        return str(self.root / name)

    def write(self, name: str, text: str = "") -> str:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
        return str(file)

    def edit(self, name: str, old: str, new: str) -> str:
        text = (self.root / name).read_text()
        assert old in text
        return self.write(name, text.replace(old, new))

    def delete(self, name: str) -> str:
        (self.root / name).unlink()
        return self.path(name)

    # -- the running application

    def start(self, target: str = "app:routes") -> Any:
        """Import the application module, as the server does at boot."""
        return self.kernel.load_application(Reference.parse(target))

    def ask(self, reference: str) -> Any:
        """Resolve a reference as a request does, and call what it names."""
        return self.lazy(reference).value()()

    def lazy(self, reference: str) -> Lazy:
        if reference not in self._lazies:
            self._lazies[reference] = Lazy(reference, "a test")
        return self._lazies[reference]

    def plan(self, *paths: str) -> Update | None:
        """What the saves to these absolute paths ask for."""
        self.kernel  # noqa: B018
        return self.kernel.plan(paths)

    def save(self, *paths: str) -> HotUpdate:
        """Plan the changes, require a hot update, and apply it."""
        update = self.plan(*paths)
        assert isinstance(update, HotUpdate), update
        self.apply(update)
        return update

    def apply(self, update: HotUpdate) -> Applied:
        return asyncio.run(self.kernel.apply(update))

    def requires_more(self, *paths: str) -> AppSwap | Restart:
        """Plan the changes and require that no hot update will do."""
        update = self.plan(*paths)
        assert isinstance(update, AppSwap | Restart), update
        return update


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    before = set(sys.modules)
    project = Project(tmp_path)
    sys.path.insert(0, str(tmp_path))
    importlib.invalidate_caches()
    try:
        yield project
    finally:
        if project._kernel is not None:
            project._kernel.uninstall()
        sys.path.remove(str(tmp_path))
        sys.path_importer_cache.pop(str(tmp_path), None)
        for name in set(sys.modules) - before:
            module = sys.modules[name]
            if str(getattr(module, "__file__", "") or "").startswith(str(tmp_path)) or any(
                os.path.realpath(folder).startswith(str(tmp_path)) for folder in getattr(module, "__path__", ())
            ):
                del sys.modules[name]
                hot.drop(name)
        gc.collect()
