"""The manager's report of a month or a year: what was prevented, recovered, written off, how fast and how precise."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from flask import Blueprint, Response, request
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from detector import manager_report
from detector.inbox import BadFilter
from detector.manager_report import Report
from detector.workload import Workload, workload
from store import operational
from store.operational_tables import Signal
from web import agreed
from web.console import console, now
from web.moments import duration
from web.pages import show
from web.sheets import csv_answer

pages = Blueprint("manager_report", __name__)

LISTED = 200
"""How many signals of a number the page lists."""


@pages.get("/reports/manager")
def shown() -> tuple[str, int]:
    """The report of `period` (2026-10 or 2026; this month without one); `show` lists what stands behind a number."""
    name, report = of_address()
    listed = request.args.get("show", "")
    if listed and listed not in manager_report.KINDS:
        raise BadFilter(f"show cannot be {listed[:40]!r}; use one of {', '.join(manager_report.KINDS)}")
    return show(
        "manager_report.html",
        name=name,
        report=report,
        kinds=manager_report.KINDS,
        listed=listed,
        signals=_listed([each.id for each in report.signals[listed][:LISTED]]) if listed else (),
        took=lambda span: duration(span) if span is not None else None,
        before=_beside(report.start - timedelta(days=1), name),
        earlier=_earlier(report, name) if request.args.get("compare") else None,
        after=_beside(report.end, name) if report.end <= now() else None,
        work=work(),
        whole=f"{_year_of(report.start)}" if len(name) == 7 else f"{report.start:%Y-%m}",
    )


def _listed(ids: Sequence[int]) -> Sequence[Signal]:
    """The signals behind a number, most money first."""
    query = select(Signal).where(Signal.id.in_(ids)).options(selectinload(Signal.impacts))
    with operational.reading(console().engine) as session:
        found = session.scalars(query.order_by(Signal.rank_amount.desc(), Signal.id)).all()
        session.expunge_all()
        return found


@pages.get("/reports/manager.csv")
def sheet() -> Response:
    """The numbers of the report, a row each."""
    name, report = of_address()
    return csv_answer(f"report-{name}", manager_report.COLUMNS, manager_report.rows(report))


def of_address() -> tuple[str, Report]:
    """The period that the address names and its report. Raises BadFilter for what is neither a month nor a year."""
    name = request.args.get("period") or f"{now().astimezone(agreed.zone()):%Y-%m}"
    try:
        start, end = manager_report.span(name, agreed.zone(), agreed.year_begins())
    except ValueError as reason:
        raise BadFilter(str(reason)) from None
    with operational.reading(console().engine) as session:
        report = manager_report.report(session, start, end)
        session.expunge_all()
    return name, report


def work() -> Workload:
    """The open signals as they are now, whatever period is shown."""
    with operational.reading(console().engine) as session:
        return workload(session, now())


def _earlier(report: Report, name: str) -> Report:
    """The report of the period before, of the same length."""
    name = _beside(report.start - timedelta(days=1), name)
    start, end = manager_report.span(name, agreed.zone(), agreed.year_begins())
    with operational.reading(console().engine) as session:
        earlier = manager_report.report(session, start, end)
        session.expunge_all()
    return earlier


def _beside(day: datetime, name: str) -> str:
    """The period of the same length that holds the day."""
    return f"{_year_of(day)}" if len(name) == 4 else f"{day:%Y-%m}"


def _year_of(day: datetime) -> int:
    """The year of the reports that holds the day: that in which it begins."""
    return day.year if day.month >= agreed.year_begins() else day.year - 1
