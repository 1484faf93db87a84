"""The application that answers while something cannot be loaded: 500, and everything needed to mend it."""

from __future__ import annotations

import html
from functools import cache
from importlib import resources
from string import Template
from typing import Any

from hotserve.config import Config
from hotserve.failure import Failure, failure_of

_HINT = "Save the fix: the next request runs it."


class ErrorPage:
    """An ASGI application that answers every request with the failure it was made from."""

    def __init__(self, error: BaseException, config: Config) -> None:
        # Described at once: what is kept is text, never the exception (its frames would keep old modules alive).
        self.failure = failure_of(error, config)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await receive()
            # Before the handshake is accepted a server turns any close into a refusal (403 under uvicorn).
            await send({"type": "websocket.close", "code": 1011, "reason": self.failure.kind})
            return
        if scope["type"] != "http":
            return
        if _accepts_html(scope):
            content_type, body = b"text/html; charset=utf-8", as_html(self.failure)
        else:
            content_type, body = b"text/plain; charset=utf-8", as_text(self.failure)
        # A lone surrogate in a message (undecodable file names) must not turn the error page into another error.
        content = body.encode("utf-8", errors="replace")
        headers = [
            (b"content-type", content_type),
            (b"content-length", str(len(content)).encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
        ]
        await send({"type": "http.response.start", "status": 500, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else content})


def as_text(failure: Failure) -> str:
    """The page for curl, and for whatever does not ask for HTML."""
    lines = [f"{failure.kind}: {failure.message}", ""]
    lines += [f"{label:<10} {value}" for label, value in _facts(failure)]
    if failure.excerpt:
        lines.append("")
        lines += [f"{'>' if row.marked else ' '} {row.number:>5}  {row.text}" for row in failure.excerpt]
    if failure.traceback:
        lines += ["", failure.traceback]
    return "\n".join([*lines, "", _HINT, ""])


def as_html(failure: Failure) -> str:
    """The page for a browser."""
    facts = "\n".join(f"<dt>{html.escape(label)}</dt><dd>{html.escape(value)}</dd>" for label, value in _facts(failure))
    rows = "".join(
        f'<span class="row{" marked" if row.marked else ""}">'
        f'<span class="number">{row.number}</span>{html.escape(row.text)}\n</span>'
        for row in failure.excerpt
    )
    return _template("error.html").substitute(
        title=html.escape(failure.summary),
        style=_static("error.css"),
        kind=html.escape(failure.kind),
        message=html.escape(failure.message),
        where=f"<dl>{facts}</dl>" if facts else "",
        excerpt=f'<pre class="excerpt">{rows}</pre>' if rows else "",
        traceback=f'<pre class="traceback">{html.escape(failure.traceback)}</pre>' if failure.traceback else "",
        hint=html.escape(_HINT),
    )


def _facts(failure: Failure) -> list[tuple[str, str]]:
    facts = []
    if failure.place:
        line = f", line {failure.line}" if failure.line is not None else ""
        facts.append(("file", failure.place + line))
    if failure.reference:
        facts.append(("reference", failure.reference))
    if failure.owner:
        facts.append(("needed by", failure.owner))
    return facts


def _accepts_html(scope: Any) -> bool:
    return any(name == b"accept" and b"text/html" in value.lower() for name, value in scope["headers"])


@cache
def _static(name: str) -> str:
    return resources.files("hotserve.browser").joinpath("static").joinpath(name).read_text("utf-8")


@cache
def _template(name: str) -> Template:
    return Template(_static(name))
