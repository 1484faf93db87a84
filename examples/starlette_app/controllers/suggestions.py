"""One more thing to pack."""

from __future__ import annotations

import random

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.suggestions import open_ideas


def suggestion(request: Request) -> Response:
    """An idea that is not on the list yet, or 204 when there is none left."""
    ideas = open_ideas()
    if not ideas:
        return Response(status_code=204)
    name, category = random.choice(ideas)
    return JSONResponse({"name": name, "category": category})
