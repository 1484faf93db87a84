"""One frozen Config from command line > environment > [tool.hotserve] in pyproject.toml > defaults.

Every path in it is absolute and free of symbolic links, as the operating system reports changes. Where a setting is
given in several places, the strongest place replaces the others; lists are not merged.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from hotserve import pyproject
from hotserve.errors import ConfigError
from hotserve.globs import Globs
from hotserve.ignored import Ignored, relative_to
from hotserve.pyproject import Given

DEFAULT_RESTART = (".env", ".env.*")


@dataclass(frozen=True, slots=True)
class Config:
    """What hotserve knows about a project.

    root:       folder of the pyproject.toml in force; without one, app_dir. Globs are relative to it
    pyproject:  that file, or None
    app_dir:    where the target is imported from; goes to sys.path[0]
    boundaries: globs of the files that are boundaries, always relative to root; a folder means all below it.
                None: every module that a reference names is one
    restart:    globs of the files that restart the process; without a slash, a name at any depth
    ignore:     globs of what is ignored besides what always is; without a slash, a name at any depth; what is below an
                ignored folder is ignored
    watch:      more folders that belong to the project
    """

    root: Path
    pyproject: Path | None
    app_dir: Path
    boundaries: tuple[str, ...] | None = None
    restart: tuple[str, ...] = DEFAULT_RESTART
    ignore: tuple[str, ...] = ()
    watch: tuple[Path, ...] = ()

    _root: str = field(init=False, repr=False, compare=False)
    _roots: tuple[Path, ...] = field(init=False, repr=False, compare=False)
    _boundaries: Globs = field(init=False, repr=False, compare=False)
    _restart: Globs = field(init=False, repr=False, compare=False)
    _ignored: Ignored = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        def put(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        ignore = Globs(self.ignore, anywhere=True, below=False)
        put("_root", str(self.root))
        put("_roots", _outermost((self.root, self.app_dir, *self.watch), self._root, ignore))
        put("_boundaries", Globs(self.boundaries or (), anywhere=False, below=True))
        put("_restart", Globs(self.restart, anywhere=True, below=True))
        put("_ignored", Ignored(self._root, map(str, self._roots), ignore))

    def roots(self) -> tuple[Path, ...]:
        """The folders of the project: root, app_dir and watch without what lies in another of them.

        A folder that was asked for by name inside an ignored one (`watch = ["node_modules/ours"]`) stays.
        """
        return self._roots

    def is_boundary(self, file: str) -> bool:
        """Whether `boundaries` allows the module in this file to be one."""
        return self.boundaries is None or self._boundaries.match(relative_to(file, self._root)) is not None

    def restart_pattern_for(self, file: str) -> str | None:
        """The `restart` glob that matches a file, unless the file is ignored."""
        glob = self._restart.match(relative_to(file, self._root))
        return glob if glob is not None and not self._ignored.path(file) else None

    def is_ignored(self, path: str) -> bool:
        """Whether a file or folder is none of hotserve's business; so is all that lies outside the roots."""
        return self._ignored.path(path)

    def is_tracked(self, file: str) -> bool:
        """Whether a file belongs to the project: below a root and not ignored."""
        return not self._ignored.file(file)

    def display(self, file: str) -> str:
        """A file as people see it: relative to root when below it, with "/"."""
        relative = relative_to(file, self._root)
        return file.replace(os.sep, "/") if relative.startswith("../") else relative


def load(app_dir: Path, given: Iterable[Given] = ()) -> Config:
    """The Config of the application in `app_dir`; `given` beats pyproject.toml. Raises ConfigError."""
    if not app_dir.is_dir():
        raise ConfigError(f"--app-dir {str(app_dir)!r}: there is no such folder.")
    app_dir = app_dir.resolve()
    file = pyproject.nearest(app_dir)
    root = app_dir if file is None else file.parent
    settings = {setting.key: setting for setting in (*(pyproject.read(file) if file else ()), *given)}

    def globs_of(key: str) -> tuple[str, ...] | None:
        return settings[key].globs() if key in settings else None

    restart = globs_of("restart")
    return Config(
        root=root,
        pyproject=file,
        app_dir=app_dir,
        boundaries=globs_of("boundaries"),
        restart=DEFAULT_RESTART if restart is None else restart,
        ignore=globs_of("ignore") or (),
        watch=settings["watch"].folders() if "watch" in settings else (),
    )


def _outermost(folders: Iterable[Path], root: str, ignore: Globs) -> tuple[Path, ...]:
    """`folders`, in order, without those that another of them covers."""
    unique = list(dict.fromkeys(folders))
    covering = {folder: Ignored(root, [str(folder)], ignore) for folder in unique}

    def is_covered(folder: Path) -> bool:
        return any(other in folder.parents and not covering[other].path(str(folder)) for other in unique)

    return tuple(folder for folder in unique if not is_covered(folder))
