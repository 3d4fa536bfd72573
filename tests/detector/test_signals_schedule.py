"""When rules are due, what a missed slot becomes, and that what a page asked for is done once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from detector import cron, requests
from detector.claims import Wanted, claim
from detector.rule_format import Schedule
from detector.schedule import Slot, due, instants, latest, pause, resume, slot_due
from store import operational
from store.operational_tables import Job, RuleOverride, Run

NOW = datetime(2026, 11, 3, 14, 30, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "start", "end", "times"),
    [
        ({"daily": "02:30"}, "2026-03-28T12:00", "2026-03-30T12:00", ["2026-03-29T01:30", "2026-03-30T00:30"]),
        ({"daily": "02:30"}, "2026-10-24T12:00", "2026-10-26T12:00", ["2026-10-25T00:30", "2026-10-26T01:30"]),
        ({"cron": "30 2 * * *"}, "2026-03-28T12:00", "2026-03-30T12:00", ["2026-03-29T01:30", "2026-03-30T00:30"]),
        ({"cron": "30 2 * * *"}, "2026-10-24T12:00", "2026-10-26T12:00", ["2026-10-25T00:30", "2026-10-26T01:30"]),
        ({"cron": "0 * * * *"}, "2026-10-24T23:30", "2026-10-25T03:00",
         ["2026-10-25T00:00", "2026-10-25T01:00", "2026-10-25T02:00", "2026-10-25T03:00"]),
        ({"cron": "0 * * * *"}, "2026-03-28T23:30", "2026-03-29T02:00",
         ["2026-03-29T00:00", "2026-03-29T01:00", "2026-03-29T02:00"]),
        ({"hourly": 0}, "2026-03-28T23:30", "2026-03-29T02:00",
         ["2026-03-29T00:00", "2026-03-29T01:00", "2026-03-29T02:00"]),
        ({"every": "P1D"}, "2026-03-28T12:00", "2026-03-30T12:00", ["2026-03-29T11:00", "2026-03-30T11:00"]),
    ],
)  # fmt: skip
def test_no_slot_is_lost_or_doubled_when_the_clock_changes(
    schedule: dict[str, object], start: str, end: str, times: list[str]
) -> None:
    berlin = Schedule.model_validate({**schedule, "timezone": "Europe/Berlin"})
    assert list(instants(berlin, at(start), at(end))) == [at(time) for time in times]


@pytest.mark.parametrize(
    ("schedule", "now", "fired"),
    [
        ({"hourly": 5}, "2026-11-03T14:30", "2026-11-03T14:05"),
        ({"hourly": 45}, "2026-11-03T14:30", "2026-11-03T13:45"),
        ({"hourly": 30}, "2026-11-03T14:30", "2026-11-03T14:30"),
        ({"hourly": 45}, "2026-11-03T00:30", "2026-11-02T23:45"),
        ({"daily": "06:00"}, "2026-11-03T14:30", "2026-11-03T06:00"),
        ({"daily": "15:00"}, "2026-11-03T14:30", "2026-11-02T15:00"),
        ({"daily": "06:00", "timezone": "America/New_York"}, "2026-11-03T10:59", "2026-11-02T11:00"),
        ({"daily": "06:00", "timezone": "America/New_York"}, "2026-11-03T11:00", "2026-11-03T11:00"),
        ({"daily": "06:00", "timezone": "America/New_York"}, "2026-10-31T12:00", "2026-10-31T10:00"),
        ({"daily": "02:30", "timezone": "Europe/Berlin"}, "2026-10-25T05:00", "2026-10-25T00:30"),
        ({"daily": "23:30", "timezone": "Pacific/Auckland"}, "2026-11-03T14:30", "2026-11-03T10:30"),
        ({"cron": "0 6 * * 1"}, "2026-11-04T14:30", "2026-11-02T06:00"),
        ({"cron": "0 6 * * 0"}, "2026-11-04T14:30", "2026-11-01T06:00"),
        ({"cron": "0 6 * * 7"}, "2026-11-04T14:30", "2026-11-01T06:00"),
        ({"cron": "0 6 * * 1-5"}, "2026-11-01T14:30", "2026-10-30T06:00"),
        ({"cron": "0 6 * * fri-sun"}, "2026-11-05T14:30", "2026-11-01T06:00"),
        ({"cron": "0 6 15 * 1"}, "2026-11-20T14:30", "2026-11-16T06:00"),
        ({"cron": "0 6 18 * 1"}, "2026-11-20T14:30", "2026-11-18T06:00"),
        ({"cron": "0 6 29 2 *"}, "2026-11-20T14:30", "2024-02-29T06:00"),
        ({"cron": "*/15 * * * *"}, "2026-11-03T14:44", "2026-11-03T14:30"),
        ({"cron": "0 3 1 * *"}, "2026-11-30T14:30", "2026-11-01T03:00"),
        ({"cron": "0 3 1 1 *"}, "2026-11-30T14:30", "2026-01-01T03:00"),
        ({"cron": "0 0 * * *", "timezone": "Asia/Tokyo"}, "2026-11-03T14:30", "2026-11-02T15:00"),
    ],
)
def test_a_schedule_fired_last_when_its_clock_said_so(schedule: dict[str, object], now: str, fired: str) -> None:
    assert latest(Schedule.model_validate(schedule), at(now)) == at(fired)


@pytest.mark.parametrize("expression", ["0 6 * *", "61 * * * *", "0 6 * * 8", "0 6 * * mo", "nonsense"])
def test_what_is_no_cron_expression_is_refused_when_it_is_read(expression: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        cron.parse(expression)


def test_a_rule_that_ran_since_its_slot_is_not_due() -> None:
    hourly = Schedule(hourly=5)
    assert slot_due(hourly, 7, at("2026-11-03T14:05"), NOW) is None
    assert slot_due(hourly, 7, at("2026-11-03T14:20"), NOW) is None
    assert slot_due(hourly, 7, at("2026-11-03T14:04"), NOW) == Slot("2026-11-03T14:05:00Z")
    assert slot_due(hourly, 0, None, NOW) == Slot("2026-11-03T14:05:00Z")


def test_a_week_of_missed_slots_is_one_catch_up() -> None:
    since = at("2026-10-27T15:05")
    assert slot_due(Schedule(hourly=5), 7, NOW - timedelta(days=7), NOW) == Slot("2026-11-03T14:05:00Z", 167, since)


def test_an_interval_counts_from_the_last_start() -> None:
    every = Schedule.model_validate({"every": "PT60M"})
    assert slot_due(every, 0, None, NOW) == Slot("every/0")
    assert slot_due(every, 7, NOW - timedelta(minutes=59), NOW) is None
    assert slot_due(every, 7, NOW - timedelta(minutes=60), NOW) == Slot("every/7")
    assert slot_due(every, 7, NOW - timedelta(hours=9), NOW) == Slot("every/7", 8, NOW - timedelta(hours=8))


def test_a_rule_that_runs_on_events_only_is_never_due_by_the_clock() -> None:
    assert slot_due(Schedule.model_validate({"on": "invoice.draft"}), 0, None, NOW) is None


@given(
    minutes=st.integers(0, 60 * 24 * 400),
    schedule=st.sampled_from(
        [
            {"hourly": 17},
            {"daily": "02:30", "timezone": "America/New_York"},
            {"cron": "30 2 * * *", "timezone": "Europe/Berlin"},
        ]
    ),
)
def test_the_latest_slot_is_never_ahead_and_never_older_than_the_rhythm(
    minutes: int, schedule: dict[str, object]
) -> None:
    now = at("2026-01-01T00:00") + timedelta(minutes=minutes)
    fired = latest(Schedule.model_validate(schedule), now)
    assert fired is not None
    assert timedelta(0) <= now - fired <= timedelta(hours=1 if "hourly" in schedule else 25)
    assert latest(Schedule.model_validate(schedule), fired) == fired


class Scheduled:
    """A rule's name and schedule, which is all that being due depends on."""

    def __init__(self, name: str, **schedule: object) -> None:
        self.name = name
        self.schedule = Schedule.model_validate(schedule)


