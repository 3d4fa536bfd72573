"""How a page is answered: whole for a browser, its own part for htmx, compressed, never kept by caches."""

from __future__ import annotations

import gzip
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, flash, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

DONE = "done"
"""The category of a notice that has nothing to undo; any other category but `error` is the change to undo."""

OF_PAGES = ("Content-Security-Policy", "Permissions-Policy", "X-Frame-Options", "Set-Cookie")
"""Headers that mean nothing on a script, a style or a font, which would carry them five times per visit."""

LEAST = 500
"""Bytes below which compressing is not worth it."""


def show(template: str, status: int = 200, **values: Any) -> tuple[str, int]:
    """The page: with bar and scripts, or only its own part when htmx asked for it (same address, same content)."""
    return render_template(template, layout="fragment.html" if is_partial() else "base.html", **values), status


def is_partial() -> bool:
    """Whether htmx asked for a part. A page that it restores from history is whole."""
    return request.headers.get("HX-Request") == "true" and "HX-History-Restore-Request" not in request.headers


def here() -> str:
    """The address of this page with its whole state; after a change, the address that the change came from."""
    return back() if request.method == "POST" else request.full_path.rstrip("?")


def back(default: str = "/signals") -> str:
    """Where the form came from, as long as that is one of our own pages."""
    wanted = request.form.get("back", "")
    return wanted if is_own(wanted) else default


def is_own(address: str) -> bool:
    """Whether an address is a path of the console: no other site, in none of the ways to write one."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    plain = address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable()
    return plain and not parts.netloc and not parts.scheme


def done(text: str, change: str | None = None, *, to: str | None = None) -> AnyResponse:
    """Back to the page the form came from, with a notice and, where there is a change, its undo."""
    flash(text, change or DONE)
    return redirect(to or back(), 303)


def refused(text: str, *, to: str | None = None) -> AnyResponse:
    """Back to the page the form came from, saying what could not be done and why."""
    flash(text, "error")
    return redirect(to or back(), 303)


def finish(answer: Response) -> Response:
    """Headers every answer needs, and compression where the browser takes it."""
    if request.endpoint == "asset":
        for name in OF_PAGES:
            answer.headers.pop(name, None)
        return answer
    if is_partial() and not request.path.startswith("/api/"):  # it becomes part of a page, whose own policy holds
        for name in ("Content-Security-Policy", "Permissions-Policy", "X-Frame-Options"):
            answer.headers.pop(name, None)
    answer.headers.setdefault("Cache-Control", "private, no-cache")
    answer.vary.update(("HX-Request", "Accept-Encoding", "Cookie"))
    packable = (answer.mimetype or "").startswith("text/")
    if (
        packable
        and request.accept_encodings.quality("gzip")
        and not answer.direct_passthrough
        and not answer.is_streamed
    ):
        body = answer.get_data()
        if len(body) > LEAST:
            answer.set_data(gzip.compress(body, 6, mtime=0))
            answer.headers["Content-Encoding"] = "gzip"
    return answer


def install(app: Flask) -> None:
    """Adds the answers' last step to the app and `here()` to its templates."""
    app.after_request(finish)
    app.jinja_env.globals["here"] = here
