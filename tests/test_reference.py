"""References: how they are written, how they are loaded, and every message word for word."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hotserve import reference
from hotserve.errors import AttributeNotFound, HotserveError, ImportFailed, InvalidReference, LoadError, ModuleNotFound
from hotserve.reference import ImportOnce, Lazy, Reference, load
from tests.asgi import Modules


@pytest.fixture
def modules(tmp_path: Path) -> Iterator[Modules]:
    with Modules.importable(tmp_path) as written:
        yield written


def failure(text: str, owner: str = "") -> LoadError:
    with pytest.raises(LoadError) as caught:
        load(Reference.parse(text), owner)
    return caught.value


# -- writing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "module", "attr", "name"),
    [
        ("app:routes", "app", "routes", "routes"),
        ("controllers.users:index", "controllers.users", "index", "index"),
        ("controllers.users:UsersController.index", "controllers.users", "UsersController.index", "index"),
        ("größe.überall:über", "größe.überall", "über", "über"),
    ],
)
def test_a_reference_is_a_module_and_an_attribute(text: str, module: str, attr: str, name: str) -> None:
    parsed = Reference.parse(text)
    assert (parsed.module, parsed.attr, parsed.name, str(parsed)) == (module, attr, name, text)
    assert parsed == Reference(module, attr) and hash(parsed) == hash(Reference(module, attr))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "controllers.users.index",
            '`controllers.users.index`: a reference is written "module:attr", and this has no colon. '
            "Did you mean 'controllers.users:index'?",
        ),
        ("index", '`index`: a reference is written "module:attr", and this has no colon.'),
        ("", '``: a reference is written "module:attr", and this has no colon.'),
        (".users:index", "`.users:index`: a reference names its module absolutely, without leading dots."),
        ("users:", "`users:`: '' is not an attribute name; write \"package.module:attr\"."),
        (":index", "`:index`: '' is not a module name; write \"package.module:attr\"."),
        ("users:index()", "`users:index()`: 'index()' is not an attribute name; write \"package.module:attr\"."),
        ("users:a:b", "`users:a:b`: 'a:b' is not an attribute name; write \"package.module:attr\"."),
        ("users..x:a", "`users..x:a`: 'users..x' is not a module name; write \"package.module:attr\"."),
        ("app/users:a", "`app/users:a`: 'app/users' is not a module name; write \"package.module:attr\"."),
        ("users: a", "`users: a`: ' a' is not an attribute name; write \"package.module:attr\"."),
    ],
)
def test_a_text_that_is_no_reference_is_told_what_is_wrong_with_it(text: str, message: str) -> None:
    with pytest.raises(InvalidReference) as caught:
        Reference.parse(text)
    assert str(caught.value) == message
    assert isinstance(caught.value, HotserveError) and not isinstance(caught.value, LoadError)


# -- loading -----------------------------------------------------------------------------------------------------------


def test_the_attribute_may_be_dotted(modules: Modules) -> None:
    modules.write("books/users.py", "class Users:\n    class Inner:\n        value = 3\n")
    assert load(Reference.parse("books.users:Users.Inner.value")) == 3


def test_a_missing_module_of_a_package_is_told_with_the_nearest_and_where_it_was_looked_for(modules: Modules) -> None:
    modules.write("books/users.py", "")
    error = failure("books.user:index", 'Route("/users")')
    assert type(error) is ModuleNotFound
    assert str(error) == (
        "`books.user:index` in Route(\"/users\"): no module named 'books.user'. Did you mean 'books.users'? "
        f"(looked in {modules.folder / 'books'})"
    )
    assert error.file == str(modules.folder / "books/__init__.py")


def test_a_missing_package_is_told_with_the_nearest(modules: Modules) -> None:
    modules.write("bookshelves/users.py", "")
    error = failure("bookshelvs.users:index")
    assert type(error) is ModuleNotFound
    assert str(error) == "`bookshelvs.users:index`: no module named 'bookshelvs'. Did you mean 'bookshelves'?"
    assert error.file is None


def test_a_module_that_is_taken_for_a_package_is_told(modules: Modules) -> None:
    file = modules.write("books.py", "")
    error = failure("books.users:index")
    assert type(error) is ModuleNotFound
    assert str(error) == "`books.users:index`: 'books' is a module, not a package, so there is no 'books.users'."
    assert error.file == str(file)


@pytest.mark.parametrize(
    ("source", "line", "what"),
    [
        ("x = 1\nimport nothing_of_that_name\n", 2, "ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("import books.nothing\n", 1, "ModuleNotFoundError: No module named 'books.nothing'"),
        ("\n\n1 / 0\n", 3, "ZeroDivisionError: division by zero"),
        ("def f():\n    raise ValueError('no')\nf()\n", 2, "ValueError: no"),
        ("import sys\nsys.exit('bye')\n", 2, "SystemExit: bye"),
        ("x = (1,\n", 1, "SyntaxError: '(' was never closed"),
    ],
)
def test_an_exception_inside_the_module_is_told_with_its_place(
    modules: Modules, source: str, line: int, what: str
) -> None:
    file = modules.write("books/users.py", source)
    error = failure("books.users:index", "Middleware(...)")
    assert type(error) is ImportFailed
    assert str(error) == (
        f"`books.users:index` in Middleware(...): importing books.users failed ({file}, line {line}): {what}"
    )
    assert (error.reference, error.owner, error.file) == ("books.users:index", "Middleware(...)", str(file))
    assert error.__cause__ is not None


def test_an_exception_inside_an_imported_module_is_told_with_that_modules_place(modules: Modules) -> None:
    modules.write("books/users.py", "import books.services\n")
    file = modules.write("books/services.py", "x = 1\nx.nothing\n")
    assert str(failure("books.users:index")) == (
        f"`books.users:index`: importing books.users failed ({file}, line 2): "
        "AttributeError: 'int' object has no attribute 'nothing'"
    )


def test_an_exception_inside_the_standard_library_is_told_with_the_place_that_called_it(modules: Modules) -> None:
    file = modules.write("books/users.py", "import json\n\njson.loads('{')\n")
    error = failure("books.users:index")
    assert f"failed ({file}, line 3): JSONDecodeError: Expecting property name" in str(error)
    assert error.file == str(file)


def test_a_missing_attribute_is_told_with_the_file_and_the_nearest(modules: Modules) -> None:
    file = modules.write("books/users.py", "def index(): ...\n")
    error = failure("books.users:indx", 'Route("/users")')
    assert type(error) is AttributeNotFound
    assert str(error) == (
        f"`books.users:indx` in Route(\"/users\"): module books.users ({file}) has no attribute 'indx'. "
        "Did you mean 'index'?"
    )
    assert error.file == str(file)


def test_a_missing_attribute_of_a_class_is_told_with_the_nearest(modules: Modules) -> None:
    file = modules.write("books/users.py", "class Users:\n    def index(self): ...\n")
    assert str(failure("books.users:Users.indx")) == (
        f"`books.users:Users.indx`: object books.users.Users ({file}) has no attribute 'indx'. Did you mean 'index'?"
    )
    assert str(failure("books.users:Users.qqq")) == (
        f"`books.users:Users.qqq`: object books.users.Users ({file}) has no attribute 'qqq'."
    )


def test_an_interrupt_is_not_an_error_of_the_module(modules: Modules) -> None:
    modules.write("books/users.py", "raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        load(Reference.parse("books.users:index"))


# -- Lazy --------------------------------------------------------------------------------------------------------------


def test_a_lazy_keeps_its_object_until_it_is_told_to_forget(modules: Modules) -> None:
    modules.write("books/users.py", "index = object()\n")
    lazy = Lazy("books.users:index")
    assert "books.users" not in sys.modules
    first = lazy.value()
    modules.unload()
    assert lazy.value() is first
    lazy.forget()
    assert lazy.value() is not first


def test_a_lazy_adapts_its_object_once_a_version(modules: Modules) -> None:
    modules.write("books/users.py", "index = 3\n")
    adapted: list[Any] = []

    def adapt(value: Any) -> Any:
        adapted.append(value)
        return print

    lazy = Lazy("books.users:index", adapt=adapt)
    assert lazy.app is None
    assert lazy.asgi() is lazy.asgi() is lazy.app is print
    assert adapted == [3]
    lazy.forget()
    assert lazy.app is None
    lazy.asgi()
    assert adapted == [3, 3]


def test_in_production_a_failure_is_raised() -> None:
    lazy = Lazy("nowhere:index", 'Route("/")')
    with pytest.raises(ModuleNotFound) as caught:
        lazy.value()
    with pytest.raises(ModuleNotFound) as again:
        lazy.failed(caught.value)
    assert again.value is caught.value


def test_every_lazy_goes_through_the_resolver_in_use(modules: Modules) -> None:
    class Other(ImportOnce):
        def load(self, lazy: Lazy) -> Any:
            return f"loaded {lazy.reference}"

    lazy = Lazy("nowhere:index")
    reference.use(Other())
    try:
        assert lazy.value() == "loaded nowhere:index"
    finally:
        reference.use(None)
    lazy.forget()
    with pytest.raises(ModuleNotFound):
        lazy.value()
