"""Pages for what goes wrong: what happened, what to do, and the request's id."""

from __future__ import annotations

import logging

import duckdb
from flask import Flask, g, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from detector.inbox import BadFilter
from store.lake import LakeError
from web.access import Denied
from web.pages import show

log = logging.getLogger(__name__)

REMEDIES = {
    404: ("There is nothing at this address", "It may have been moved, or the ID is spelled differently."),
    405: ("This address takes no such request", "Go back and use the form of the page."),
    429: ("Too many attempts", "Wait a minute, then try once more."),
    413: ("That was too much at once", "Send less, or use the command line."),
}


def install(app: Flask) -> None:
    """Adds the error pages to the app."""
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Denied, _denied)
    app.register_error_handler(CSRFError, _stale_form)
    app.register_error_handler(BadFilter, _bad_filter)
    app.register_error_handler(LakeError, _no_books)
    app.register_error_handler(duckdb.Error, _no_books)
    app.register_error_handler(Exception, _unexpected)


def _http(error: HTTPException) -> tuple[str, int]:
    code = error.code or 500
    title, remedy = REMEDIES.get(code, (error.name, error.description or ""))
    if code == 404 and isinstance(error.description, str) and error.description.endswith("books."):
        title, remedy = "No such record", error.description
    named = request.args.get("item") or request.args.get("sub") or request.path.rsplit("/", 1)[-1]
    guess = named[:200] if code == 404 else ""
    return show("error.html", code, title=title, remedy=remedy, guess=guess)


def _denied(error: Denied) -> tuple[str, int]:
    return show("error.html", 403, title="You may not do that", remedy=error.description, guess="")


def _stale_form(error: CSRFError) -> tuple[str, int]:
    return show(
        "error.html",
        400,
        title="This form is out of date",
        remedy="The console was restarted since the page was opened, or cookies are blocked. Reload it and try again.",
        guess="",
    )


def _bad_filter(error: BadFilter) -> tuple[str, int]:
    text = str(error)
    remedy = text[:1].upper() + text[1:] + "."
    return show("error.html", 400, title="This list cannot be shown", remedy=remedy, guess="")


def _no_books(error: Exception) -> tuple[str, int]:
    log.error("request %s: the books cannot be read: %s", g.request_id, error)
    remedy = "The signals are still there. Run `trueup doctor` to see what is wrong with the warehouse, then try again."
    return show("error.html", 503, title="The books cannot be read right now", remedy=remedy, guess="")


def _unexpected(error: Exception) -> tuple[str, int]:
    log.exception("request %s failed: %s %s", g.request_id, request.method, request.path)
    remedy = "Nothing was changed. Try again; if it stays, the log has the details under the request ID below."
    return show("error.html", 500, title="Something went wrong on our side", remedy=remedy, guess="")