def ran(engine: Engine, rule: str, started_at: datetime) -> None:
    with operational.writing(engine) as session:
        values = {"rule_hash": "h", "trigger": "manual", "status": "ok", "claimed_by": "x"}
        times = {"as_of": started_at, "lease_until": started_at, "started_at": started_at}
        session.add(Run(rule=rule, slot=f"{started_at}", **values, **times))


def test_due_is_what_the_runs_say_whoever_ran_them_and_paused_rules_are_not(engine: Engine) -> None:
    rules = [Scheduled("a", hourly=0), Scheduled("b", hourly=0), Scheduled("c", hourly=0), Scheduled("d", hourly=0)]
    ran(engine, "a", NOW - timedelta(minutes=10))
    ran(engine, "b", NOW - timedelta(hours=3))
    with operational.writing(engine) as session:
        for rule, until in (("c", None), ("d", NOW - timedelta(minutes=1))):
            paused = RuleOverride(rule=rule, state="paused", paused_until=until, changed_by="ana", changed_at=NOW)
            session.add(paused)
    with operational.reading(engine) as session:
        slots = due(session, rules, NOW)  # type: ignore[arg-type]
    assert slots == {"b": Slot("2026-11-03T14:00:00Z", 2, at("2026-11-03T12:00")), "d": Slot("2026-11-03T14:00:00Z")}


