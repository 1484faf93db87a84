"""`hot`, the application's side of hot module replacement: the counterpart of Vite's `import.meta.hot`.

Under `hotserve run --hmr` a module is *replaced* when it changes: unloaded, and executed anew as a new module object.
`hot` lets it clean up before, and hand things over to its next version. Without HMR everything here is inert: callbacks
are not kept, `keep` calls its factory once, and nothing is ever replaced.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, overload

T = TypeVar("T")
DisposeCallback = Callable[..., Any]
C = TypeVar("C", bound=DisposeCallback)


class HotRuntime(Protocol):
    """What stands behind `hot` while HMR runs: see hotserve.hmr.updater."""

    def on_dispose(self, module: str, callback: Callable[[], Any]) -> None: ...
    def decline(self, module: str) -> None: ...


class Hot:
    """The handle that application modules import. It acts for the module whose code calls it."""

    def __init__(self) -> None:
        self._runtime: HotRuntime | None = None
        # What each module keeps over its versions.   {"services.db": {"pool": <Pool>}}
        self._data: dict[str, dict[str, Any]] = {}
        self._kept: dict[str, dict[str, Any]] = {}

    def __bool__(self) -> bool:
        """Whether HMR runs."""
        return self._runtime is not None

    @property
    def data(self) -> dict[str, Any]:
        """A dict that outlives the versions of the calling module. Put plain data in, not instances of its classes."""
        return self._data.setdefault(_caller(), {})

    def keep(self, key: str, factory: Callable[[], T]) -> T:
        """The object that `factory()` made when the calling module first asked for `key`.

        Later versions of the module get the same object: a connection pool, a loaded model. It goes when the process
        restarts or the module's file is deleted.
        """
        kept = self._kept.setdefault(_caller(), {})
        if key not in kept:
            kept[key] = factory()
        value: T = kept[key]
        return value

    @overload
    def dispose(self, callback: C) -> C: ...
    @overload
    def dispose(self) -> Callable[[C], C]: ...
    def dispose(self, callback: C | None = None) -> C | Callable[[C], C]:
        """Call `callback` before the calling module is replaced, or when the server stops. Also a decorator.

        The callback may be sync or async and takes nothing, or one argument: the module's `hot.data`. Callbacks run
        importers first, within a module last registered first; an exception is reported and does not stop the update.
        """
        module = _caller()
        if callback is None:
            return lambda function: self._dispose(module, function)
        return self._dispose(module, callback)

    def _dispose(self, module: str, callback: C) -> C:
        if self._runtime is not None:
            data = self._data.setdefault(module, {})
            self._runtime.on_dispose(module, (lambda: callback(data)) if _takes_data(callback) else callback)
        return callback

    def decline(self) -> None:
        """A change to the calling module, or to what it imports, restarts the process."""
        if self._runtime is not None:
            self._runtime.decline(_caller())

    def attach(self, runtime: HotRuntime | None) -> None:
        """Put HMR behind this handle, or take it away (None). For hotserve itself."""
        self._runtime = runtime

    def drop(self, module: str) -> None:
        """The module is gone for good: drop what it kept. For hotserve itself."""
        self._data.pop(module, None)
        self._kept.pop(module, None)


def _caller() -> str:
    return str(sys._getframe(2).f_globals.get("__name__", "__main__"))


def _takes_data(callback: DisposeCallback) -> bool:
    try:
        inspect.signature(callback).bind()
    except TypeError:
        return True
    except ValueError:  # a builtin without a signature
        return False
    return False


hot = Hot()
