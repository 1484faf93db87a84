"""Ask a fresh interpreter whether it can import what this process could not: an error that a restart would cure must
never be left standing.

`hotserve.hmr.probe` is the other side.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable

from hotserve.config import Config
from hotserve.reference import Reference

TIMEOUT = 60.0  # seconds


def ask(config: Config, application: Reference, reference: Reference, can_load: Callable[[], None]) -> None:
    """Start a fresh interpreter in the background; it calls `can_load`, in another thread, if it can."""
    request = {
        "root": str(config.root),
        "app_dir": str(config.app_dir),
        "boundaries": config.boundaries,
        "ignore": config.ignore,
        "watch": [str(folder) for folder in config.watch],
        "path": sys.path,
        "application": str(application),
        "reference": str(reference),
    }
    thread = threading.Thread(target=_run, args=(json.dumps(request), can_load), name="hotserve-fresh", daemon=True)
    thread.start()


def _run(request: str, can_load: Callable[[], None]) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "hotserve.hmr.probe", request],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return  # no answer; the error page stays, and the next save asks again
    if done.returncode == 0:
        can_load()