def test_a_slot_whose_process_was_killed_is_due_again_and_not_forgotten(engine: Engine) -> None:
    ran(engine, "a", NOW - timedelta(hours=2))
    wanted = Wanted("a", "h", "2026-11-03T14:00:00Z", "schedule", NOW - timedelta(minutes=20), 1, "far/away/1/1")
    with operational.writing(engine) as session:
        claim(session, wanted, NOW - timedelta(minutes=20))
    with operational.reading(engine) as session:
        slots = due(session, [Scheduled("a", hourly=0)], NOW)  # type: ignore[list-item]
    assert slots == {"a": Slot("2026-11-03T14:00:00Z", 1, at("2026-11-03T13:00"))}
    with operational.writing(engine) as session:
        taken = claim(session, replace(wanted, worker="near/by/2/2", missed=1, missed_from=at("2026-11-03T13:00")), NOW)
        assert isinstance(taken, Run)
        assert (taken.reason, taken.missed, taken.claimed_by) == ("taken_over", 1, "near/by/2/2")


def test_looking_back_by_hand_is_not_the_run_that_is_due(engine: Engine) -> None:
    ran(engine, "a", NOW - timedelta(hours=1))
    with operational.writing(engine) as session:
        run = session.scalars(select(Run)).one()
        run.started_at = NOW
    with operational.reading(engine) as session:
        slots = due(session, [Scheduled("a", hourly=0)], NOW)  # type: ignore[list-item]
    assert slots == {"a": Slot("2026-11-03T14:00:00Z")}


def test_a_paused_rule_waits_until_it_is_resumed_and_then_catches_up_once(engine: Engine) -> None:
    ran(engine, "a", NOW - timedelta(hours=3))
    with operational.writing(engine) as session:
        pause(session, "a", NOW + timedelta(hours=1), actor="ana", now=NOW)
    rules = [Scheduled("a", hourly=0)]
    with operational.reading(engine) as session:
        assert due(session, rules, NOW) == {}  # type: ignore[arg-type]
        later = due(session, rules, NOW + timedelta(hours=1))  # type: ignore[arg-type]
    assert later == {"a": Slot("2026-11-03T15:00:00Z", 3, at("2026-11-03T12:00"))}
    with operational.writing(engine) as session:
        resume(session, "a", actor="ana", now=NOW)
    with operational.reading(engine) as session:
        assert list(due(session, rules, NOW)) == ["a"]  # type: ignore[arg-type]


