"""References ("module:attr") and the one seam through which they are resolved.

A `Lazy` stands wherever an application wrote a reference. It asks the resolver in use for its object when it first
needs it and keeps the answer until somebody tells it to forget. In production the resolver is `ImportOnce` and nobody
ever does; under `hotserve run --hmr` it is `hotserve.hmr.resolver.HotResolver`, which makes the references into a
stale module forget when the module is unloaded. On the request path both cost one attribute and one comparison.
"""

from __future__ import annotations

import difflib
import importlib
import os
import pkgutil
import sys
import sysconfig
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final, Protocol

from hotserve.errors import AttributeNotFound, ImportFailed, InvalidReference, LoadError, ModuleNotFound

ASGIApp = Callable[..., Any]


class _Unset:
    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = _Unset()


@dataclass(frozen=True, slots=True)
class Reference:
    """A lazy "module:attr". `attr` may be dotted: "controllers.users:UsersController.index"."""

    module: str
    attr: str

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Parse "module:attr". Raises InvalidReference naming the text and what is wrong with it."""
        module, colon, attr = text.partition(":")
        if not colon:
            head, dot, tail = text.rpartition(".")
            hint = f" Did you mean {head + ':' + tail!r}?" if dot and head and tail else ""
            raise InvalidReference(f'`{text}`: a reference is written "module:attr", and this has no colon.{hint}')
        if module.startswith("."):
            raise InvalidReference(f"`{text}`: a reference names its module absolutely, without leading dots.")
        for kind, dotted in (("a module", module), ("an attribute", attr)):
            if not dotted or not all(part.isidentifier() for part in dotted.split(".")):
                raise InvalidReference(f'`{text}`: {dotted!r} is not {kind} name; write "package.module:attr".')
        return cls(module, attr)

    @property
    def name(self) -> str:
        """The last part: "index"."""
        return self.attr.rpartition(".")[2]

    def __str__(self) -> str:
        return f"{self.module}:{self.attr}"


class Lazy:
    """A reference, who declared it, and the object that it stands for at present.

    reference: what was written
    owner:     who wrote it, for messages: 'Route("/users")'
    adapt:     makes the ASGI application that serves the object; None where the object is called as it is
    app:       that application, or None before first use and after `forget`
    derived:   a place for what its owner worked out from the object; None before first use and after `forget`
    """

    __slots__ = ("__weakref__", "_value", "adapt", "app", "derived", "owner", "reference")

    def __init__(self, text: str, owner: str = "", adapt: Callable[[Any], ASGIApp] | None = None) -> None:
        self.reference = Reference.parse(text)
        self.owner = owner
        self.adapt = adapt
        self.app: ASGIApp | None = None
        self.derived: Any = None
        self._value: Any = UNSET
        _resolver.declare(self)

    @property
    def is_loaded(self) -> bool:
        """Can `value` answer without importing?"""
        return self._value is not UNSET

    def value(self) -> Any:
        """The object; loads it if need be. Raises LoadError."""
        if self._value is UNSET:
            self._value = _resolver.load(self)
        return self._value

    def asgi(self) -> ASGIApp:
        """The application that serves the object; loads it if need be. Raises LoadError."""
        app = self.app
        if app is None:
            value = self.value()
            app = self.app = _resolver.serve(self, self.adapt(value) if self.adapt is not None else value)
        return app

    def failed(self, error: LoadError) -> ASGIApp:
        """The application that answers while the object cannot be had. Raises `error` where nobody shows it."""
        return _resolver.failed(self, error)

    def forget(self) -> None:
        """The object is stale: the next use loads it anew."""
        self._value = UNSET
        self.app = None
        self.derived = None


class Resolver(Protocol):
    """How references become objects. One is in use at a time: see `use`."""

    def declare(self, lazy: Lazy) -> None:
        """An application has written this reference."""

    def load(self, lazy: Lazy) -> Any:
        """Import the module and return the object. Raises LoadError."""

    def serve(self, lazy: Lazy, app: ASGIApp) -> ASGIApp:
        """A place to stand around the application of a reference (to count what is in flight)."""

    def failed(self, lazy: Lazy, error: LoadError) -> ASGIApp:
        """The application that answers while `lazy` cannot be loaded, or raise `error`."""


class ImportOnce:
    """The resolver of production: a reference is imported at first use, and that is all."""

    def declare(self, lazy: Lazy) -> None:
        pass

    def load(self, lazy: Lazy) -> Any:
        return load(lazy.reference, lazy.owner)

    def serve(self, lazy: Lazy, app: ASGIApp) -> ASGIApp:
        return app

    def failed(self, lazy: Lazy, error: LoadError) -> ASGIApp:
        raise error


_resolver: Resolver = ImportOnce()


def use(resolver: Resolver | None) -> None:
    """Resolve references through `resolver` from now on; None goes back to `ImportOnce`."""
    global _resolver
    _resolver = ImportOnce() if resolver is None else resolver


def load(
    reference: Reference, owner: str = "", import_module: Callable[[str], ModuleType] = importlib.import_module
) -> Any:
    """Import the module of `reference` and return its object.

    Raises ModuleNotFound when there is no such module, ImportFailed when an exception inside it (or inside what it
    imports) ended its import, AttributeNotFound when it lacks the attribute. That a missing module is told apart from
    a missing import inside it follows uvicorn's importer, which compares `exc.name`.
    """
    try:
        module = import_module(reference.module)
    except ModuleNotFoundError as exc:
        if exc.name is not None and _is_or_contains(exc.name, reference.module):
            raise _module_not_found(reference, owner, exc) from exc
        raise _import_failed(reference, owner, exc) from exc
    except (Exception, SystemExit) as exc:  # a module that calls sys.exit() must not end the server
        raise _import_failed(reference, owner, exc) from exc
    value: Any = module
    reached = reference.module
    for name in reference.attr.split("."):
        try:
            value = getattr(value, name)
        except AttributeError as exc:
            raise _attribute_not_found(reference, owner, module, value, reached, name) from exc
        reached += f".{name}"
    return value


def _is_or_contains(missing: str, module: str) -> bool:
    return missing == module or module.startswith(missing + ".")


def _prefix(reference: Reference, owner: str) -> str:
    return f"`{reference}` in {owner}" if owner else f"`{reference}`"


def _nearest(name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else ""


def _module_not_found(reference: Reference, owner: str, exc: ModuleNotFoundError) -> ModuleNotFound:
    missing = exc.name or reference.module
    parent, _, last = missing.rpartition(".")
    if str(exc).endswith("is not a package"):
        text = f"{_prefix(reference, owner)}: {parent!r} is a module, not a package, so there is no {missing!r}."
        return ModuleNotFound(text, reference=str(reference), owner=owner, file=_file_of(parent))
    path = getattr(sys.modules.get(parent), "__path__", None) if parent else None
    siblings = [info.name for info in pkgutil.iter_modules(None if not parent else list(path or ()))]
    close = difflib.get_close_matches(last, siblings, n=1, cutoff=0.5)
    hint = f" Did you mean {(parent + '.' if parent else '') + close[0]!r}?" if close else ""
    where = f" (looked in {', '.join(dict.fromkeys(path))})" if path else ""
    text = f"{_prefix(reference, owner)}: no module named {missing!r}.{hint}{where}"
    return ModuleNotFound(text, reference=str(reference), owner=owner, file=_file_of(parent))


def _import_failed(reference: Reference, owner: str, exc: Exception | SystemExit) -> ImportFailed:
    file, line = _place(exc)
    what = f"{type(exc).__name__}: {exc.msg if isinstance(exc, SyntaxError) else exc}"
    where = f" ({file}, line {line})" if file else ""
    text = f"{_prefix(reference, owner)}: importing {reference.module} failed{where}: {what}"
    return ImportFailed(text, reference=str(reference), owner=owner, file=file)


def _attribute_not_found(
    reference: Reference, owner: str, module: ModuleType, holder: Any, reached: str, name: str
) -> AttributeNotFound:
    kind = "module" if holder is module else "object"
    hint = _nearest(name, [known for known in dir(holder) if not known.startswith("__")])
    file = getattr(module, "__file__", None)
    where = f" ({file})" if file else ""
    text = f"{_prefix(reference, owner)}: {kind} {reached}{where} has no attribute {name!r}.{hint}"
    return AttributeNotFound(text, reference=str(reference), owner=owner, file=file)


# The frames of the import itself: Python's, frozen and not, and ours.
_IMPORTING = ("<frozen ", str(importlib.__file__), os.path.dirname(__file__) + os.sep)


def _place(exc: BaseException) -> tuple[str | None, int | None]:
    """Where an exception that ended an import is to be mended: the innermost frame outside the libraries, if any."""
    if isinstance(exc, SyntaxError) and exc.filename:
        return exc.filename, exc.lineno
    frames = [frame for frame in traceback.extract_tb(exc.__traceback__) if not frame.filename.startswith(_IMPORTING)]
    own = [frame for frame in frames if not _is_library(frame.filename)]
    chosen = (own or frames)[-1:]
    return (chosen[0].filename, chosen[0].lineno) if chosen else (None, None)


def _is_library(file: str) -> bool:
    folders = [path + os.sep for name, path in sysconfig.get_paths().items() if name.endswith("lib")]
    return file.startswith(tuple(folders)) or f"{os.sep}site-packages{os.sep}" in file


def _file_of(module: str) -> str | None:
    return getattr(sys.modules.get(module), "__file__", None)
