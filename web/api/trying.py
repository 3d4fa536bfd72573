"""Rules tried out without keeping anything: dry runs, backtests, calibrations; asked for, looked at, cancelled."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Response
from pydantic import AwareDatetime, Field
from sqlalchemy.orm import Session

from detector import trials, versions
from detector.detail import instant
from detector.past import MOST
from store import operational
from store.operational_tables import Job
from web.api.answers import Answer, Instant
from web.api.bodies import Body, Empty
from web.api.operations import Operation, body, operation
from web.api.queries import one_of
from web.api.versioning import RuleName, Text
from web.api.working import STATES, Cancelled
from web.console import console, now
from web.preferences import preferences
from web.problems import Refused, answer

REFUSED = {404: "There is no such rule or version."}


class Trial(Answer):
    """A dry run, a backtest or a calibration: how far it is, and what came of it."""

    id: int
    rule: str
    status: Annotated[str, one_of(STATES)]
    requested_by: str
    requested_at: Instant
    finished_at: Instant | None
    done: Annotated[int | None, Field(description="Instants that were looked at, of `total`.")]
    total: int | None
    result: str | None
    answer: Annotated[
        dict[str, Any] | None, Field(description="As `trueup dry-run --json` or `rules calibrate` has it.")
    ]


class WantedDryRun(Body):
    """What to try: the rule as it runs, a version of it, or a text that is kept nowhere; as of one instant."""

    rule: RuleName
    version: Annotated[int | None, Field(ge=1, lt=2**63)] = None
    text: Text | None = None
    params: Annotated[dict[str, str], Field(default_factory=dict, max_length=100)]
    as_of: AwareDatetime | None = None


class WantedBacktest(WantedDryRun):
    """The same at every instant of its schedule (or every `step`) from `from` to `as_of`."""

    start: Annotated[AwareDatetime, Field(alias="from")]
    step: Annotated[str | None, Field(max_length=40, description="As ISO 8601: P1D.")] = None
    most: Annotated[int, Field(ge=1, le=2000, description="Instants at most, evenly spread.")] = MOST


class WantedCalibration(Body):
    """Which numeric parameter to try at several values, judged by what people made of the rule's signals."""

    rule: RuleName
    version: Annotated[int | None, Field(ge=1, lt=2**63)] = None
    text: Text | None = None
    parameter: Annotated[str, Field(min_length=1, max_length=63)]


@operation(
    "/rules/dry-run",
    Operation("Run a rule dry", "Ask a worker what a rule would raise at one instant.", Trial, 202, body=WantedDryRun,
              refuses=REFUSED),
    method="POST",
)  # fmt: skip
def dry_run() -> Response:
    """Ask for a dry run."""
    wanted: WantedDryRun = body(WantedDryRun)
    return _ask(
        trials.Wanted(wanted.rule, wanted.text, wanted.version, wanted.params, end=wanted.as_of),
    )


@operation(
    "/rules/backtest",
    Operation("Backtest a rule", "Ask a worker what a rule would have raised over a stretch of the past.", Trial, 202,
              body=WantedBacktest, refuses=REFUSED),
    method="POST",
)  # fmt: skip
def backtest() -> Response:
    """Ask for a backtest."""
    wanted: WantedBacktest = body(WantedBacktest)
    return _ask(
        trials.Wanted(
            wanted.rule, wanted.text, wanted.version, wanted.params, wanted.start, wanted.as_of, wanted.step,
            wanted.most,
        )
    )  # fmt: skip


@operation(
    "/rules/calibrate",
    Operation("Calibrate a rule", "Ask a worker what a parameter does at each value.", Trial, 202,
              body=WantedCalibration, refuses=REFUSED),
    method="POST",
)  # fmt: skip
def calibrate() -> Response:
    """Ask for a calibration."""
    wanted: WantedCalibration = body(WantedCalibration)
    return _ask(trials.Wanted(wanted.rule, wanted.text, wanted.version, parameter=wanted.parameter))


@operation("/trials/<int:number>", Operation("Show a trial", "How far a trial is, and what came of it.", Trial))
def trial(number: int) -> Response:
    """One trial."""
    with operational.reading(console().engine) as session:
        return answer(200, _trial(_found(session, number)))


@operation(
    "/trials/<int:number>/cancel",
    Operation("Cancel a trial", "Stop it; what it found so far stays, marked as partial.", Cancelled, body=Empty),
    method="POST",
)
def cancel_trial(number: int) -> Response:
    """Stop a trial."""
    body(Empty)
    with operational.writing(console().engine) as session:
        return answer(200, {"cancelled": trials.cancel(session, _found(session, number).id, now())})


def _ask(wanted: trials.Wanted) -> Response:
    try:
        with operational.writing(console().engine) as session:
            job = trials.ask(session, console().live, wanted, actor=preferences().actor, now=now())
            return answer(202, _trial(job))
    except versions.NoVersion as error:
        raise Refused(404, "No such version", str(error)) from None
    except versions.Unsound as error:
        mistakes = [{"place": f"/text line {each.line}", "message": each.message} for each in error.problems]
        raise Refused(422, "The text is no sound rule", str(error), errors=mistakes) from None
    except (ValueError, OverflowError) as error:
        raise Refused(422, "It cannot be tried", str(error)) from None


def _found(session: Session, number: int) -> Job:
    found = session.get(Job, number)
    if found is None or found.kind not in trials.KINDS:
        raise Refused(404, "No such trial", f"There is no trial {number}.")
    return found


def _trial(job: Job) -> dict[str, Any]:
    names = ("id", "status", "requested_by", "done", "total", "result", "answer")
    times = {name: instant(getattr(job, name)) for name in ("requested_at", "finished_at")}
    return {**{name: getattr(job, name) for name in names}, **times, "rule": str(job.args.get("rule", ""))}
