"""The store counts its signals and lists the invoices of their findings with every write; both are what is there."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, inspect, select

from detector import triage
from store import operational
from store.operational_tables import Signal
from tests.detector.signal_stories import a_finding, fold_run
from tests.store import recounted

NOW = datetime.fromisoformat("2026-03-01T00:00:00+00:00")
DAY = timedelta(days=1)


def storied(engine: Engine) -> None:
    """Two runs and what people did since: assigned, snoozed, merged, dismissed, and taken back."""
    found = [a_finding(f"il_{number}", group=f"g{number}") for number in range(1, 7)]
    fold_run(engine, NOW, found, drafts={"in_il_1": NOW + 3 * DAY})
    fold_run(engine, NOW + DAY, [*found[:5], a_finding("il_7", actual="60", group="g7")])
    with operational.writing(engine) as session:
        ana: Any = {"actor": "ana", "now": NOW + 2 * DAY}
        triage.assign(session, [1, 2, 3], "Ben", **ana)
        triage.snooze(session, [2], until=NOW + 9 * DAY, **ana)
        triage.dismiss(session, [3], "false_positive", **ana)
        triage.assign(session, [4], "Cid", actor="rule:assign-1", now=NOW + DAY)
        taken_back = triage.change_status(session, [5], "in_progress", **ana)
        triage.undo(session, taken_back.id, **ana)


def test_what_is_counted_is_what_is_there_whatever_is_done_to_signals(engine: Engine) -> None:
    storied(engine)
    with operational.writing(engine) as session:
        assert recounted.groups(session) == recounted.regrouped(session) != set()
        assert recounted.named(session) == recounted.renamed(session) != set()
        assert recounted.kept(session) == recounted.worked_out(session)
        session.get_one(Signal, 6).merged_into = 1
        session.flush()
        assert recounted.groups(session) == recounted.regrouped(session)
        session.delete(session.get_one(Signal, 7))
        session.flush()
        assert recounted.groups(session) == recounted.regrouped(session)
        assert recounted.named(session) == recounted.renamed(session)


def test_what_fails_half_way_is_not_counted(engine: Engine) -> None:
    storied(engine)
    with operational.reading(engine) as session:
        before = recounted.groups(session)
    try:
        with operational.writing(engine) as session:
            triage.assign(session, [1, 5], "Dee", actor="ana", now=NOW + 3 * DAY)
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    with operational.reading(engine) as session:
        assert recounted.groups(session) == before


def test_a_store_of_the_version_before_is_counted_when_it_is_upgraded(engine: Engine) -> None:
    storied(engine)
    with operational.reading(engine) as session:
        groups, kept, named = recounted.groups(session), recounted.kept(session), recounted.named(session)
    with engine.begin() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(operational.MIGRATIONS))
        command.downgrade(config, "0020")
        assert "found_after" not in {column["name"] for column in inspect(connection).get_columns("signals")}
    operational.migrate(engine)
    with operational.reading(engine) as session:
        assert (recounted.groups(session), recounted.kept(session)) == (groups, kept)
        assert recounted.named(session) == named
        assert session.scalars(select(Signal.acted_after).where(Signal.id == 4)).one() is None
