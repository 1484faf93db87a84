"""What people and programs see when something is not there, or not allowed."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from controllers.pages import HEADLINE, templates
from models.errors import PackingError


def not_found(request: Request, exc: HTTPException) -> Response:
    """404: a page for people, JSON under /api/."""
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": f"There is nothing at {request.url.path}.", "fields": {}}, status_code=404)
    return templates.TemplateResponse(request, "not_found.html", {"headline": HEADLINE}, status_code=404)


def packing_error(request: Request, exc: PackingError) -> Response:
    """A refusal of the packing list: why, and which fields are at fault."""
    return JSONResponse({"error": str(exc), "fields": exc.fields}, status_code=exc.status)
