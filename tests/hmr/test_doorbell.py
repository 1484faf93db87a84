"""The doorbell against the real inotify."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from hotserve.hmr.doorbell import Doorbell, doorbell

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="inotify is Linux's")


def test_it_rings_for_what_happens_in_a_watched_folder_only(tmp_path: Path) -> None:
    (tmp_path / "watched").mkdir()
    (tmp_path / "other").mkdir()
    bell = Doorbell([str(tmp_path / "watched")])
    try:
        (tmp_path / "other" / "file").write_text("x")
        assert bell.wait(20) is None
        (tmp_path / "watched" / "file").write_text("x")
        assert bell.wait(10_000) == {str(tmp_path / "watched" / "file")}
        assert not bell.rings_again(0.1), "what has rung is heard"
        (tmp_path / "watched" / "file").unlink()
        assert bell.rings_again(0.1) == {str(tmp_path / "watched" / "file")}
    finally:
        bell.close()


def test_waking_it_ends_a_wait_without_limit(tmp_path: Path) -> None:
    bell = Doorbell([str(tmp_path)])
    woken = threading.Event()

    def wait() -> None:
        bell.wait(0)
        woken.set()

    thread = threading.Thread(target=wait)
    thread.start()
    bell.wake()
    assert woken.wait(10)
    thread.join()
    bell.close()


def test_a_folder_that_is_gone_meanwhile_is_passed_over(tmp_path: Path) -> None:
    bell = doorbell([str(tmp_path), str(tmp_path / "gone")])
    assert bell is not None
    bell.close()
