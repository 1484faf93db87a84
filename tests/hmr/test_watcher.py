"""The watcher against the real watchfiles and a real file system: nothing saved is lost, nothing else is said."""

from __future__ import annotations

import os
import queue
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hotserve.config import Config
from hotserve.hmr.kernel import Kernel
from hotserve.hmr.watcher import Watcher
from tests.hmr.conftest import Project

DEADLINE = 10.0  # seconds


class Watched:
    """A watcher over a project, and what it delivered."""

    def __init__(self, project: Project, ignore: tuple[str, ...] = ()) -> None:
        self.project = project
        self.batches: queue.Queue[frozenset[str]] = queue.Queue()
        self.warnings: list[str] = []
        config = Config(root=project.root, pyproject=None, app_dir=project.root, ignore=ignore)
        project._kernel = Kernel(config)
        project._kernel.install()
        self.announced: queue.Queue[str] = queue.Queue()
        self.watcher = Watcher(config, project._kernel, self, self.warnings.append)

    def announce(self) -> None:
        self.announced.put("announced")

    def retract(self) -> None:
        self.announced.put("retracted")

    def deliver(self, paths: frozenset[str]) -> None:
        self.batches.put(paths)

    def expect(self, *names: str) -> set[str]:
        """Wait until all of these were delivered; returns all that was."""
        wanted = {self.project.path(name) for name in names}
        seen: set[str] = set()
        end = time.monotonic() + DEADLINE
        while not wanted <= seen:
            seen |= self.batches.get(timeout=max(end - time.monotonic(), 0.001))
        return {os.path.relpath(path, self.project.root) for path in seen}


@pytest.fixture
def watched(project: Project) -> Iterator[Callable[..., Watched]]:
    running: list[Watched] = []

    def watch(**options: tuple[str, ...]) -> Watched:
        watched = Watched(project, **options)
        watched.watcher.start()
        running.append(watched)
        return watched

    yield watch
    for each in running:
        each.watcher.stop()


def test_a_save_in_place_is_delivered(project: Project, watched: Callable[..., Watched]) -> None:
    project.write("app.py", "x = 1")
    watch = watched()
    project.write("app.py", "x = 2")
    assert watch.expect("app.py") == {"app.py"}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="inotify is Linux's")
def test_a_save_that_matters_is_announced_before_it_is_delivered(
    project: Project, watched: Callable[..., Watched]
) -> None:
    file = project.write("app.py", "routes = 1")
    watch = watched()
    project.start()
    project.write("notes.txt", "x")
    watch.expect("notes.txt")
    assert watch.announced.empty()
    project.write("app.py", "routes = 2")
    assert watch.announced.get(timeout=DEADLINE) == "announced"
    watch.expect("app.py")
    assert watch.announced.empty()
    os.chmod(file, 0o600)  # rings, and is reported; nothing has changed, which is for the plan to say
    assert watch.announced.get(timeout=DEADLINE) == "announced"


def test_an_atomic_save_is_delivered(project: Project, watched: Callable[..., Watched]) -> None:
    project.write("app.py", "x = 1")
    watch = watched()
    os.replace(project.write("app.py.tmp~", "x = 2"), project.path("app.py"))
    assert "app.py" in watch.expect("app.py")


def test_saves_that_follow_each_other_at_any_distance_are_all_delivered(
    project: Project, watched: Callable[..., Watched]
) -> None:
    project.write("app.py", "routes = 0")
    watch = watched()
    project.start()
    for number in range(1, 40):
        project.write("app.py", f"routes = {number}")
        watch.expect("app.py")
        end = time.monotonic() + (number % 8) * 0.001
        while time.monotonic() < end:
            pass


def test_a_file_in_a_new_folder_is_delivered_and_so_are_its_later_saves(
    project: Project, watched: Callable[..., Watched]
) -> None:
    watch = watched()
    project.write("a/b/c/deep.py", "x = 1")
    watch.expect("a/b/c/deep.py")
    project.write("a/b/c/deep.py", "x = 2")
    watch.expect("a/b/c/deep.py")
    project.write("a/b/other.py", "x = 1")
    watch.expect("a/b/other.py")


