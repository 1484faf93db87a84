"""The fresh interpreter: `python -m hotserve.hmr.probe REQUEST`, where REQUEST is JSON and the exit code the answer."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from hotserve.config import Config
from hotserve.errors import HotserveError
from hotserve.hmr.kernel import Kernel
from hotserve.reference import Lazy, Reference


def can_load(request: dict[str, Any]) -> bool:
    """Import the application module, then the reference, from source, as a server that has just started does."""
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
