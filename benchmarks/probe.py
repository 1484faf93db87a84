"""Served beside the application by the memory benchmark: which versions of its modules are still alive.

It lies outside the project, so that hotserve does not track it: a project that itself uses what is used here is treated
with a collection at every update.
"""

import gc
from collections import Counter
from types import FunctionType, ModuleType

from starlette.requests import Request
from starlette.responses import JSONResponse

EDITED = ("repositories.repo0", "services.svc0", "controllers.c0")


async def alive(request: Request) -> JSONResponse:
    """How many module objects there are of each of these names, and how many functions that one of them defined."""
    gc.collect()
    modules: Counter[str] = Counter()
    functions: Counter[str] = Counter()
    for each in gc.get_objects():
        # By type(), since isinstance() asks proxies for their __class__.
        if type(each) is ModuleType and each.__name__ in EDITED:
            modules[each.__name__] += 1
        elif type(each) is FunctionType and each.__module__ in EDITED:
            functions[each.__module__] += 1
    return JSONResponse({"modules": modules, "functions": functions})
