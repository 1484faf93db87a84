"""The command line: `hotserve run TARGET`. The only place that turns an error into an exit code.

The options of `run` are uvicorn's own, taken from its click command, with hotserve's before them. Each is also read
from the environment as HOTSERVE_<OPTION>: HOTSERVE_PORT, HOTSERVE_HMR. Those that may be given several times have a
plural name there, HOTSERVE_BOUNDARIES, and hotserve's own are separated as in PATH: they are paths, which may hold
spaces. uvicorn's UVICORN_* variables are not read.
"""

from __future__ import annotations

import copy
import importlib
import os
import platform
import sys
import traceback
from pathlib import Path
from typing import Any, Final

import click
from click.core import ParameterSource
from uvicorn.config import LOGGING_CONFIG
from uvicorn.main import main as uvicorn_command

from hotserve import __version__, config
from hotserve.errors import ConfigError, HotserveError, ImportFailed, InvalidReference
from hotserve.pyproject import Given
from hotserve.reference import Reference

# What one process that never needs `--reload` has no use for; `--version` is hotserve's own, `app` is TARGET.
LEFT_OUT: Final = frozenset(
    {"app", "version", "workers", "reload", "reload_dirs", "reload_includes", "reload_excludes", "reload_delay"}
)
EXIT_FAILURE: Final = 1
EXIT_USAGE: Final = 2

UVICORN_OPTIONS: Final = tuple(copy.copy(option) for option in uvicorn_command.params if option.name not in LEFT_OUT)


# Globs and folders alike: in an environment variable click splits this type as PATH is split. Nothing is looked up.
PATHS: Final = click.Path(readable=False)

HMR = click.Option(
    ["--hmr"], is_flag=True, default=False, help="Serve each saved file with the next request, in the same process."
)
# The options that override a key of [tool.hotserve].   {"--boundary": "boundaries"}
KEYS: Final = {"--boundary": "boundaries", "--restart-on": "restart", "--ignore": "ignore", "--watch-dir": "watch"}
SETTINGS: Final = (
    click.Option(
        ["--boundary", "boundaries"],
        multiple=True,
        type=PATHS,
        metavar="GLOB",
        help="Files that are boundaries, relative to pyproject.toml. May be repeated; replaces `boundaries` there.",
    ),
    click.Option(
        ["--restart-on"],
        multiple=True,
        type=PATHS,
        metavar="GLOB",
        help="Files whose change restarts the process. May be repeated; replaces `restart` in pyproject.toml.",
    ),
    click.Option(
        ["--ignore"],
        multiple=True,
        type=PATHS,
        metavar="GLOB",
        help="Files and folders that are not watched. May be repeated; replaces `ignore` in pyproject.toml.",
    ),
    click.Option(
        ["--watch-dir", "watch_dirs"],
        multiple=True,
        type=PATHS,
        metavar="PATH",
        help="A folder outside the project to watch too. May be repeated; replaces `watch` in pyproject.toml.",
    ),
)
TARGET = click.Argument(["target"], envvar="HOTSERVE_TARGET", metavar="TARGET")


