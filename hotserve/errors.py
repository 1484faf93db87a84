"""The exception tree. Each message names the value and the fix; only `cli.py` turns one into an exit code.

HotserveError
├── ConfigError             a setting that cannot be used (exit code 2)
└── ReferenceError_         a "module:attr" that cannot be used
    ├── InvalidReference    not of the form "module:attr"
    └── LoadError           well-formed, but what it names cannot be had
        ├── ModuleNotFound      there is no such module
        ├── ImportFailed        the module exists; an exception inside it ended its import
        ├── AttributeNotFound   the module has no such attribute
        └── NotCallable         the object is there, but a callable is needed
"""

from __future__ import annotations


class HotserveError(Exception):
    """Base of every error that hotserve raises on purpose."""


class ConfigError(HotserveError):
    """A setting that cannot be used; the message names the file or option, the value and the fix."""


class ReferenceError_(HotserveError):
    """A reference that cannot be used. (The underscore keeps it apart from Python's own `ReferenceError`.)"""


class InvalidReference(ReferenceError_):
    """A text that is not of the form "module:attr"."""


class LoadError(ReferenceError_):
    """A reference whose object cannot be had. `__cause__` is the exception that prevented it, if there was one.

    reference: the reference as written, "controllers.users:index"
    owner:     what declared it, 'Route("/users")', or "" where nobody said
    file:      the file to look at, or None where there is none
    """

    def __init__(self, message: str, *, reference: str, owner: str = "", file: str | None = None) -> None:
        super().__init__(message)
        self.reference = reference
        self.owner = owner
        self.file = file


class ModuleNotFound(LoadError):
    """`controllers.user:index`: no module named 'controllers.user'. Did you mean 'controllers.users'?"""


class ImportFailed(LoadError):
    """`controllers.users:index`: importing controllers.users failed: SyntaxError in controllers/users.py, line 14."""


class AttributeNotFound(LoadError):
    """`controllers.users:indx`: module controllers.users has no attribute 'indx'. Did you mean 'index'?"""


class NotCallable(LoadError):
    """`controllers:users` in Route("/users"): this is a module and cannot be called."""
