"""Tells which files may have changed: the only file that imports watchfiles.

Only folders that can matter are watched, one by one: a recursive watch would descend into `node_modules`. Events are
hints: what they say is checked against the content of files, and after every batch the time stamps of all known files
are compared once more, since watchfiles drops what comes between its reading and its clearing of a batch.
"""

from __future__ import annotations

import errno
import os
import platform
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.machinery import all_suffixes
from typing import Protocol

from watchfiles._rust_notify import RustNotify

from hotserve.config import Config
from hotserve.hmr.doorbell import Doorbell, doorbell
from hotserve.hmr.kernel import Kernel

# Milliseconds. Between two looks at what inotify reported: 1 costs 1.2 % of a core when idle, and a save 2 ms.
STEP = 1
DEBOUNCE = 1_600  # a batch ends when a step brings nothing new; a storm without such a pause ends here
LULL = 0.4  # with a doorbell, which says at once what comes: a save is complete when nothing follows for so long
QUIET = 12  # after several files at once (a branch switch, a formatter): until nothing comes for so long
UNFINISHED = 50  # a file that is empty, gone or does not compile may be half-way through being saved
ANSWER = 5  # watchfiles has this long to report what the doorbell rang for
SWEEP = 150  # quiet time after a batch before time stamps are compared
PATIENCE = 5.0  # seconds that a git operation may hold its lock

_SUFFIXES = tuple(all_suffixes())


class Receiver(Protocol):
    """Who is told of saves, in the watcher's thread."""

    def announce(self) -> None:
        """Something was saved just now; what it was is found out in a moment."""

    def retract(self) -> None:
        """It was nothing that matters."""

    def deliver(self, paths: frozenset[str]) -> None:
        """These absolute paths may have changed."""


@dataclass(frozen=True, slots=True)
class _Folder:
    """A watched folder as it was when last listed."""

    modified: int  # st_mtime_ns
    names: frozenset[str]


