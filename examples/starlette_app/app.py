"""A packing list that everybody on the trip shares.

Serve it with `hotserve run app:app --hmr`. In production the application is the same:
`uvicorn app:app --timeout-graceful-shutdown 5` (without a limit, uvicorn waits for ever for open streams to end).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path

from hotserve import Middleware, Mount, Route, WebSocketRoute, lazy
from starlette.applications import Starlette
from starlette.staticfiles import StaticFiles

from models.errors import PackingError

HERE = Path(__file__).parent
SWEEP_EVERY = 600.0  # seconds

routes = [
    Route("/", "controllers.pages:PagesController.home", name="home"),
    Route("/list", "controllers.pages:PagesController.items", name="list"),
    Route("/list.txt", "controllers.pages:PagesController.printable", name="printable"),
    Mount(
        "/api",
        name="api",
        routes=[
            Route("/items", "controllers.items:ItemsEndpoint", name="items"),
            Route("/items/{item_id:int}", "controllers.items:ItemEndpoint", name="item"),
            Route("/suggestion", "controllers.suggestions:suggestion", name="suggestion"),
        ],
    ),
    Route("/activity", "controllers.activity:activity", name="activity"),
    WebSocketRoute("/live", "controllers.live:live", name="live"),
    Mount("/static", StaticFiles(directory=HERE / "static"), name="static"),
]

# The loop below outlives every version of the job: it holds a reference, so that each round runs the newest one.
sweep = lazy("jobs.sweep:sweep")


async def keep_sweeping() -> None:
    """Forget old activity, once every `SWEEP_EVERY` seconds."""
    while True:
        await asyncio.sleep(SWEEP_EVERY)
        try:
            await sweep()
        except Exception:
            logging.getLogger("packing").exception("the sweep failed; the next one is in %d s", SWEEP_EVERY)


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """What runs beside the requests, from the first to the last."""
    sweeper = asyncio.create_task(keep_sweeping())
    yield
    sweeper.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await sweeper


app = Starlette(
    routes=routes,
    middleware=[Middleware("middleware.timing:TimingMiddleware", name="app")],
    exception_handlers={
        404: lazy("controllers.errors:not_found"),
        PackingError: lazy("controllers.errors:packing_error"),
    },
    lifespan=lifespan,
)
