"""Pages for what goes wrong: what happened, what to do, and the request's id; problem details for the API."""

from __future__ import annotations

import logging

import duckdb
from flask import Flask, Response, g, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from detector.inbox import BadFilter
from store.lake import LakeError
from web.access import Denied
from web.pages import show
from web.problems import problem
from web.words import sentence

log = logging.getLogger(__name__)

Said = Response | tuple[str, int]

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


def _http(error: HTTPException) -> Said:
    code = error.code or 500
    if _is_api():
        return problem(code, error.name, error.description or "")
    title, remedy = REMEDIES.get(code, (error.name, error.description or ""))
    if code == 404 and error.description not in (None, type(error).description):
        said = error.description or ""
        title, remedy = "No such record" if said.endswith("books.") else "There is nothing here", said
    named = request.args.get("item") or request.args.get("sub") or request.path.rsplit("/", 1)[-1]
    guess = named[:200] if code == 404 and request.endpoint != "account.shown" else ""
    return _say(code, title, remedy, guess)


def _denied(error: Denied) -> Said:
    return _say(403, "You may not do that", error.description or "")


def _stale_form(error: CSRFError) -> Said:
    remedy = "The console was restarted since the page was opened, or cookies are blocked. Reload it and try again."
    return _say(400, "This form is out of date", remedy)


def _bad_filter(error: BadFilter) -> Said:
    text = str(error)
    remedy = sentence(text)
    return _say(400, "This list cannot be shown", remedy)


def _no_books(error: Exception) -> Said:
    log.error("request %s: the books cannot be read: %s", g.request_id, error)
    remedy = "The signals are still there. Run `trueup doctor` to see what is wrong with the warehouse, then try again."
    return _say(503, "The books cannot be read right now", remedy)


def _unexpected(error: Exception) -> Said:
    log.exception("request %s failed: %s %s", g.request_id, request.method, request.path)
    remedy = "Nothing was changed. Try again; if it stays, the log has the details under the request ID below."
    return _say(500, "Something went wrong on our side", remedy)


def _is_api() -> bool:
    return request.path.startswith("/api/")


def _say(status: int, title: str, remedy: str, guess: str = "") -> Said:
    """The page, or for a program, problem details. `guess`: what to offer a search for."""
    if _is_api():
        return problem(status, title, remedy)
    return show("error.html", status, title=title, remedy=remedy, guess=guess)
