"""The command line: what it takes, what wins, what it says, how it ends."""

from __future__ import annotations

import importlib.metadata
import inspect
import logging.config
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import uvicorn
from click.testing import CliRunner, Result
from uvicorn.config import LOGGING_CONFIG
from uvicorn.main import main as uvicorn_command

from hotserve import __version__, cli
from hotserve.config import Config
from hotserve.errors import HotserveError, ImportFailed
from hotserve.reference import Reference

REPOSITORY = Path(__file__).parent.parent


class Server:
    """Stands for `hotserve.server.serve`: remembers what it was asked to serve, and ends as told."""

    def __init__(self) -> None:
        self.end: int | Exception = 0
        self.target: Reference
        self.config: Config
        self.options: dict[str, Any]
        self.hmr: bool
        self.first_on_path: str

    def run(self, target: Reference, config: Config, options: dict[str, Any], hmr: bool) -> int:
        self.target, self.config, self.options, self.hmr = target, config, options, hmr
        self.first_on_path = sys.path[0]
        if isinstance(self.end, Exception):
            raise self.end
        return self.end


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working folder, no HOTSERVE_* variables, and a sys.path that is put back."""
    for name in [name for name in os.environ if name.startswith("HOTSERVE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    server = Server()
    monkeypatch.setattr("hotserve.server.serve.run", server.run)
    yield server


def hotserve(*arguments: str, env: dict[str, str] | None = None) -> Result:
    result = CliRunner().invoke(cli.main, arguments, prog_name="hotserve", env=env)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def process(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(
        [sys.executable, "-m", "hotserve", *arguments], cwd=cwd, env=env, capture_output=True, text=True, timeout=60
    )


def parameters(command: click.Command) -> dict[str, click.Parameter]:
    return {str(parameter.name): parameter for parameter in command.params}


# --- what is served ---


def test_run_serves_the_target_from_the_working_folder_without_reloading(server: Server, tmp_path: Path) -> None:
    assert hotserve("run", "app:routes").exit_code == 0
    assert server.target == Reference("app", "routes")
    assert server.config == Config(root=tmp_path, pyproject=None, app_dir=tmp_path)
    assert server.hmr is False
    assert server.first_on_path == str(tmp_path)


def test_hmr_is_asked_for_with_a_flag_or_a_variable(server: Server) -> None:
    hotserve("run", "app:routes", "--hmr")
    assert server.hmr is True
    hotserve("run", "app:routes", env={"HOTSERVE_HMR": "1"})
    assert server.hmr is True
    hotserve("run", "app:routes", env={"HOTSERVE_HMR": "0"})
    assert server.hmr is False


def test_app_dir_comes_first_on_the_path_and_names_the_project(server: Server, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "pyproject.toml").write_text("")
    hotserve("run", "app:routes", "--app-dir", "src")
    assert server.first_on_path == str(tmp_path / "src")
    assert (server.config.root, server.config.app_dir) == (tmp_path, tmp_path / "src")
    assert "app_dir" not in server.options


def test_the_target_may_come_from_the_environment(server: Server) -> None:
    hotserve("run", env={"HOTSERVE_TARGET": "shop.app:routes"})
    assert server.target == Reference("shop.app", "routes")


def test_the_exit_code_is_that_of_the_server(server: Server) -> None:
    server.end = 3
    assert hotserve("run", "app:routes").exit_code == 3


# --- uvicorn's options ---


def test_every_option_of_uvicorn_is_there_but_the_named_ones() -> None:
    left_out = {"app", "version", "workers"}
    left_out |= {"reload", "reload_dirs", "reload_includes", "reload_excludes", "reload_delay"}
    theirs = parameters(uvicorn_command)
    ours = parameters(cli.main.commands["run"])
    assert left_out <= theirs.keys()
    assert ours.keys() - theirs.keys() == {"target", "hmr", "boundaries", "restart_on", "ignore", "watch_dirs"}
    assert theirs.keys() - ours.keys() == left_out
    for name in theirs.keys() - left_out:
        assert ours[name] is not theirs[name]
        assert (ours[name].opts, ours[name].secondary_opts) == (theirs[name].opts, theirs[name].secondary_opts)
        assert (ours[name].default, ours[name].type) == (theirs[name].default, theirs[name].type)


def test_the_options_are_what_the_config_of_uvicorn_takes(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    hotserve("run", "app:routes")
    assert server.options.keys() <= inspect.signature(uvicorn.Config).parameters.keys()
    # A Config configures logging for the whole process.
    monkeypatch.setattr(logging.config, "dictConfig", lambda config: None)
    config = uvicorn.Config("app:routes", **server.options)
    assert (config.host, config.port, config.use_colors) == ("127.0.0.1", 8000, None)


def test_options_reach_the_server_as_they_were_given(server: Server) -> None:
    hotserve(
        "run", "app:routes", "--host", "::1", "--port", "0", "--no-access-log", "--factory", "--log-level", "debug"
    )
    found = {name: server.options[name] for name in ("host", "port", "access_log", "factory", "log_level")}
    assert found == {"host": "::1", "port": 0, "access_log": False, "factory": True, "log_level": "debug"}


def test_headers_are_split_at_the_first_colon(server: Server) -> None:
    hotserve("run", "app:routes", "--header", "X-One:1", "--header", "Link:<http://a>")
    assert server.options["headers"] == [("X-One", "1"), ("Link", "<http://a>")]


def test_a_header_without_a_colon_is_refused(server: Server) -> None:
    result = hotserve("run", "app:routes", "--header", "X-One")
    assert (result.exit_code, result.output) == (2, "Error: --header 'X-One': a header is written Name:Value.\n")


def test_the_logging_configuration_is_a_copy_of_uvicorns(server: Server) -> None:
    hotserve("run", "app:routes")
    assert server.options["log_config"] == LOGGING_CONFIG
    assert server.options["log_config"] is not LOGGING_CONFIG
    assert server.options["log_config"]["formatters"]["default"] is not LOGGING_CONFIG["formatters"]["default"]


def test_a_logging_configuration_of_the_users_is_left_alone(server: Server, tmp_path: Path) -> None:
    (tmp_path / "log.ini").touch()
    hotserve("run", "app:routes", "--log-config", "log.ini")
    assert server.options["log_config"] == "log.ini"


@pytest.mark.parametrize("option", ["--reload", "--reload-dir"])
def test_reload_is_answered_with_hmr(server: Server, option: str) -> None:
    result = hotserve("run", "app:routes", option)
    assert result.exit_code == 2
    assert result.output.endswith(f"Error: There is no {option} here; write --hmr.\n")


def test_workers_are_answered_with_one_process(server: Server) -> None:
    result = hotserve("run", "app:routes", "--workers", "4")
    assert result.exit_code == 2
    assert result.output.endswith("Error: There is no --workers here: hotserve serves in one process.\n")


# --- what wins ---


def test_the_command_line_beats_the_environment_which_beats_pyproject(server: Server, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.hotserve]\nboundaries = ["project.py"]')
    hotserve("run", "app:routes")
    assert server.config.boundaries == ("project.py",)
    hotserve("run", "app:routes", env={"HOTSERVE_BOUNDARIES": "variable.py"})
    assert server.config.boundaries == ("variable.py",)
    hotserve("run", "app:routes", "--boundary", "line.py", env={"HOTSERVE_BOUNDARIES": "variable.py"})
    assert server.config.boundaries == ("line.py",)


def test_each_setting_has_its_option_and_its_variable(server: Server, tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    arguments = "--boundary a.py --boundary b.py --restart-on c.ini --ignore logs --watch-dir shared".split()
    hotserve("run", "app:routes", *arguments)
    from_line = server.config
    assert (from_line.boundaries, from_line.restart) == (("a.py", "b.py"), ("c.ini",))
    assert (from_line.ignore, from_line.watch) == (("logs",), (tmp_path / "shared",))
    variables = {
        "HOTSERVE_BOUNDARIES": os.pathsep.join(["a.py", "b.py"]),
        "HOTSERVE_RESTART_ON": "c.ini",
        "HOTSERVE_IGNORE": "logs",
        "HOTSERVE_WATCH_DIRS": "shared",
    }
    hotserve("run", "app:routes", env=variables)
    assert server.config == from_line
    assert not {"boundaries", "restart_on", "ignore", "watch_dirs"} & server.options.keys()


def test_a_list_in_a_variable_is_separated_as_in_path_so_that_names_may_hold_spaces(server: Server) -> None:
    hotserve("run", "app:routes", env={"HOTSERVE_IGNORE": os.pathsep.join(["my uploads", "", "logs", ""])})
    assert server.config.ignore == ("my uploads", "logs")


def test_an_empty_variable_is_none(server: Server, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.hotserve]\nboundaries = ["project.py"]')
    for empty in ("", " ", os.pathsep):
        hotserve("run", "app:routes", env={"HOTSERVE_BOUNDARIES": empty})
        assert server.config.boundaries == ("project.py",)


def test_options_of_uvicorn_are_read_from_hotserve_variables_only(server: Server) -> None:
    hotserve("run", "app:routes", env={"HOTSERVE_PORT": "9001", "UVICORN_HOST": "0.0.0.0"})
    assert (server.options["port"], server.options["host"]) == (9001, "127.0.0.1")
    hotserve("run", "app:routes", "--port", "9002", env={"HOTSERVE_PORT": "9001"})
    assert server.options["port"] == 9002


# --- what is refused ---


def test_a_target_that_is_no_reference_ends_with_2(server: Server) -> None:
    result = hotserve("run", "app.routes")
    assert result.exit_code == 2
    assert result.output == (
        'Error: `app.routes`: a reference is written "module:attr", and this has no colon. '
        "Did you mean 'app:routes'?\n"
    )


def test_a_broken_pyproject_ends_with_2_and_one_line(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text('[tool.hotserve]\nboundary = ["a.py"]')
    result = hotserve("run", "app:routes", "--hmr")
    assert result.exit_code == 2
    assert result.output == (
        f"Error: {file}: [tool.hotserve] boundary = [\"a.py\"]: unknown key 'boundary'; did you mean 'boundaries'?\n"
    )


def test_an_option_that_cannot_be_used_is_named_as_it_was_given(server: Server, tmp_path: Path) -> None:
    reason = "a glob cannot be negated; list what you mean without it"
    result = hotserve("run", "app:routes", "--ignore", "!a.py")
    assert (result.exit_code, result.output) == (2, f"Error: --ignore: '!a.py': {reason}.\n")
    result = hotserve("run", "app:routes", env={"HOTSERVE_RESTART_ON": "!a.py"})
    assert (result.exit_code, result.output) == (2, f"Error: HOTSERVE_RESTART_ON: '!a.py': {reason}.\n")
    result = hotserve("run", "app:routes", "--watch-dir", "nowhere")
    reason = f"there is no folder {tmp_path / 'nowhere'}; create it or remove it here"
    assert (result.exit_code, result.output) == (2, f"Error: --watch-dir: 'nowhere': {reason}.\n")
    result = hotserve("run", "app:routes", "--app-dir", "nowhere")
    assert (result.exit_code, result.output) == (2, "Error: --app-dir 'nowhere': there is no such folder.\n")


def test_a_missing_target_ends_with_2(server: Server) -> None:
    result = hotserve("run")
    assert result.exit_code == 2
    assert result.output.endswith("Error: Missing argument 'TARGET'.\n")


def test_another_error_of_hotserve_ends_with_1(server: Server) -> None:
    server.end = HotserveError("the port is taken")
    result = hotserve("run", "app:routes")
    assert (result.exit_code, result.output) == (1, "Error: the port is taken\n")


def test_an_error_that_is_not_hotserves_is_not_hidden(server: Server) -> None:
    server.end = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        hotserve("run", "app:routes")


# --- the real process ---


def test_a_target_without_a_module_ends_with_1_and_one_line(tmp_path: Path) -> None:
    (tmp_path / "shop_app.py").write_text("routes = []")
    ended = process("run", "shop_ap:routes", cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "Error: `shop_ap:routes`: no module named 'shop_ap'. Did you mean 'shop_app'?\n"


def test_a_target_without_the_attribute_ends_with_1_and_one_line(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("routes = []")
    ended = process("run", "app:route", cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        f"Error: `app:route`: module app ({tmp_path / 'app.py'}) has no attribute 'route'. Did you mean 'routes'?\n"
    )


def test_a_target_that_cannot_be_parsed_ends_with_1_and_one_line(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("ok = 1\nroutes = [\n")
    ended = process("run", "app:routes", cwd=tmp_path)
    assert ended.returncode == 1
    place = f"({tmp_path / 'app.py'}, line 2)"
    assert ended.stderr == f"Error: `app:routes`: importing app failed {place}: SyntaxError: '[' was never closed\n"


def test_a_target_that_fails_inside_shows_the_frames_of_the_application_and_then_the_error(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("import prices\n")
    (tmp_path / "prices.py").write_text("\nprices = 1 / 0\n")
    ended = process("run", "app:routes", cwd=tmp_path)
    assert ended.returncode == 1
    lines = ended.stderr.splitlines()
    place = f"({tmp_path / 'prices.py'}, line 2)"
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1] == f'  File "{tmp_path / "app.py"}", line 1, in <module>'
    assert lines[-2:] == [
        "ZeroDivisionError: division by zero",
        f"Error: `app:routes`: importing app failed {place}: ZeroDivisionError: division by zero",
    ]


def test_a_failed_import_without_a_cause_is_one_line(server: Server) -> None:
    server.end = ImportFailed("`app:routes`: importing app failed", reference="app:routes")
    assert hotserve("run", "app:routes").output == "Error: `app:routes`: importing app failed\n"


def test_version_names_what_a_bug_report_needs(tmp_path: Path) -> None:
    ended = process("--version", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    assert lines[0] == f"hotserve {__version__}"
    assert lines[1] == f"Python {platform.python_version()} ({platform.python_implementation()})"
    assert lines[2:] == [
        f"{package} {importlib.metadata.version(package)}" for package in ("uvicorn", "starlette", "watchfiles")
    ]


def test_an_uninstalled_package_is_named_in_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(package: str) -> str:
        if package == "watchfiles":
            raise importlib.metadata.PackageNotFoundError(package)
        return "1.2.3"

    monkeypatch.setattr(importlib.metadata, "version", version)
    lines = hotserve("--version").output.splitlines()
    assert (lines[0], lines[-1]) == (f"hotserve {__version__}", "watchfiles (not installed)")


# --- help ---


def test_help_shows_hotserves_own_options_before_those_of_uvicorn() -> None:
    text = hotserve("run", "--help").output
    own, _, theirs = text.partition("\nOptions of uvicorn:\n")
    assert [line.split()[0] for line in own.partition("\nOptions:\n")[2].splitlines() if line.startswith("  --")] == [
        "--hmr",
        "--boundary",
        "--restart-on",
        "--ignore",
        "--watch-dir",
        "--help",
    ]
    assert "  --host TEXT " in theirs
    assert "--reload" not in theirs


def test_python_m_hotserve_is_the_command(tmp_path: Path) -> None:
    ended = process("--help", cwd=tmp_path)
    assert ended.returncode == 0
    assert ended.stdout.startswith("Usage: python -m hotserve [OPTIONS] COMMAND [ARGS]...\n")
