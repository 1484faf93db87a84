"""JSON lines between the driver and its two helper processes, and how those are started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]


class Wire:
    """Reads and writes messages on two file descriptors; unbuffered, since a forked process goes on reading."""

    def __init__(self, read: int, write: int) -> None:
        self._read = read
        self._write = write
        self._rest = b""

    def send(self, message: Any) -> None:
        """Write one message."""
        data = json.dumps(message).encode() + b"\n"
        while data:
            data = data[os.write(self._write, data) :]

    def receive(self) -> Any:
        """Wait for one message; None when the other side is gone."""
        while b"\n" not in self._rest:
            chunk = os.read(self._read, 1 << 16)
            if not chunk:
                return None
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        return json.loads(line)


class Helper:
    """A helper process: `tests.property.<module>`, which talks on its standard input and output."""

    def __init__(self, module: str) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": str(REPOSITORY),
            "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        environment.pop("PYTHONWARNINGS", None)
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"tests.property.{module}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=REPOSITORY,
            env=environment,
            bufsize=0,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._wire = Wire(self._process.stdout.fileno(), self._process.stdin.fileno())

    def ask(self, message: Any) -> Any:
        """Send a message and wait for what comes back."""
        self._wire.send(message)
        reply = self._wire.receive()
        if reply is None:
            raise RuntimeError(
                f"the helper process is gone (exit code {self._process.wait()}); it was asked {message!r}"
            )
        return reply

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def take_over_standard_streams() -> Wire:
    """In a helper: keep the pipes for messages, so that a project that prints disturbs nobody."""
    wire = Wire(os.dup(0), os.dup(1))
    os.dup2(2, 1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return wire


def enter_project(root: str) -> None:
    """In a forked process: be one that was started in the project's folder."""
    os.chdir(root)
    sys.path[:] = [root, *(path for path in sys.path if path not in ("", root))]
    sys.dont_write_bytecode = True
    sys.path_importer_cache.clear()
