"""Globs as `boundaries`, `restart` and `ignore` take them, compiled once into one regular expression.

    **      any number of folders, none included      controllers/**/*.py
    *       anything within one component             controllers/*.py
    ?       one character, not "/"
    [abc]   one of these; [!abc] none of these

A glob is matched against a path relative to the folder of pyproject.toml, with "/" between components on every system.
A leading "./" or "/" changes nothing but this: it says that the glob starts at that folder. Case counts.
"""

from __future__ import annotations

import re


class BadGlob(ValueError):
    """A text that is not a glob; the message is what to write instead."""


def check(glob: str) -> None:
    """Raise BadGlob, with the reason and the fix, where `glob` could match nothing or not what its author meant."""
    if not glob.strip():
        raise BadGlob('an empty glob matches nothing; remove it, or write "**" for every file')
    if "\\" in glob:
        raise BadGlob('write "/" between folders, on every system')
    if glob.startswith("!"):
        raise BadGlob("a glob cannot be negated; list what you mean without it")
    components = _components(glob)
    if not components:
        raise BadGlob('this names no file; write "**" for every file')
    if ".." in components[components.count("..") :]:
        raise BadGlob('".." is understood only at the beginning; write the path without it')
    try:
        re.compile(_translate(glob, anywhere=False))
    except re.error as exc:
        raise BadGlob(f"this cannot be read as a glob ({exc.msg})") from exc


class Globs:
    """Some globs as one regular expression.

    anywhere: a glob without a slash is a name, at any depth (".env", "*.log"), as in .gitignore
    below:    a glob that names a folder, "controllers" or "controllers/", means all that is below it. Only a plain name
              or a trailing slash does; "controllers/*" is what is directly in it
    """

    __slots__ = ("_regex", "globs")

    def __init__(self, globs: tuple[str, ...], *, anywhere: bool, below: bool) -> None:
        self.globs = globs
        alternatives = []
        for glob in globs:
            regex = _translate(glob, anywhere=anywhere)
            names_folder = glob.endswith("/") or not re.search(r"[*?\[]", _components(glob)[-1])
            alternatives.append(f"({regex}(?:/.*)?)" if below and names_folder else f"({regex})")
        self._regex = re.compile("|".join(alternatives), re.DOTALL) if alternatives else None

    def match(self, relative: str) -> str | None:
        """The first glob that matches a path relative to the project, written with "/"."""
        found = self._regex.fullmatch(relative) if self._regex is not None else None
        # Only the groups around whole globs capture, so the last one that did is the number of the glob.
        return None if found is None or found.lastindex is None else self.globs[found.lastindex - 1]


def _components(glob: str) -> list[str]:
    return [part for part in glob.split("/") if part not in ("", ".")]


def _translate(glob: str, *, anywhere: bool) -> str:
    parts = _components(glob)
    regex = "(?:.*/)?" if anywhere and "/" not in glob.rstrip("/") else ""
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if part == "**":
            regex += ".+" if last else "(?:.*/)?"
        else:
            regex += _component(part) + ("" if last else "/")
    return regex


def _component(part: str) -> str:
    regex = ""
    at = 0
    while at < len(part):
        char = part[at]
        at += 1
        if char == "*":
            regex += "" if regex.endswith("[^/]*") else "[^/]*"
        elif char == "?":
            regex += "[^/]"
        elif char == "[" and (end := part.find("]", at + (2 if part[at : at + 1] == "!" else 1))) != -1:
            body = part[at:end]
            negated, body = body[:1] == "!", body.removeprefix("!")
            escaped = re.sub(r"([\\\[\]^&~|])", r"\\\1", body)
            regex += f"[^/{escaped}]" if negated else f"[{escaped}]"
            at = end + 1
        else:
            regex += re.escape(char)
    return regex
