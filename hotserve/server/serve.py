"""Serve a target with uvicorn in this process: plainly, or with hot module replacement."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.config import LOG_LEVELS

from hotserve import __version__, pyproject
from hotserve import reference as references
from hotserve.browser.error_page import ErrorPage
from hotserve.config import Config
from hotserve.errors import ConfigError
from hotserve.failure import Failure, failure_of
from hotserve.hmr.kernel import Kernel
from hotserve.hmr.watcher import Watcher
from hotserve.reference import ASGIApp, Reference
from hotserve.server import sockets
from hotserve.server.application import wrap_routes
from hotserve.server.dev_app import DevApp, Target
from hotserve.server.dev_server import DevServer
from hotserve.server.lifespan import Mode
from hotserve.server.restart import Command, Handover, take_handover
from hotserve.server.updates import Updates
from hotserve.terminal.console import Console

# The exit code of uvicorn where the server did not start; it moved between uvicorn's modules.
_STARTUP_FAILURE = 3
_IMPORTED_AT = time.time()


def run(target: Reference, config: Config, options: dict[str, Any], hmr: bool) -> int:
    """Serve until the end. The exit code.

    options: keyword arguments of uvicorn.Config, without `app`
    Raises LoadError where nothing can show it (without `hmr`).
    """
    # In this order: the variable must not be in the environment that the successor starts with.
    handover = take_handover()
    command = Command.remember()
    if not hmr:
        return _run_plain(target, options)
    console = _console(options)
    try:
        return _HotServer(target, config, options, console, command, handover).run()
    except sockets.CannotListen as exc:
        console.problem(str(exc))
        return 1


def _run_plain(target: Reference, options: dict[str, Any]) -> int:
    """uvicorn with the application, and nothing of hotserve on the request path."""
    loaded = references.load(target)
    factory = bool(options.get("factory"))
    application = (lambda: wrap_routes(loaded())) if factory else wrap_routes(loaded)
    server = uvicorn.Server(uvicorn.Config(application, **options))
    return _serve(server, server.run, options)


def _serve(server: uvicorn.Server, serve: Callable[[], None], options: dict[str, Any]) -> int:
    """Run a server to its end as uvicorn.run does, with the same exit codes."""
    try:
        serve()
    except KeyboardInterrupt:
        pass
    finally:
        sockets.remove_unix_socket(options)
    return 0 if server.started else _STARTUP_FAILURE


class _HotServer:
    """Everything that `--hmr` takes, wired: sockets, kernel, watcher, application, server."""

    def __init__(
        self,
        target: Reference,
        config: Config,
        options: dict[str, Any],
        console: Console,
        command: Command,
        handover: Handover | None,
    ) -> None:
        self._config = config
        self._options = options
        self._console = console
        self._handover = handover
        # What went wrong before the banner; said after it.
        self._unsaid: list[Failure] = []
        self._said = False
        self._listeners = self._listen()
        self._kernel = kernel = Kernel(config, failed=self._error_page)
        kernel.on_failure = self._say
        kernel.on_phantom = self._phantom
        kernel.on_dispose_error = self._dispose_error
        self._dev_app = DevApp(
            Target(target, bool(options.get("factory")), options.get("interface", "auto"), _lifespan_of(options)),
            kernel,
            self._failed,
        )
        # The updates and the server know each other: a change may restart, and changes wait for the event loop.
        self._updates = Updates(
            kernel,
            self._dev_app,
            console,
            lambda reason: self._server.restart(reason),
            lambda: _check_successor(config, options),
        )
        self._server = DevServer(
            uvicorn.Config(self._dev_app, **_options_for_uvicorn(options)),
            dev_app=self._dev_app,
            kernel=kernel,
            console=console,
            command=command,
            listeners=self._listeners,
            # Not only when the application has started: a startup that hangs is interrupted by the next save.
            on_loop=self._updates.begin,
            on_started=self._started,
            announced=handover is not None and handover.announced,
        )
        if handover is not None:
            self._server.inherit(handover.open_connections())

    def run(self) -> int:
        """Serve until the end. The exit code."""
        self._kernel.install()
        # Before the first import, so that no save is missed that comes while the application is imported.
        watcher = Watcher(self._config, self._kernel, self._updates, self._console.warn)
        watcher.start()
        try:
            self._dev_app.load()
            code = _serve(self._server, lambda: self._server.run(self._listeners), self._options)
        except KeyboardInterrupt:
            # During the import: nothing has been started that would have to be stopped.
            sockets.remove_unix_socket(self._options)
            return 0
        finally:
            self._updates.end()
            watcher.stop()
            self._kernel.uninstall()
        if self._server.failure is not None:
            self._console.problem(self._server.failure)
            return 1
        return code

    def _listen(self) -> list[Any]:
        if self._handover is None:
            return sockets.bind(self._options)
        if self._handover.listeners:
            return self._handover.open_listeners()
        # Where sockets cannot be handed over, the successor at least serves the same port.
        port = self._handover.port
        return sockets.bind(self._options if port is None else {**self._options, "port": port})

    def _started(self) -> None:
        if self._handover is not None:
            self._console.restarted(self._handover.reason, self._handover.age())
        if self._handover is None or not self._handover.announced:
            self._console.banner(
                __version__,
                sockets.url_of(self._listeners, self._options),
                time.time() - _process_start(),
                len(self._kernel.boundaries()),
                len(self._kernel.imported_boundaries()),
            )
        self._said = True
        for failure in self._unsaid:
            self._console.failed(failure)
        self._unsaid.clear()

    def _error_page(self, error: BaseException) -> ASGIApp:
        return ErrorPage(error, self._config)

    def _failed(self, error: BaseException) -> ASGIApp:
        self._say(error)
        return self._error_page(error)

    def _say(self, error: BaseException) -> None:
        failure = failure_of(error, self._config)
        if self._said:
            self._console.failed(failure)
        else:
            self._unsaid.append(failure)

    def _dispose_error(self, name: str, error: BaseException) -> None:
        self._console.failed(failure_of(error, self._config), f"in a dispose callback of {name}; going on without it")

    def _phantom(self, reason: str) -> None:
        """A fresh process could import what this one could not; called from any thread."""
        if self._handover is not None and self._handover.phantom == reason and not self._updates.changed:
            # The restart for this very reason did not help, and nothing was saved since: another would not either.
            self._console.warn(f"{reason}; a restart has not helped, the error stays until the next save")
            return
        self._server.restart_soon(reason, phantom=reason)


def _check_successor(config: Config, options: dict[str, Any]) -> None:
    """Raise ConfigError where a process started anew with the same command would not get as far as serving."""
    if config.pyproject is not None and config.pyproject.exists():
        list(pyproject.read(config.pyproject))
    if not os.path.isdir(config.app_dir):
        raise ConfigError(f"{config.app_dir}: the application's folder is gone; put it back.")
    for option in ("env_file", "log_config", "ssl_keyfile", "ssl_certfile"):
        file = options.get(option)
        if isinstance(file, str) and not os.path.exists(file):
            raise ConfigError(f"--{option.replace('_', '-')} {file!r}: there is no such file; put it back.")


def _console(options: dict[str, Any]) -> Console:
    level = options.get("log_level")
    if isinstance(level, str):
        level = LOG_LEVELS[level.lower()]
    return Console(use_colors=options.get("use_colors"), level=logging.INFO if level is None else level)


def _options_for_uvicorn(options: dict[str, Any]) -> dict[str, Any]:
    """`options` for a Config whose application is the DevApp: what concerns the real application is done there."""
    changed: dict[str, Any] = {"factory": False, "interface": "asgi3", "lifespan": "on"}
    if options.get("use_colors") is None and os.environ.get("NO_COLOR"):
        changed["use_colors"] = False
    return {**options, **changed}


def _lifespan_of(options: dict[str, Any]) -> Mode:
    mode = options.get("lifespan", "auto")
    return "on" if mode == "on" else "off" if mode == "off" else "auto"


def _process_start() -> float:
    """When this process began, in seconds since the epoch; where the system does not say, when this was imported.

    A process that was something else before (a shell script that ended with `exec`) began long before that.
    """
    try:
        with open("/proc/self/stat", encoding="ascii", errors="replace") as stat:
            # Field 22, counted after the command's name, which is in parentheses and may contain spaces: proc(5).
            ticks = int(stat.read().rpartition(")")[2].split()[19])
        began = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK")
        return began if _IMPORTED_AT - began < 1 else _IMPORTED_AT
    except (OSError, ValueError, IndexError, AttributeError):
        return _IMPORTED_AT
