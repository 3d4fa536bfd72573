"""The list of signals as a file: exactly the query that the inbox shows, over all its pages, in its order."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy import Engine

from detector import inbox, report, sheets
from detector.inbox import Filter
from store import operational
from web import addresses
from web.console import console, now
from web.preferences import preferences

pages = Blueprint("exports", __name__)


@pages.get("/signals.csv")
def sheet() -> Response:
    """A line per signal and currency, as `trueup signals --csv` prints it."""
    return _file(
        "csv", "text/csv; charset=utf-8", sheets.lines(report.csv_rows(_signals(console().engine, _wanted(), now())))
    )


@pages.get("/signals.json")
def document() -> Response:
    """Every signal with all its records, as `trueup signals --json` prints it."""
    return _file("json", "application/json", report.json_rows(_signals(console().engine, _wanted(), now())))


def _wanted() -> Filter:
    return addresses.read(request.args, preferences().who)


def _signals(engine: Engine, wanted: Filter, at: datetime) -> Iterator[dict[str, Any]]:
    """Read while the file is sent, when the request is over."""
    with operational.reading(engine) as session:
        yield from inbox.export(session, wanted, at)


def _file(kind: str, type: str, body: Iterator[str]) -> Response:
    name = f"signals-{now():%Y-%m-%d}.{kind}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(body, content_type=type, headers=headers)