class Watcher:
    """Watches the project in a thread of its own and delivers the paths that may have changed."""

    def __init__(
        self,
        config: Config,
        kernel: Kernel,
        receiver: Receiver,
        warn: Callable[[str], None],
    ) -> None:
        """warn: says a line to the person."""
        self._config = config
        self._kernel = kernel
        self._receiver = receiver
        self._announced = False
        self._warn = warn
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._folders: dict[str, _Folder] = {}
        self._polling = _polling_is_asked_for()
        self._notify: RustNotify | None = None
        self._doorbell: Doorbell | None = None
        self._swept = True
        self._sweep_took = 0.0

    def start(self) -> None:
        """Watch; returns once the watches stand."""
        self._walk(map(str, self._config.roots()))
        self._notify = self._watch_folders()
        self._hang_doorbell()
        self._thread = threading.Thread(target=self._run, name="hotserve-watcher", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread. It must not be asleep in Rust code when the interpreter ends."""
        self._stop.set()
        if self._doorbell is not None:
            self._doorbell.wake()
        if self._thread is not None:
            self._thread.join(timeout=2)
        if self._notify is not None:
            self._notify.close()
        if self._doorbell is not None:
            self._doorbell.close()
            self._doorbell = None

    @property
    def folders(self) -> int:
        """How many folders are watched."""
        return len(self._folders)

    # -- the thread ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stop.is_set():
            batch = self._next(self._until_sweep())
            if batch is None:
                return
            if batch:
                self._swept = False
                paths = self._settled(batch)
            else:
                self._swept = True
                start = time.monotonic()
                paths = self._sweep()
                self._sweep_took = time.monotonic() - start
            if paths:
                for path in paths:
                    self._note(path)
                self._receiver.deliver(frozenset(paths))
            elif self._announced:
                self._receiver.retract()
            self._announced = False

    def _until_sweep(self) -> int:
        """Milliseconds until time stamps are compared next; 0: not before the next event.

        When polling, always: notify's poller knows times by the second only. A sweep takes a twentieth of the time.
        """
        if self._polling:
            return max(_poll_delay(), int(self._sweep_took * 20_000))
        return 0 if self._swept else SWEEP

    def _note(self, path: str) -> None:
        """This path is being reported: the sweep need not do it again."""
        self._kernel.sources.suspicious(path)
        folder, name = os.path.split(path)
        known = self._folders.get(folder)
        if known is not None and name not in known.names:
            self._folders[folder] = _Folder(known.modified, known.names | {name})

    def _next(self, timeout: int) -> set[str] | None:
        """The paths of the next batch that matter; empty after `timeout` ms (0: never), None at the end."""
        while True:
            try:
                raw = self._listen(timeout)
            except RuntimeError as exc:  # an error in a watched folder: look at everything, and watch anew
                if self._stop.is_set():
                    return None
                self._warn(f"the file watcher stumbled ({exc}); all files are compared")
                self._rewatch()
                return self._sweep()
            if raw is None:
                return None
            paths = {path for path in raw if self._matters(path)}
            if paths or (timeout and not raw):
                return paths
            # Ignored files, or nothing at all though the doorbell rang: what was dropped beside them, a sweep finds.
            self._swept = False
            timeout = timeout or SWEEP

    def _matters(self, path: str) -> bool:
        return path == str(self._config.pyproject) or not self._config.is_ignored(path)

    def _listen(self, timeout: int) -> set[str] | None:
        """What watchfiles reports next: nothing after `timeout` ms, None at the end."""
        assert self._notify is not None
        if self._doorbell is None:
            raw = self._notify.watch(DEBOUNCE, STEP, timeout, self._stop)
        else:
            paths = self._doorbell.wait(timeout)
            if paths is None:
                return set()
            self._announce_if_it_matters(paths)
            end = time.monotonic() + DEBOUNCE / 1000
            while self._doorbell.rings_again(LULL) and not self._stop.is_set() and time.monotonic() < end:
                pass  # more is coming
            # By now watchfiles knows: it need not sleep before it looks.
            raw = "stop" if self._stop.is_set() else self._notify.watch(DEBOUNCE, 0, ANSWER, self._stop)
        if isinstance(raw, str):
            return set() if raw == "timeout" else None
        return {path for _, path in raw}

    def _announce_if_it_matters(self, paths: set[str]) -> None:
        """Requests that come from now on wait until it is known what was saved, if it is a file that modules use."""
        graph = self._kernel.graph
        if not self._announced and any(
            path.endswith(".py") or graph.names_of(path) or graph.readers_of(path)
            for path in paths
            if not self._config.is_ignored(path)
        ):
            self._announced = True
            self._receiver.announce()

    def _settled(self, paths: set[str]) -> set[str]:
        """The batch with all that belongs to it: the rest of a burst, of a git operation, of a save half-way."""
        paths |= self._tend_folders(paths)
        start = time.monotonic()
        while not self._stop.is_set():
            waited = (time.monotonic() - start) * 1000
            if waited < PATIENCE * 1000 and self._git_is_working():
                pause = QUIET
            elif len(paths) > 1 and waited < DEBOUNCE:
                pause = QUIET
            elif waited < UNFINISHED and any(self._is_unfinished(path) for path in paths):
                pause = UNFINISHED
            else:
                return paths
            more = self._next(pause)
            if more is None:
                return paths
            paths |= more | self._tend_folders(more)
            if not more and pause == QUIET and not self._git_is_working():
                return paths
        return paths

    def _is_unfinished(self, path: str) -> bool:
        """Is this file likely to change again at once? What compiles is compiled ahead, before a request needs it."""
        kernel = self._kernel
        if not kernel.graph.names_of(path) or not kernel.sources.changed(path):
            return False
        try:
            return os.path.getsize(path) == 0 or not kernel.compile_ahead(path)
        except OSError:
            return True

    def _git_is_working(self) -> bool:
        return any(os.path.exists(os.path.join(root, ".git", "index.lock")) for root in self._config.roots())

    # -- folders ---------------------------------------------------------------------------------------------------

    def _walk(self, tops: Iterable[str]) -> set[str]:
        """Take up folders and all below them that is not ignored; returns the files found in them."""
        files: set[str] = set()
        # Folders by identity: a symbolic link may lead back to one that is being walked.
        seen: set[tuple[int, int]] = set()
        todo = list(tops)
        while todo:
            folder = todo.pop()
            try:
                status = os.stat(folder)
                with os.scandir(folder) as entries:
                    listed = [(entry.name, entry.path, entry.is_dir()) for entry in entries]
            except OSError:
                continue  # gone or forbidden meanwhile
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            self._folders[folder] = _Folder(status.st_mtime_ns, frozenset(name for name, _, _ in listed))
            for _, path, is_folder in listed:
                if self._config.is_ignored(path):
                    continue
                if is_folder:
                    todo.append(path)
                    continue
                files.add(path)
                if self._config.restart_pattern_for(path) is not None and not self._kernel.sources.known(path):
                    self._kernel.sources.take(path)
        return files

    def _tend_folders(self, paths: set[str]) -> set[str]:
        """Watch folders that have come, leave those that have gone; returns the files that came with them."""
        come = {path for path in paths if path not in self._folders and os.path.isdir(path)}
        gone = {path for path in paths if path in self._folders and not os.path.isdir(path)}
        back = {path for path in paths if path in self._folders and path not in gone}
        if not come and not gone and not back:
            return set()
        for folder in list(self._folders):
            if folder in gone or any(folder.startswith(each + os.sep) for each in gone | back):
                del self._folders[folder]
        lost = {
            file for file in self._kernel.graph.files() if any(file.startswith(each + os.sep) for each in gone | back)
        }
        files = self._walk(come | back)
        self._rewatch()
        # What was created between the walk and the watch.
        return files | lost | self._walk(come | back)

    def _rewatch(self) -> None:
        """Watch the present folders; what the old watches have still seen is looked at by the sweep that follows."""
        old, self._notify = self._notify, self._watch_folders()
        if old is not None:
            old.close()
        self._hang_doorbell()
        self._swept = False

    def _hang_doorbell(self) -> None:
        old, self._doorbell = self._doorbell, None if self._polling else doorbell(self._folders)
        if old is not None:
            old.close()

    def _watch_folders(self) -> RustNotify:
        folders = sorted(self._folders)
        while True:
            try:
                # Not `ignore_permission_denied`: with it, watchfiles passes over every error, the limit's included.
                return RustNotify(folders, False, self._polling, _poll_delay(), False, False)
            except (FileNotFoundError, PermissionError):
                readable = [folder for folder in folders if os.path.isdir(folder) and os.access(folder, os.R_OK)]
                if readable == folders:
                    raise
                folders = readable
            except (OSError, RuntimeError) as exc:
                if self._polling or not _is_limit(exc):
                    raise
                self._polling = True
                self._warn(_limit_reached(len(folders), exc))

    # -- the sweep -------------------------------------------------------------------------------------------------

    def _sweep(self) -> set[str]:
        """What has changed and nobody said: by time stamps, and by the listings of the watched folders."""
        paths = {file for file in self._kernel.graph.files() if self._kernel.sources.suspicious(file)}
        for folder, known in list(self._folders.items()):
            try:
                modified = os.stat(folder).st_mtime_ns
                if modified == known.modified:
                    continue
                names = frozenset(os.listdir(folder))
            except OSError:
                paths.add(folder)
                continue
            self._folders[folder] = _Folder(modified, names)
            for name in names - known.names:
                path = os.path.join(folder, name)
                if not self._config.is_ignored(path) and (os.path.isdir(path) or self._was_wanted(path)):
                    paths.add(path)
        paths = {path for path in paths if not self._config.is_ignored(path)}
        return paths | self._tend_folders({path for path in paths if not os.path.isfile(path)})

    def _was_wanted(self, path: str) -> bool:
        return path.endswith(_SUFFIXES) and not self._kernel.graph.names_of(path)


def _is_limit(exc: BaseException) -> bool:
    text = str(exc).lower()
    return getattr(exc, "errno", None) in (errno.ENOSPC, errno.EMFILE) or "limit" in text or "too many" in text


def _limit_reached(folders: int, exc: BaseException) -> str:
    return (
        f"the system's limit of file watches is reached ({exc}; {folders} folders to watch). Files are polled instead, "
        "which is slower. To watch them: sudo sysctl fs.inotify.max_user_watches=524288 "
        "fs.inotify.max_user_instances=1024; or leave folders out with `ignore` in [tool.hotserve]"
    )


def _polling_is_asked_for() -> bool:
    """WATCHFILES_FORCE_POLLING as watchfiles documents it: any value but these; by default only under WSL."""
    asked = os.environ.get("WATCHFILES_FORCE_POLLING")
    if asked:
        return asked.lower() not in {"false", "disable", "disabled"}
    return "microsoft-standard" in platform.uname().release


def _poll_delay() -> int:
    """Milliseconds between two polls: WATCHFILES_POLL_DELAY_MS, or 100."""
    delay = os.environ.get("WATCHFILES_POLL_DELAY_MS", "")
    return int(delay) if delay.isdecimal() else 100
