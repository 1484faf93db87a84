"""Settings as somebody gave them: [tool.hotserve] in the nearest pyproject.toml, and what may stand in it.

Everything that can be wrong with a setting is found here, so that a broken pyproject.toml can be told from a changed
one without making a Config of it.
"""

from __future__ import annotations

import difflib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hotserve import globs
from hotserve.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KEYS = ("boundaries", "ignore", "restart", "watch")


@dataclass(frozen=True, slots=True)
class Given:
    """A setting that somebody gave, and where, for messages.

    key:    "boundaries"
    values: what was given
    origin: "--boundary", "HOTSERVE_BOUNDARIES", "/p/pyproject.toml: [tool.hotserve] boundaries"
    base:   the folder that paths (not globs) among the values are relative to
    """

    key: str
    values: tuple[str, ...]
    origin: str
    base: Path

    def check(self) -> None:
        """Raise ConfigError where the values cannot be used."""
        if self.key == "watch":
            self.folders()
        else:
            self.globs()

    def globs(self) -> tuple[str, ...]:
        """The values as globs. Raises ConfigError for one that is none."""
        for glob in self.values:
            try:
                globs.check(glob)
            except globs.BadGlob as exc:
                raise ConfigError(f"{self.origin}: {glob!r}: {exc}.") from exc
        return self.values

    def folders(self) -> tuple[Path, ...]:
        """The values as absolute paths of folders. Raises ConfigError for one that does not exist."""
        return tuple(dict.fromkeys(self._folder(text) for text in self.values))

    def _folder(self, text: str) -> Path:
        if not text.strip():
            raise ConfigError(f"{self.origin}: {text!r}: an empty path names no folder; remove it.")
        folder = (self.base / os.path.expanduser(text)).resolve()
        if not folder.exists():
            raise ConfigError(f"{self.origin}: {text!r}: there is no folder {folder}; create it or remove it here.")
        if not folder.is_dir():
            raise ConfigError(f"{self.origin}: {text!r}: {folder} is a file; name the folder that holds it.")
        return folder


def nearest(folder: Path) -> Path | None:
    """The pyproject.toml in `folder` or the nearest one above it."""
    for candidate in (folder, *folder.parents):
        file = candidate / "pyproject.toml"
        if file.is_file():
            return file
    return None


def read(file: Path) -> Iterator[Given]:
    """The settings in [tool.hotserve], checked. Raises ConfigError naming the file, the key, the value and the fix."""
    tool = _parse(file).get("tool", {})
    table = tool.get("hotserve", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        fix = "this must be a table; write [tool.hotserve] and the keys below it."
        raise ConfigError(f"{file}: tool.hotserve = {_as_toml(table)}: {fix}")
    for key, value in table.items():
        origin = f"{file}: [tool.hotserve] {key}"
        if key not in KEYS:
            close = difflib.get_close_matches(key.lower(), KEYS, n=1, cutoff=0.5)
            hint = f"did you mean {close[0]!r}?" if close else f"the keys are {', '.join(KEYS)}."
            raise ConfigError(f"{origin} = {_as_toml(value)}: unknown key {key!r}; {hint}")
        setting = Given(key, _strings(value, origin), origin, file.parent)
        setting.check()
        yield setting


def _parse(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_bytes().decode())
    except UnicodeDecodeError as exc:
        line = exc.object[: exc.start].count(b"\n") + 1
        byte = exc.object[exc.start]
        raise ConfigError(f"{file}: line {line} is not UTF-8 (byte 0x{byte:02x}); save the file as UTF-8.") from exc
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{file}: this is not TOML: {exc}; mend that line.") from exc
    except OSError as exc:
        raise ConfigError(f"{file}: cannot be read: {exc.strerror}.") from exc


def _strings(value: Any, origin: str) -> tuple[str, ...]:
    if isinstance(value, str):
        raise ConfigError(f"{origin} = {_as_toml(value)}: this must be a list; write [{_as_toml(value)}].")
    if not isinstance(value, list):
        raise ConfigError(f"{origin} = {_as_toml(value)}: this must be a list of strings, not {_type_name(value)}.")
    for item in value:
        if not isinstance(item, str):
            raise ConfigError(
                f"{origin} = {_as_toml(value)}: {_as_toml(item)} must be a string, not {_type_name(item)}."
            )
    return tuple(value)


def _as_toml(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _type_name(value: Any) -> str:
    names = {bool: "a boolean", int: "an integer", float: "a float", list: "a list", dict: "a table", str: "a string"}
    return names.get(type(value), "a date or time")