def test_a_folder_that_is_moved_in_is_delivered_with_its_files(
    project: Project, watched: Callable[..., Watched], tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "pkg" / "sub").mkdir(parents=True)
    (outside / "pkg" / "sub" / "mod.py").write_text("x = 1")
    watch = watched()
    shutil.move(str(outside / "pkg"), project.path("pkg"))
    watch.expect("pkg/sub/mod.py")
    project.write("pkg/sub/mod.py", "x = 2")
    watch.expect("pkg/sub/mod.py")


def test_a_folder_that_is_renamed_is_followed(project: Project, watched: Callable[..., Watched]) -> None:
    project.write("old/mod.py", "x = 1")
    watch = watched()
    os.rename(project.path("old"), project.path("new"))
    watch.expect("new/mod.py")
    project.write("new/mod.py", "x = 2")
    watch.expect("new/mod.py")


def test_a_folder_that_is_deleted_and_restored_is_watched_again(
    project: Project, watched: Callable[..., Watched]
) -> None:
    project.write("pkg/__init__.py")
    project.write("pkg/mod.py", "x = 1")
    project.write("app.py", "import pkg.mod\nroutes = []")
    watch = watched()
    project.start()
    shutil.rmtree(project.path("pkg"))
    watch.expect("pkg/mod.py")
    project.write("pkg/mod.py", "x = 2")
    watch.expect("pkg/mod.py")
    project.write("pkg/mod.py", "x = 3")
    watch.expect("pkg/mod.py")


def test_a_burst_is_one_batch(project: Project, watched: Callable[..., Watched]) -> None:
    for number in range(300):
        project.write(f"pkg/m{number}.py", "x = 1")
    watch = watched()
    for number in range(300):
        (project.root / f"pkg/m{number}.py").write_text("x = 2")
    assert len(watch.batches.get(timeout=DEADLINE)) == 300


def test_a_git_operation_is_one_batch(project: Project, watched: Callable[..., Watched]) -> None:
    """While git holds its lock, files that it writes with pauses belong together."""
    for number in range(4):
        project.write(f"m{number}.py", "x = 1")
    project.write(".git/HEAD", "ref: refs/heads/main")
    watch = watched()
    lock = Path(project.write(".git/index.lock"))
    for number in range(4):
        project.write(f"m{number}.py", "x = 2")
        with pytest.raises(queue.Empty):
            watch.batches.get(timeout=0.04)
    lock.unlink()
    assert len(watch.batches.get(timeout=DEADLINE)) == 4


def test_a_file_that_is_truncated_and_then_written_is_delivered_when_it_is_written(
    project: Project, watched: Callable[..., Watched]
) -> None:
    project.write("app.py", "routes = 1")
    watch = watched()
    project.start()
    with open(project.path("app.py"), "w") as stream:
        stream.flush()
        end = time.monotonic() + 0.01
        while time.monotonic() < end:
            pass
        stream.write("routes = 2")
    watch.batches.get(timeout=DEADLINE)
    assert (project.root / "app.py").read_text() == "routes = 2"
    assert project.kernel.sources.changed(project.path("app.py"))


def test_ignored_folders_are_not_watched(project: Project, watched: Callable[..., Watched]) -> None:
    for folder in ("node_modules", "app/node_modules", ".venv/lib", ".git", "myenv", "media", "app/__pycache__"):
        for number in range(20):
            (project.root / folder / f"d{number}").mkdir(parents=True)
    project.write("myenv/pyvenv.cfg")
    project.write("app/code.py", "x = 1")
    watch = watched(ignore=("media",))
    assert watch.watcher.folders == 2, "the project and app/"
    project.write("node_modules/x.py")
    project.write("app/node_modules/d1/x.py")
    project.write("media/x.py")
    project.write("app/code.py", "x = 2")
    assert watch.expect("app/code.py") == {"app/code.py"}


