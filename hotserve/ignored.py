"""What of a project's folders is nobody's source code: never watched, never tracked, never descended into.

Asked for thousands of paths, so it works on strings, and remembers its answer for each folder.
"""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from collections.abc import Iterable
from typing import Final

from hotserve.globs import Globs

ALWAYS: Final = frozenset(
    {".git", ".hg", ".svn", ".venv", "node_modules", "site-packages", "__pycache__", "__pypackages__", ".eggs"}
    | {".tox", ".nox", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".cache", ".idea", ".vscode"}
)
# Customary names of a virtual environment that are also good names for a package.
ENVIRONMENTS: Final = frozenset({"venv", "env"})
# What a virtual environment or a conda environment holds, whatever its own name.
MARKERS: Final = ("pyvenv.cfg", "conda-meta")


class Ignored:
    """Whether a path below one of `roots` is ignored. All paths are absolute strings.

    root:  what the globs are relative to
    globs: the `ignore` setting, asked for each folder on the way, so that what names a folder covers all below it
    """

    def __init__(self, root: str, roots: Iterable[str], globs: Globs) -> None:
        self._root = root
        # Longest first: a watched folder inside an ignored one is a root of its own, and the first that fits counts.
        self._roots = sorted(roots, key=len, reverse=True)
        self._prefixes = [(folder, _prefix(folder)) for folder in self._roots]
        self._globs = globs
        self._interpreter = interpreter_folders(self._roots)
        # Each folder asked about, with its answer, what its parents say included.   {"/p/.venv/lib": True}
        self._folders: dict[str, bool] = {}

    def root_of(self, path: str) -> str | None:
        """The root that `path` is or lies below."""
        for folder, prefix in self._prefixes:
            if path.startswith(prefix) or path == folder:
                return folder
        return None

    def path(self, path: str) -> bool:
        """Whether a file or folder is ignored. Looks at a folder afresh: it may have become an environment."""
        root = self.root_of(path)
        if root is None or path == root:
            return root is None
        folder, _, name = path.rpartition(os.sep)
        if name in MARKERS or (name == "__init__.py" and os.path.basename(folder) in ENVIRONMENTS):
            self._forget(folder)
        if self._folder(folder, root):
            return True
        answer = self._folder_itself(path, name)
        if self._folders.get(path, answer) is not answer:
            self._forget(path)
        return answer

    def file(self, file: str) -> bool:
        """As `path`, for what is known to be a file."""
        root = self.root_of(file)
        if root is None:
            return True
        return self._folder(os.path.dirname(file), root) or self._by_glob(file, is_file=True)

    def _folder(self, folder: str, root: str) -> bool:
        answer = self._folders.get(folder)
        if answer is None:
            if len(folder) <= len(root):
                return False
            parent, _, name = folder.rpartition(os.sep)
            answer = self._folders[folder] = self._folder(parent, root) or self._folder_itself(folder, name)
        return answer

    def _folder_itself(self, folder: str, name: str) -> bool:
        return (
            (is_ignored_name(folder, name) and not os.path.isfile(folder))
            or folder in self._interpreter
            or any(os.path.exists(folder + os.sep + marker) for marker in MARKERS)
            or self._by_glob(folder, is_file=False)
        )

    def _by_glob(self, path: str, *, is_file: bool) -> bool:
        glob = self._globs.match(relative_to(path, self._root)) if self._globs.globs else None
        if glob is None:
            return False
        return not glob.endswith("/") or not (is_file or os.path.isfile(path))

    def _forget(self, folder: str) -> None:
        below = _prefix(folder)
        for known in list(self._folders):
            if known == folder or known.startswith(below):
                self._folders.pop(known, None)


def is_ignored_name(folder: str, name: str) -> bool:
    """Whether a folder is ignored for its name alone."""
    if name in ENVIRONMENTS:
        return not os.path.exists(os.path.join(folder, "__init__.py"))
    return name in ALWAYS or name.endswith(".egg-info")


def relative_to(path: str, root: str) -> str:
    """`path` relative to `root`, written with "/"; begins with ".." where it lies outside."""
    prefix = _prefix(root)
    if path.startswith(prefix):
        relative = path[len(prefix) :]
    else:
        try:
            relative = os.path.relpath(path, root)
        except ValueError:  # another drive
            relative = path
    return relative if os.sep == "/" else relative.replace(os.sep, "/")


def interpreter_folders(roots: Iterable[str]) -> frozenset[str]:
    """Where the running interpreter keeps the standard library and installed packages.

    Not what a root lies in: an application in /usr/src/app is served by an interpreter whose prefix is /usr.
    """
    paths = {sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix, *site.getsitepackages()}
    paths |= {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    if site.ENABLE_USER_SITE:
        paths.add(site.getusersitepackages())
    paths |= {os.path.realpath(path) for path in paths}
    return frozenset(path for path in paths if not any(_prefix(root).startswith(_prefix(path)) for root in roots))


def _prefix(folder: str) -> str:
    return folder if folder.endswith(os.sep) else folder + os.sep