class RunCommand(click.Command):
    """`run`, whose help shows hotserve's own options before those of uvicorn."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as exc:
            if exc.option_name.startswith("--reload"):
                raise click.UsageError(f"There is no {exc.option_name} here; write --hmr.", ctx) from exc
            if exc.option_name == "--workers":
                raise click.UsageError("There is no --workers here: hotserve serves in one process.", ctx) from exc
            raise

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        own: list[tuple[str, str]] = []
        theirs: list[tuple[str, str]] = []
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is not None:
                (theirs if param in UVICORN_OPTIONS else own).append(record)
        for title, records in (("Options", own), ("Options of uvicorn", theirs)):
            with formatter.section(title):
                formatter.write_dl(records)


@click.pass_context
def _run(ctx: click.Context, /, target: str, hmr: bool, **options: Any) -> None:
    """Serve TARGET with uvicorn, in this process.

    TARGET is "module:attr" and names a list of routes or an ASGI application: app:routes.

    Every option is also read from the environment as HOTSERVE_<OPTION>, and the keys boundaries, restart, ignore and
    watch from [tool.hotserve] in the nearest pyproject.toml. The command line beats the environment, which beats
    pyproject.toml.
    """
    try:
        reference = Reference.parse(target)
        settings = config.load(Path(options.pop("app_dir") or os.curdir), _given(ctx))
        for option in SETTINGS:
            options.pop(str(option.name))
        code = serve(reference, settings, options, hmr)
    except HotserveError as error:
        if isinstance(error, ImportFailed):
            _print_cause(error)
        click.echo(f"Error: {error}", err=True)
        code = EXIT_USAGE if isinstance(error, ConfigError | InvalidReference) else EXIT_FAILURE
    ctx.exit(code)


def serve(reference: Reference, settings: config.Config, options: dict[str, Any], hmr: bool) -> int:
    """Hand over to `hotserve.server.serve.run` what click has parsed, in the form that uvicorn's Config takes."""
    # Loaded late: `hotserve --version` and `--help` need no server.
    from hotserve.server import serve as server

    # As uvicorn does; without --app-dir it puts "" there, which is another folder after an os.chdir().
    sys.path.insert(0, str(settings.app_dir))
    if options["log_config"] is None:
        # A copy: uvicorn's Config writes `use_colors` into it, and a restart or a second server must find it clean.
        options["log_config"] = copy.deepcopy(LOGGING_CONFIG)
    options["headers"] = [tuple(_header(text)) for text in options["headers"]]
    return server.run(reference, settings, options, hmr)


def _header(text: str) -> list[str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise ConfigError(f"--header {text!r}: a header is written Name:Value.")
    return [name, value]


def _given(ctx: click.Context) -> list[Given]:
    """The settings of [tool.hotserve] that the command line or the environment gives instead."""
    given = []
    for option in SETTINGS:
        name = str(option.name)
        values: tuple[str, ...] = ctx.params[name]
        source = ctx.get_parameter_source(name)
        if source is ParameterSource.ENVIRONMENT:
            origin = f"{ctx.auto_envvar_prefix}_{name.upper()}"
            values = tuple(value for value in values if value.strip())
        else:
            origin = option.opts[0]
        if values:
            given.append(Given(KEYS[option.opts[0]], values, origin, Path.cwd()))
    return given


def _print_cause(error: ImportFailed) -> None:
    """The traceback of the exception that ended the import, from the first frame that is the application's."""
    cause = error.__cause__
    if cause is None or isinstance(cause, SyntaxError):
        return
    shown = traceback.TracebackException.from_exception(cause)
    here = os.path.dirname(__file__)
    while len(shown.stack) > 1 and shown.stack[0].filename.startswith((here, "<frozen ", importlib.__file__)):
        del shown.stack[0]
    click.echo("".join(shown.format()), err=True, nl=False)


def _print_versions(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    click.echo(f"hotserve {__version__}")
    click.echo(f"Python {platform.python_version()} ({platform.python_implementation()})")
    for package in ("uvicorn", "starlette", "watchfiles"):
        click.echo(f"{package} {_version(package)}")
    ctx.exit()


def _version(package: str) -> str:
    import importlib.metadata  # 15 ms that only this option is worth

    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"


@click.group("hotserve")
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_versions,
    help="Show the versions of hotserve, Python, uvicorn, starlette and watchfiles.",
)
def main() -> None:
    """The development server in which saving a file costs milliseconds."""


main.add_command(
    RunCommand(
        "run",
        callback=_run,
        help=_run.__doc__,
        params=[TARGET, HMR, *SETTINGS, *UVICORN_OPTIONS],
        # On the command, not the group: HOTSERVE_PORT rather than HOTSERVE_RUN_PORT.
        context_settings={"auto_envvar_prefix": "HOTSERVE"},
    )
)
