"""Where a setting comes from, what it may be, and what it means for a file."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

import pytest

from hotserve.config import Config, load
from hotserve.errors import ConfigError
from hotserve.globs import Globs
from hotserve.pyproject import Given


def pyproject(folder: Path, text: str) -> Path:
    file = folder / "pyproject.toml"
    file.write_text(text)
    return file


def config(root: Path, **settings: object) -> Config:
    return Config(root=root, pyproject=None, app_dir=root, **settings)  # type: ignore[arg-type]


def given(key: str, *values: str, base: Path = Path("/")) -> Given:
    return Given(key, values, f"--{key}", base)


def error(folder: Path, *settings: Given) -> str:
    with pytest.raises(ConfigError) as caught:
        load(folder, settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- where a setting comes from ---


def test_without_a_pyproject_the_application_folder_is_the_root(tmp_path: Path) -> None:
    assert load(tmp_path) == Config(root=tmp_path, pyproject=None, app_dir=tmp_path)


def test_the_defaults(tmp_path: Path) -> None:
    found = load(tmp_path)
    assert (found.boundaries, found.restart, found.ignore, found.watch) == (None, (".env", ".env.*"), (), ())


def test_the_nearest_pyproject_upward_is_in_force_and_its_folder_is_the_root(tmp_path: Path) -> None:
    pyproject(tmp_path, '[tool.hotserve]\nboundaries = ["outer/*.py"]')
    source = tmp_path / "service" / "src"
    source.mkdir(parents=True)
    file = pyproject(tmp_path / "service", '[tool.hotserve]\nboundaries = ["src/controllers/*.py"]')
    found = load(source)
    assert (found.root, found.pyproject, found.app_dir) == (tmp_path / "service", file, source)
    assert found.boundaries == ("src/controllers/*.py",)


def test_a_folder_called_pyproject_toml_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "app" / "pyproject.toml").mkdir(parents=True)
    file = pyproject(tmp_path, "")
    assert load(tmp_path / "app").pyproject == file


def test_a_pyproject_of_other_tools_leaves_the_defaults(tmp_path: Path) -> None:
    pyproject(tmp_path, '[project]\nname = "shop"\n[tool.ruff]\nline-length = 120')
    assert load(tmp_path).restart == (".env", ".env.*")


def test_a_given_list_replaces_the_default(tmp_path: Path) -> None:
    pyproject(tmp_path, '[tool.hotserve]\nrestart = ["settings.toml"]')
    assert load(tmp_path).restart == ("settings.toml",)


def test_an_empty_list_is_not_the_default(tmp_path: Path) -> None:
    pyproject(tmp_path, "[tool.hotserve]\nrestart = []\nboundaries = []")
    found = load(tmp_path)
    assert (found.restart, found.boundaries) == ((), ())
    assert not found.is_boundary(str(tmp_path / "app.py"))


def test_what_is_given_elsewhere_beats_pyproject_key_by_key(tmp_path: Path) -> None:
    pyproject(tmp_path, '[tool.hotserve]\nignore = ["logs"]\nrestart = ["*.ini"]')
    found = load(tmp_path, [given("ignore", "var")])
    assert (found.ignore, found.restart) == (("var",), ("*.ini",))


def test_watched_folders_are_relative_to_the_place_that_names_them(tmp_path: Path) -> None:
    for name in ("service", "shared", "elsewhere/shared"):
        (tmp_path / name).mkdir(parents=True)
    pyproject(tmp_path / "service", '[tool.hotserve]\nwatch = ["../shared"]')
    assert load(tmp_path / "service").watch == (tmp_path / "shared",)
    overridden = load(tmp_path / "service", [given("watch", "shared", base=tmp_path / "elsewhere")])
    assert overridden.watch == (tmp_path / "elsewhere" / "shared",)


def test_paths_are_absolute_and_without_symbolic_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.chdir(tmp_path)
    assert load(Path("link")).app_dir == tmp_path / "real"


# --- what cannot be used ---


def test_an_unknown_key_is_answered_with_the_nearest_one(tmp_path: Path) -> None:
    file = pyproject(tmp_path, '[tool.hotserve]\nboundary = ["a.py"]')
    assert error(tmp_path) == (
        f"{file}: [tool.hotserve] boundary = [\"a.py\"]: unknown key 'boundary'; did you mean 'boundaries'?"
    )


def test_an_unknown_key_that_resembles_none_is_answered_with_all_of_them(tmp_path: Path) -> None:
    file = pyproject(tmp_path, "[tool.hotserve]\nport = 80")
    assert error(tmp_path) == (
        f"{file}: [tool.hotserve] port = 80: unknown key 'port'; the keys are boundaries, ignore, restart, watch."
    )


def test_a_string_in_place_of_a_list_is_answered_with_the_list_to_write(tmp_path: Path) -> None:
    file = pyproject(tmp_path, '[tool.hotserve]\nboundaries = "controllers/*.py"')
    assert error(tmp_path) == (
        f'{file}: [tool.hotserve] boundaries = "controllers/*.py": this must be a list; write ["controllers/*.py"].'
    )


@pytest.mark.parametrize(
    ("value", "shown", "kind"),
    [
        ("true", "true", "a boolean"),
        ("3", "3", "an integer"),
        ("1.5", "1.5", "a float"),
        ("{a = 1}", '{"a": 1}', "a table"),
        ("2026-01-02", '"2026-01-02"', "a date or time"),
    ],
)
def test_a_value_that_is_no_list_is_named_with_its_type(tmp_path: Path, value: str, shown: str, kind: str) -> None:
    file = pyproject(tmp_path, f"[tool.hotserve]\nignore = {value}")
    assert error(tmp_path) == f"{file}: [tool.hotserve] ignore = {shown}: this must be a list of strings, not {kind}."


def test_an_item_that_is_no_string_is_named_with_its_type(tmp_path: Path) -> None:
    file = pyproject(tmp_path, '[tool.hotserve]\nwatch = ["a", 3]')
    assert error(tmp_path) == (f'{file}: [tool.hotserve] watch = ["a", 3]: 3 must be a string, not an integer.')


def test_a_long_value_is_shown_shortened(tmp_path: Path) -> None:
    pyproject(tmp_path, f"[tool.hotserve]\nboundary = {['controllers/users.py'] * 40}")
    assert 'boundary = ["controllers/users.py", "controllers/users.py", "control...: unknown key' in error(tmp_path)


def test_tool_hotserve_must_be_a_table(tmp_path: Path) -> None:
    file = pyproject(tmp_path, "[tool]\nhotserve = 1")
    assert error(tmp_path) == (
        f"{file}: tool.hotserve = 1: this must be a table; write [tool.hotserve] and the keys below it."
    )


def test_broken_toml_is_named_with_its_line(tmp_path: Path) -> None:
    file = pyproject(tmp_path, '[tool.hotserve]\n\nboundaries = ["a.py"\nrestart = []')
    assert error(tmp_path).startswith(f"{file}: this is not TOML: Unclosed array (at line 4, column 1); ")


def test_a_file_that_is_not_utf_8_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_bytes('[project]\nname = "café"'.encode("latin-1"))
    assert error(tmp_path) == f"{file}: line 2 is not UTF-8 (byte 0xe9); save the file as UTF-8."


@pytest.mark.parametrize(
    ("glob", "reason"),
    [
        ("", 'an empty glob matches nothing; remove it, or write "**" for every file'),
        ("  ", 'an empty glob matches nothing; remove it, or write "**" for every file'),
        ("./", 'this names no file; write "**" for every file'),
        ("!keep.py", "a glob cannot be negated; list what you mean without it"),
        ("a\\b.py", 'write "/" between folders, on every system'),
        ("a/../b.py", '".." is understood only at the beginning; write the path without it'),
        ("[z-a].py", "this cannot be read as a glob (bad character range z-a)"),
    ],
)
@pytest.mark.parametrize("key", ["boundaries", "restart", "ignore"])
def test_a_glob_that_cannot_mean_anything_is_refused(tmp_path: Path, key: str, glob: str, reason: str) -> None:
    assert error(tmp_path, given(key, glob)) == f"--{key}: {glob!r}: {reason}."
    file = pyproject(tmp_path, f"[tool.hotserve]\n{key} = ['a.py', '{glob}']")
    assert error(tmp_path) == f"{file}: [tool.hotserve] {key}: {glob!r}: {reason}."


def test_a_wrong_pyproject_is_wrong_even_where_something_stronger_is_given(tmp_path: Path) -> None:
    file = pyproject(tmp_path, "[tool.hotserve]\nignore = ['']")
    assert error(tmp_path, given("ignore", "*.log")).startswith(f"{file}: [tool.hotserve] ignore: ")


def test_a_watched_folder_must_exist(tmp_path: Path) -> None:
    file = pyproject(tmp_path, '[tool.hotserve]\nwatch = ["../nowhere"]')
    missing = tmp_path.parent / "nowhere"
    assert error(tmp_path) == (
        f"{file}: [tool.hotserve] watch: '../nowhere': there is no folder {missing}; create it or remove it here."
    )


def test_a_watched_folder_must_be_a_folder(tmp_path: Path) -> None:
    file = pyproject(tmp_path, '[tool.hotserve]\nwatch = ["a.py"]')
    (tmp_path / "a.py").touch()
    assert error(tmp_path) == (
        f"{file}: [tool.hotserve] watch: 'a.py': {tmp_path / 'a.py'} is a file; name the folder that holds it."
    )


def test_a_watched_folder_must_have_a_name(tmp_path: Path) -> None:
    file = pyproject(tmp_path, '[tool.hotserve]\nwatch = [""]')
    assert error(tmp_path) == f"{file}: [tool.hotserve] watch: '': an empty path names no folder; remove it."


def test_the_application_folder_must_exist(tmp_path: Path) -> None:
    missing = tmp_path / "nowhere"
    assert error(missing) == f"--app-dir {str(missing)!r}: there is no such folder."


# --- globs ---


@pytest.mark.parametrize(
    ("glob", "matching", "others"),
    [
        ("a/*.py", ["a/x.py", "a/.py"], ["x.py", "a/b/x.py", "b/a/x.py", "a/x.pyc"]),
        ("a/**/*.py", ["a/x.py", "a/b/x.py", "a/b/c/x.py"], ["x.py", "ab/x.py"]),
        ("**/x.py", ["x.py", "a/x.py", "a/b/x.py"], ["ax.py", "a/bx.py"]),
        ("a/**", ["a/x.py", "a/b/x.py"], ["a", "b/x.py"]),
        ("**", ["x.py", "a/x.py"], []),
        ("?.py", ["x.py"], [".py", "xy.py", "a/x.py"]),
        ("a?b", ["a-b"], ["a/b"]),
        ("[ab]1.py", ["a1.py", "b1.py"], ["c1.py", "ab1.py"]),
        ("[a-c].py", ["b.py"], ["d.py"]),
        ("[!a].py", ["b.py"], ["a.py", "/.py"]),
        ("[]].py", ["].py"], ["[.py"]),
        ("[a", ["[a"], ["a"]),
        ("./a.py", ["a.py"], ["b/a.py"]),
        ("/a.py", ["a.py"], ["b/a.py"]),
        ("a.b+c(d)", ["a.b+c(d)"], ["aXb+c(d)", "a.bbc(d)"]),
        ("a***b", ["ab", "a1b"], ["a/b"]),
        ("../shared/*.py", ["../shared/x.py"], ["shared/x.py"]),
        ("Users.py", ["Users.py"], ["users.py"]),
        ("новый файл.py", ["новый файл.py"], ["новый_файл.py"]),
        ("{{cookiecutter.slug}}", ["{{cookiecutter.slug}}"], []),
    ],
)
def test_what_a_glob_matches(glob: str, matching: list[str], others: list[str]) -> None:
    globs = Globs((glob,), anywhere=False, below=False)
    assert [path for path in matching if globs.match(path) != glob] == []
    assert [path for path in others if globs.match(path) is not None] == []


def test_the_glob_that_matched_is_the_first_of_those_that_do() -> None:
    globs = Globs(("b.py", "[ab].py", "*.py"), anywhere=False, below=False)
    assert [globs.match(path) for path in ("a.py", "b.py", "c.py", "c.txt")] == ["[ab].py", "b.py", "*.py", None]


# --- boundaries ---


def test_without_boundaries_every_file_may_be_one(tmp_path: Path) -> None:
    assert config(tmp_path).is_boundary(str(tmp_path / "controllers" / "users.py"))


@pytest.mark.parametrize("folder", ["controllers", "controllers/", "./controllers"])
def test_a_boundary_glob_that_names_a_folder_means_all_below_it(tmp_path: Path, folder: str) -> None:
    found = config(tmp_path, boundaries=(folder,))
    assert found.is_boundary(str(tmp_path / "controllers" / "admin" / "users.py"))
    assert not found.is_boundary(str(tmp_path / "controllers.py"))
    assert not found.is_boundary(str(tmp_path / "shop" / "controllers" / "users.py"))


def test_a_boundary_glob_with_a_star_stays_within_its_folder(tmp_path: Path) -> None:
    found = config(tmp_path, boundaries=("controllers/*",))
    assert found.is_boundary(str(tmp_path / "controllers" / "users.py"))
    assert not found.is_boundary(str(tmp_path / "controllers" / "admin" / "users.py"))


def test_a_boundary_glob_without_a_slash_matches_in_the_root_only(tmp_path: Path) -> None:
    found = config(tmp_path, boundaries=("views.py",))
    assert found.is_boundary(str(tmp_path / "views.py"))
    assert not found.is_boundary(str(tmp_path / "shop" / "views.py"))


def test_a_boundary_may_lie_in_a_watched_folder_outside(tmp_path: Path) -> None:
    found = config(tmp_path / "service", boundaries=("../shared/*.py",), watch=(tmp_path / "shared",))
    assert found.is_boundary(str(tmp_path / "shared" / "users.py"))
    assert not found.is_boundary(str(tmp_path / "service" / "users.py"))


# --- restart ---


def test_dotenv_files_restart_at_any_depth(tmp_path: Path) -> None:
    found = config(tmp_path)
    assert found.restart_pattern_for(str(tmp_path / ".env")) == ".env"
    assert found.restart_pattern_for(str(tmp_path / "deploy" / ".env.local")) == ".env.*"
    assert found.restart_pattern_for(str(tmp_path / "app.env")) is None
    assert found.restart_pattern_for(str(tmp_path / ".environment")) is None


def test_a_restart_glob_with_a_slash_is_relative_to_the_root(tmp_path: Path) -> None:
    found = config(tmp_path, restart=("/settings.py", "config/*.toml"))
    assert found.restart_pattern_for(str(tmp_path / "settings.py")) == "/settings.py"
    assert found.restart_pattern_for(str(tmp_path / "shop" / "settings.py")) is None
    assert found.restart_pattern_for(str(tmp_path / "config" / "a.toml")) == "config/*.toml"
    assert found.restart_pattern_for(str(tmp_path / "shop" / "config" / "a.toml")) is None


def test_a_restart_glob_that_names_a_folder_means_all_below_it(tmp_path: Path) -> None:
    found = config(tmp_path, restart=("settings/",))
    assert found.restart_pattern_for(str(tmp_path / "settings" / "dev" / "db.py")) == "settings/"


def test_an_ignored_file_restarts_nothing(tmp_path: Path) -> None:
    found = config(tmp_path, ignore=("deploy",))
    assert found.restart_pattern_for(str(tmp_path / "deploy" / ".env")) is None
    assert found.restart_pattern_for(str(tmp_path / "node_modules" / "x" / ".env")) is None


# --- ignored and tracked ---


@pytest.mark.parametrize(
    "folder",
    (
        ".git .hg .svn .venv venv env node_modules __pycache__ __pypackages__ site-packages .tox .nox .mypy_cache "
        ".ruff_cache .pytest_cache .hypothesis .cache .idea .vscode .eggs shop.egg-info"
    ).split(),
)
@pytest.mark.parametrize("above", ["", "deep/down"])
def test_some_folders_are_always_ignored_with_all_below_them(tmp_path: Path, above: str, folder: str) -> None:
    inside = tmp_path / above / folder / "pkg"
    inside.mkdir(parents=True)
    found = config(tmp_path)
    assert found.is_ignored(str(inside.parent))
    assert found.is_ignored(str(inside))
    assert found.is_ignored(str(inside / "a.py"))
    assert not found.is_tracked(str(inside / "a.py"))
    assert not found.is_ignored(str(inside.parent.parent / "a.py"))
    assert found.is_tracked(str(inside.parent.parent / "a.py"))


@pytest.mark.parametrize("name", ["venv", "env"])
def test_a_package_called_env_is_source_code(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    found = config(tmp_path)
    assert not found.is_tracked(str(tmp_path / name / "a.py"))
    (tmp_path / name / "__init__.py").touch()
    assert not found.is_ignored(str(tmp_path / name / "__init__.py"))
    assert found.is_tracked(str(tmp_path / name / "a.py"))


def test_a_file_with_the_name_of_an_ignored_folder_is_tracked(tmp_path: Path) -> None:
    (tmp_path / ".cache").touch()
    assert not config(tmp_path).is_ignored(str(tmp_path / ".cache"))


@pytest.mark.parametrize("marker", ["pyvenv.cfg", "conda-meta/history"])
def test_a_virtual_environment_by_any_name_is_ignored(tmp_path: Path, marker: str) -> None:
    environment = tmp_path / "py313"
    environment.joinpath(marker).parent.mkdir(parents=True)
    environment.joinpath(marker).touch()
    found = config(tmp_path)
    assert found.is_ignored(str(environment))
    assert not found.is_tracked(str(environment / "lib" / "a.py"))


def test_a_folder_that_becomes_a_virtual_environment_is_ignored_from_then_on(tmp_path: Path) -> None:
    found = config(tmp_path)
    environment = tmp_path / "py313"
    (environment / "lib").mkdir(parents=True)
    assert found.is_tracked(str(environment / "lib" / "a.py"))
    (environment / "pyvenv.cfg").touch()
    assert found.is_ignored(str(environment / "pyvenv.cfg"))
    assert not found.is_tracked(str(environment / "lib" / "a.py"))


def test_a_folder_that_was_a_virtual_environment_is_seen_afresh_when_asked_about_itself(tmp_path: Path) -> None:
    found = config(tmp_path)
    folder = tmp_path / "tools"
    folder.mkdir()
    (folder / "pyvenv.cfg").touch()
    assert not found.is_tracked(str(folder / "a.py"))
    (folder / "pyvenv.cfg").unlink()
    assert not found.is_ignored(str(folder))
    assert found.is_tracked(str(folder / "a.py"))


def test_only_what_lies_below_the_root_counts(tmp_path: Path) -> None:
    root = tmp_path / "env" / "node_modules" / "shop"
    root.mkdir(parents=True)
    (tmp_path / "env" / "pyvenv.cfg").touch()
    found = config(root)
    assert not found.is_ignored(str(root))
    assert found.is_tracked(str(root / "app.py"))


def test_what_lies_outside_the_roots_is_not_tracked(tmp_path: Path) -> None:
    found = config(tmp_path / "shop")
    assert not found.is_tracked(str(tmp_path / "shop2" / "a.py"))
    assert found.is_ignored(str(tmp_path / "shop2"))
    assert found.is_ignored(str(tmp_path))


def test_an_ignore_glob_without_a_slash_is_a_name_at_any_depth(tmp_path: Path) -> None:
    found = config(tmp_path, ignore=("uploads", "*.log"))
    assert not found.is_tracked(str(tmp_path / "uploads" / "a" / "b.py"))
    assert not found.is_tracked(str(tmp_path / "shop" / "uploads" / "b.py"))
    assert found.is_ignored(str(tmp_path / "shop" / "a.log"))
    assert found.is_tracked(str(tmp_path / "my_uploads" / "b.py"))


def test_an_ignore_glob_with_a_slash_is_relative_to_the_root(tmp_path: Path) -> None:
    found = config(tmp_path, ignore=("shop/gen", "/tmp", "var/*"))
    assert not found.is_tracked(str(tmp_path / "shop" / "gen" / "deep" / "a.py"))
    assert found.is_tracked(str(tmp_path / "other" / "shop" / "gen" / "a.py"))
    assert not found.is_tracked(str(tmp_path / "tmp" / "a.py"))
    assert found.is_tracked(str(tmp_path / "shop" / "tmp" / "a.py"))
    assert not found.is_tracked(str(tmp_path / "var" / "deep" / "a.py"))
    assert not found.is_ignored(str(tmp_path / "var"))


def test_an_ignore_glob_with_a_trailing_slash_names_folders_only(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "gen").touch()
    found = config(tmp_path, ignore=("gen/",))
    assert found.is_ignored(str(tmp_path / "gen"))
    assert not found.is_tracked(str(tmp_path / "gen" / "a.py"))
    assert not found.is_ignored(str(tmp_path / "shop" / "gen"))
    assert found.is_tracked(str(tmp_path / "shop" / "gen"))


def test_the_running_interpreter_is_never_tracked() -> None:
    library = Path(os.__file__).parent
    found = config(library.parent)
    assert not found.is_tracked(os.__file__)
    assert not found.is_tracked(str(Path(sysconfig.get_path("purelib")) / "click" / "core.py"))


def test_an_interpreter_inside_the_project_is_not_tracked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "runtime"))
    found = config(tmp_path)
    assert not found.is_tracked(str(tmp_path / "runtime" / "share" / "a.py"))
    assert found.is_tracked(str(tmp_path / "shop" / "a.py"))


def test_a_project_below_the_prefix_of_the_interpreter_is_tracked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert config(tmp_path / "src" / "app").is_tracked(str(tmp_path / "src" / "app" / "a.py"))


# --- roots and names ---


def test_roots_hold_no_folder_twice_and_none_inside_another(tmp_path: Path) -> None:
    root, outside = tmp_path / "service", tmp_path / "shared"
    found = Config(
        root=root, pyproject=None, app_dir=root / "src", watch=(outside, root, outside / "deep", root / "src", outside)
    )
    assert found.roots() == (root, outside)


def test_a_watched_folder_above_the_root_covers_it(tmp_path: Path) -> None:
    root = tmp_path / "service"
    found = Config(root=root, pyproject=None, app_dir=root, watch=(tmp_path,))
    assert found.roots() == (tmp_path,)
    assert found.is_tracked(str(root / "a.py"))
    assert found.is_tracked(str(tmp_path / "shared" / "a.py"))


def test_a_folder_asked_for_inside_an_ignored_one_is_a_root_of_its_own(tmp_path: Path) -> None:
    ours = tmp_path / "node_modules" / "ours"
    ours.mkdir(parents=True)
    found = config(tmp_path, watch=(ours,))
    assert found.roots() == (tmp_path, ours)
    assert found.is_tracked(str(ours / "a.py"))
    assert not found.is_ignored(str(ours))
    assert not found.is_tracked(str(tmp_path / "node_modules" / "theirs" / "a.py"))


def test_a_file_is_shown_relative_to_the_root(tmp_path: Path) -> None:
    found = config(tmp_path)
    assert found.display(str(tmp_path / "services" / "users.py")) == "services/users.py"
    assert found.display(str(tmp_path / "..users.py")) == "..users.py"
    assert found.display(str(tmp_path.parent / "users.py")) == str(tmp_path.parent / "users.py")


def test_a_config_is_a_value(tmp_path: Path) -> None:
    assert config(tmp_path, ignore=("a",)) == config(tmp_path, ignore=("a",)) != config(tmp_path, ignore=("b",))
    with pytest.raises(AttributeError):
        config(tmp_path).ignore = ()  # type: ignore[misc]