def asked(engine: Engine, kind: str = "run", **args: object) -> int:
    with operational.writing(engine) as session:
        return requests.request(session, kind, args, actor="ana", now=NOW).id


def jobs(engine: Engine) -> list[tuple[str, str | None]]:
    with operational.reading(engine) as session:
        return [(job.status, job.result) for job in session.scalars(select(Job).order_by(Job.id))]


def work(engine: Engine, done: list[object], worker: str = "w", now: datetime = NOW) -> Job | None:
    def run(args: object) -> str:
        done.append(args)
        return "3 signals"

    return requests.work(engine, {"run": run, "sync": run}, worker=worker, clock=lambda: now)


def test_what_a_page_asked_for_is_done_once_and_in_order(engine: Engine) -> None:
    asked(engine, rules=["a"])
    asked(engine, rules=["b"])
    done: list[object] = []
    while work(engine, done):
        pass
    assert done == [{"rules": ["a"]}, {"rules": ["b"]}]
    assert jobs(engine) == [("ok", "3 signals"), ("ok", "3 signals")]


def test_asking_twice_while_it_waits_is_one_job(engine: Engine) -> None:
    assert asked(engine, rules=["a"]) == asked(engine, rules=["a"])
    work(engine, [])
    assert asked(engine, rules=["a"]) == 2


def test_a_job_that_fails_says_why_to_who_asked(engine: Engine) -> None:
    asked(engine, "sync")

    def fail(args: object) -> str:
        raise RuntimeError("no key is configured")

    requests.work(engine, {"sync": fail}, worker="w", clock=lambda: NOW)
    assert jobs(engine) == [("failed", "no key is configured")]


def test_a_job_whose_worker_went_away_is_done_by_another(engine: Engine) -> None:
    asked(engine)
    with operational.writing(engine) as session:
        job = session.scalars(select(Job)).one()
        job.status, job.claimed_by, job.lease_until = "running", "far/away/1/1", NOW + requests.LEASE
    done: list[object] = []
    assert work(engine, done) is None
    assert work(engine, done, now=NOW + requests.LEASE) is not None
    assert done == [{}]


def test_what_comes_in_while_it_waits_is_told_once(engine: Engine) -> None:
    with operational.writing(engine) as session:
        for snapshot in (7, 8):
            requests.tell(session, "invoice.draft", "stripe", snapshot, now=NOW)
        requests.tell(session, "integration.synced", "stripe", 8, now=NOW)
    done: list[object] = []

    def react(args: object) -> str:
        done.append(args)
        return "ok"

    requests.work(engine, {"event": react}, worker="w", clock=lambda: NOW)
    assert done == [{"event": "invoice.draft", "integration": "stripe", "snapshot": 8}]


def test_a_job_that_cannot_be_done_yet_keeps_its_place(engine: Engine) -> None:
    asked(engine, rules=["a"])

    def not_yet(args: object) -> str:
        raise requests.NotYet

    assert requests.work(engine, {"run": not_yet}, worker="w", clock=lambda: NOW) is None
    assert jobs(engine) == [("queued", None)]


def test_what_still_waits_can_be_taken_back(engine: Engine) -> None:
    number = asked(engine, rules=["a"])
    with operational.writing(engine) as session:
        assert requests.cancel(session, number, actor="ana", now=NOW)
        assert not requests.cancel(session, number, actor="ana", now=NOW)
    assert jobs(engine) == [("failed", "cancelled by ana")]


def test_a_job_of_another_kind_is_refused(engine: Engine) -> None:
    with pytest.raises(ValueError, match="use one of run, sync, test, event, advise, ask"):
        asked(engine, "format the disk")
