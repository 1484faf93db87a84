"""Ask a fresh interpreter whether it can import what this process could not: an error that a restart would cure must
never be left standing.

`python -m hotserve.hmr.fresh REQUEST` is the other side: REQUEST is JSON, and the exit code is the answer.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hotserve.config import Config
from hotserve.errors import HotserveError
from hotserve.reference import Lazy, Reference

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
            [sys.executable, "-m", "hotserve.hmr.fresh", request],
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


def can_load(request: dict[str, Any]) -> bool:
    """In the fresh interpreter: import the application module, then the reference, from source."""
    from hotserve.hmr.kernel import Kernel

    sys.path[:] = request["path"]
    config = Config(
        root=Path(request["root"]),
        pyproject=None,
        app_dir=Path(request["app_dir"]),
        boundaries=None if request["boundaries"] is None else tuple(request["boundaries"]),
        ignore=tuple(request["ignore"]),
        watch=tuple(Path(folder) for folder in request["watch"]),
    )
    kernel = Kernel(config)
    kernel.install()
    try:
        kernel.load_application(Reference.parse(request["application"]))
        Lazy(request["reference"]).value()
    except HotserveError:
        return False
    return True


if __name__ == "__main__":
    # Threads that the project started at import must not keep this interpreter alive.
    os._exit(0 if can_load(json.loads(sys.argv[1])) else 1)
