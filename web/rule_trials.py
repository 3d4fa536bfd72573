"""Dry runs and calibrations on a page: asked for by a form, shown as they go on, cancelled, read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from flask import Blueprint, abort, render_template, request
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from detector import trials, versions
from detector.trial_report import suggestion_text, where_text
from detector.trials import Wanted
from store import operational
from store.operational_tables import Job
from web.charts import Chart
from web.console import console, now
from web.pages import is_partial, refused, show
from web.preferences import preferences
from web.trial_charts import calibration_chart
from web.words import KINDS

pages = Blueprint("rule_trials", __name__)

GOING = ("queued", "running", "cancelling")
SHOWN = 100
"""Signals that a page lists; the sums are of all."""

RANGES = {"7": timedelta(days=7), "30": timedelta(days=30), "90": timedelta(days=90)}
"""Ranges up to the present that the form offers; any other is told by two instants."""


@dataclass(frozen=True)
class View:
    """A trial as a page shows it: the job, its answer, and what is worked out from that for the eye."""

    job: Job
    told: Mapping[str, Any] | None
    sums: Sequence[tuple[str, Sequence[tuple[str, Decimal]]]]
    where: str
    chart: Chart | None
    suggestion: str

    @property
    def is_going(self) -> bool:
        """Whether a worker still has to do something about it."""
        return self.job.status in GOING


@pages.get("/rules/<name>/trials/<int:number>")
def shown(name: str, number: int) -> tuple[str, int]:
    """One trial: the panel for a page that waits for it, or a page of its own."""
    found = view(_job(name, number))
    if is_partial():
        panel = render_template("parts/trial.html", trial=found, name=name)
        return panel + ("" if found.is_going else _ready(name, found.job)), 200
    return show("trial.html", trial=found, name=name)


@pages.post("/rules/<name>/trials/<int:number>/cancel")
def cancel(name: str, number: int) -> Response | tuple[str, int]:
    """Stop a trial; what it found so far stays, marked as partial."""
    _job(name, number)
    with operational.writing(console().engine) as session:
        stopped = trials.cancel(session, number, now())
    if not stopped and not is_partial():
        return refused("It was over already.", to=f"/rules/{name}/trials/{number}")
    return shown(name, number)


def _ready(name: str, job: Job) -> str:
    """What the editor says of the text that was tried, brought up to date; nothing on other pages."""
    if not request.headers.get("HX-Current-URL", "").partition("?")[0].endswith("/edit") or job.about is None:
        return ""
    with operational.reading(console().engine) as session:
        listed = versions.listed(session, name)
        known: dict[str, Any] = {
            "version": next((each for each in listed if each.content_hash == job.about), None),
            "live": next((each for each in listed if each.live), None),
            "tried": versions.tried(session, job.about),
        }
        parts = ("parts/rule_checks.html", "parts/rule_ready.html")
        return "".join(render_template(part, name=name, sound=True, oob=True, **known) for part in parts)


def ask(wanted: Wanted) -> Job:
    """Ask a worker for a trial. Raises ValueError, in words for the page, for what cannot be tried."""
    with operational.writing(console().engine) as session:
        try:
            return trials.ask(session, console().live, wanted, actor=preferences().actor, now=now())
        except LookupError as error:
            raise ValueError(str(error)) from None


def wanted(
    rule: str, form: MultiDict[str, str], *, text: str | None = None, params: Mapping[str, str] | None = None
) -> Wanted:
    """What a form asks for. Raises ValueError for an instant that is none."""
    chosen = form.get("range", "")
    start = now() - RANGES[chosen] if chosen in RANGES else instant(form.get("from", ""))
    end = None if chosen in RANGES else instant(form.get("to", ""))
    return Wanted(
        rule=rule,
        text=text,
        params=params or {},
        start=None if chosen == "now" else start,
        end=None if chosen == "now" else end,
        step=form.get("step", "").strip() or None,
    )


def calibration(wanted: Wanted, parameter: str) -> Wanted:
    """The same, for the curve of a parameter."""
    return replace(wanted, parameter=parameter, start=None, step=None)


def instant(text: str) -> datetime | None:
    """The instant that a form names, in UTC; None when it names none. Raises ValueError."""
    if not text.strip():
        return None
    try:
        return datetime.fromisoformat(text.strip()).replace(tzinfo=UTC)
    except ValueError:
        raise ValueError(f"{text[:40]!r} is no date and time; write for example 2026-11-01T06:00") from None


def view(job: Job) -> View:
    """The trial for the eye."""
    told = job.answer
    if told is None:
        return View(job, None, (), "", None, "")
    if "values" in told:
        return View(job, told, (), where_text(told), calibration_chart(told), suggestion_text(told))
    return View(job, told, sums(told["impact"]), where_text(told), None, "")


def sums(impacts: Sequence[Mapping[str, str]]) -> list[tuple[str, Sequence[tuple[str, Decimal]]]]:
    """The money of an answer by kind and currency, each currency for itself."""
    found: list[tuple[str, Sequence[tuple[str, Decimal]]]] = []
    for kind, title in KINDS:
        amounts = [(money["currency"], Decimal(money[kind])) for money in impacts if Decimal(money[kind])]
        if amounts:
            heavy = sorted(amounts, key=lambda pair: console().weight(*pair), reverse=True)
            found.append((title.capitalize(), heavy))
    return found


def _job(name: str, number: int) -> Job:
    with operational.reading(console().engine) as session:
        job = session.get(Job, number)
        if job is None or job.kind not in trials.KINDS or job.args.get("rule") != name:
            abort(404, description=f"There is no dry run {number} of {name[:60]}.")
        return job