def test_a_loop_of_symbolic_links_ends(project: Project, watched: Callable[..., Watched]) -> None:
    project.write("pkg/mod.py", "x = 1")
    os.symlink(project.path("pkg"), project.path("pkg/again"))
    watch = watched()
    project.write("pkg/mod.py", "x = 2")
    watch.expect("pkg/mod.py")


def test_a_symbolic_link_to_a_folder_is_followed(
    project: Project, watched: Callable[..., Watched], tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "mod.py").write_text("x = 1")
    os.symlink(outside, project.path("linked"))
    watch = watched()
    (outside / "mod.py").write_text("x = 2")
    watch.expect("linked/mod.py")


def test_an_event_that_was_lost_is_found_by_the_sweep(project: Project, watched: Callable[..., Watched]) -> None:
    project.write("leaf.py", "x = 1")
    project.write("app.py", "import leaf\nroutes = []")
    watch = watched()
    project.start()
    lost = project.path("leaf.py")
    real = watch.watcher._next

    def deaf(timeout: int) -> set[str] | None:
        batch = real(timeout)
        return batch if batch is None else batch - {lost}

    watch.watcher._next = deaf  # type: ignore[method-assign]
    project.write("trigger.txt", "x")
    watch.expect("trigger.txt")
    project.write("leaf.py", "x = 2")
    project.write("trigger.txt", "y")
    assert "leaf.py" in watch.expect("leaf.py")


def test_polling_is_honoured(
    project: Project, watched: Callable[..., Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHFILES_FORCE_POLLING", "true")
    monkeypatch.setenv("WATCHFILES_POLL_DELAY_MS", "20")
    project.write("app.py", "routes = 1")
    watch = watched()
    project.start()
    for number in range(2, 5):
        project.write("app.py", f"routes = {number}")  # within one second: the poller of notify sees none of them
        watch.expect("app.py")


@pytest.mark.skipif(not Path("/proc/sys/user/max_inotify_watches").exists(), reason="needs Linux's per-user limits")
def test_the_watch_limit_is_said_loudly_and_polling_takes_over(project: Project) -> None:
    """In a user namespace of its own, with a limit of 5 watches."""
    for number in range(20):
        project.write(f"d{number}/mod.py", "x = 1")
    script = project.write(
        "limited.py",
        f"""
        import os, queue
        from pathlib import Path
        Path("/proc/sys/user/max_inotify_watches").write_text("5")
        from hotserve.config import Config
        from hotserve.hmr.kernel import Kernel
        from hotserve.hmr.watcher import Watcher
        root = Path({str(project.root)!r})
        config = Config(root=root, pyproject=None, app_dir=root)
        batches = queue.Queue()
        class Receiver:
            announce = retract = staticmethod(lambda: None)
            deliver = staticmethod(batches.put)
        watcher = Watcher(config, Kernel(config), Receiver(), print)
        watcher.start()
        for number in range(100):  # the poller may still be taking stock when the first change comes
            os.utime(root / "d7" / "mod.py", (number, 2_000_000_000 + number))
            try:
                print(sorted(batches.get(timeout=0.2)))
                break
            except queue.Empty:
                pass
        watcher.stop()
        """,
    )
    probe = ["unshare", "--user", "--map-root-user", "true"]
    if shutil.which("unshare") is None or subprocess.run(probe, capture_output=True).returncode:
        pytest.skip("user namespaces are not allowed here")
    done = subprocess.run(
        [*probe[:-1], sys.executable, script],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.returncode == 0, textwrap.indent(done.stdout + done.stderr, "  ")
    assert "the system's limit of file watches is reached" in done.stdout
    assert "sudo sysctl fs.inotify.max_user_watches=524288" in done.stdout
    assert "d7/mod.py" in done.stdout
