"""The list as a JSON API: /api/items and /api/items/3."""

from __future__ import annotations

import json
from typing import Any

from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.errors import Unreadable, WrongMediaType
from services import packing


class ItemsEndpoint(HTTPEndpoint):
    """All items."""

    async def get(self, request: Request) -> Response:
        return JSONResponse({"items": [item.as_json() for item in packing.all_items()]})

    async def post(self, request: Request) -> Response:
        item = packing.add(await _json_object(request))
        location = request.url_for("api:item", item_id=item.id)
        return JSONResponse(item.as_json(), status_code=201, headers={"location": location.path})


class ItemEndpoint(HTTPEndpoint):
    """One item."""

    async def get(self, request: Request) -> Response:
        return JSONResponse(packing.find(request.path_params["item_id"]).as_json())

    async def patch(self, request: Request) -> Response:
        values = await _json_object(request)
        return JSONResponse(packing.change(request.path_params["item_id"], values).as_json())

    async def delete(self, request: Request) -> Response:
        packing.remove(request.path_params["item_id"])
        return Response(status_code=204)


async def _json_object(request: Request) -> dict[str, Any]:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise WrongMediaType(f"Send application/json, not {media_type or 'an undeclared body'}.")
    try:
        body = json.loads(await request.body())
    except ValueError as exc:  # malformed JSON, or bytes that are not UTF-8
        raise Unreadable(f"The body is not JSON: {exc}") from exc
    if not isinstance(body, dict):
        raise Unreadable("The body is JSON, but not an object.")
    return body
