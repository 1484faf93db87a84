"""The page. Change the headline, save, and reload it in the browser."""

from __future__ import annotations

import time
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.templating import Jinja2Templates

from models.item import CATEGORIES, LARGEST_QUANTITY, LONGEST_NAME
from services import activity, packing, process

HEADLINE = "Cabin weekend"
TAGLINE = "Three nights, one stove, no shop nearby."

IMPORTED_AT = time.time()

templates = Jinja2Templates(directory=Path(__file__).parent.parent / "templates")


class PagesController:
    """An instance serves one request."""

    def home(self, request: Request) -> Response:
        """The page with everything on it."""
        context = {
            "headline": HEADLINE,
            "tagline": TAGLINE,
            "groups": packing.by_category(),
            "categories": CATEGORIES,
            "longest_name": LONGEST_NAME,
            "largest_quantity": LARGEST_QUANTITY,
            "nothing_happened": not activity.recent(),
            "pid": process.PID,
            "process_age": time.time() - process.STARTED_AT,
            "controller_age": time.time() - IMPORTED_AT,
        }
        return templates.TemplateResponse(request, "home.html", context)

    def items(self, request: Request) -> Response:
        """The list alone, for the page to show when somebody has changed it."""
        return templates.TemplateResponse(request, "list.html", {"groups": packing.by_category()})

    def printable(self, request: Request) -> Response:
        """The list for a pocket: plain text."""
        lines = [HEADLINE, "=" * len(HEADLINE)]
        for heading, items in packing.by_category().items():
            lines += ["", heading]
            for item in items:
                times = f" ({item.quantity})" if item.quantity > 1 else ""
                lines.append(f"  [{'x' if item.packed else ' '}] {item.name}{times}")
        return PlainTextResponse("\n".join(lines) + "\n")
