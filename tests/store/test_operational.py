"""The operational store keeps what it is given, exactly, on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, func, select, text
from sqlalchemy.exc import IntegrityError, StatementError

from store import operational
from store.operational_tables import Load, Run, Signal, SignalImpact, Table

NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)


def a_run(slot: str = "slot", rule: str = "wrong_tier_mode") -> Run:
    return Run(
        rule=rule,
        rule_hash="h",
        trigger="manual",
        slot=slot,
        as_of=NOW,
        status="running",
        claimed_by="me",
        lease_until=NOW,
        started_at=NOW,
    )


def a_signal(run: Run, fingerprint: str = "f", status: str = "unhandled", **values: object) -> Signal:
    given = {
        "rule": run.rule,
        "rule_hash": "h",
        "code": "TU-19",
        "title": "Tier mode",
        "severity": "critical",
        "category": "pricing",
        "confidence": "exact",
        "gate": "hold",
        "integration": "stripe",
        "cause_type": "price",
        "cause_id": "price_1",
        "group_key": "",
        "status_at": NOW,
        "priority": "P1",
        "first_seen": NOW,
        "last_seen": NOW,
        "first_run_id": run.id,
        "last_run_id": run.id,
        "digest": "d",
        "under": Decimal("12.5"),
        "over": Decimal(0),
        "exposure": Decimal(0),
        "rank_amount": Decimal("12.5"),
    }
    return Signal(fingerprint=fingerprint, status=status, **{**given, **values})


def test_a_store_is_made_by_its_migrations_and_by_nothing_else(engine: Engine) -> None:
    with engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True, "include_name": _is_of_the_tables}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Table.metadata) == []


def _is_of_the_tables(name: str | None, kind: str, *_: object) -> bool:
    """All but what the store counts by triggers or a view: tests/store/test_signal_groups.py."""
    return (kind, name) != ("table", "signal_groups")


def test_the_code_names_the_newest_migration_as_its_schema_version() -> None:
    assert ScriptDirectory(str(operational.MIGRATIONS)).get_current_head() == operational.HEAD


def test_migrating_again_changes_nothing(engine: Engine) -> None:
    assert operational.migrate(engine) == operational.HEAD
    assert operational.schema_version(engine) == operational.HEAD


def test_several_processes_may_migrate_the_same_empty_store(store_url: str) -> None:
    engines = [operational.open(store_url) for _ in range(4)]
    threads = [threading.Thread(target=operational.migrate, args=[engine]) for engine in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [operational.schema_version(engine) for engine in engines] == [operational.HEAD] * 4
    for engine in engines:
        engine.dispose()


def test_an_empty_store_has_no_schema_version(store_url: str) -> None:
    opened = operational.open(store_url)
    assert operational.schema_version(opened) is None
    opened.dispose()


@pytest.mark.parametrize("amount", ["0.0001", "-0.0001", "99999999999999.9999", "0.1", "-12.34"])
def test_money_comes_back_as_it_went_in_and_sums_exactly(engine: Engine, amount: str) -> None:
    with operational.writing(engine) as session:
        run = a_run()
        session.add(run)
        session.flush()
        signal = a_signal(run)
        session.add(signal)
        session.flush()
        for currency in ("EUR", "USD", "JPY"):
            session.add(
                SignalImpact(
                    signal_id=signal.id,
                    currency=currency,
                    under=Decimal(amount),
                    over=Decimal(0),
                    exposure=Decimal(0),
                )
            )
    with operational.reading(engine) as session:
        assert session.scalars(select(SignalImpact.under)).all() == [Decimal(amount)] * 3
        assert session.scalar(select(func.sum(SignalImpact.under))) == Decimal(amount) * 3


@pytest.mark.parametrize("amount", [1.5, "1.5"])
def test_money_that_is_no_decimal_is_refused(engine: Engine, amount: object) -> None:
    with pytest.raises(StatementError, match="money must be a Decimal"), operational.writing(engine) as session:
        session.execute(select(Signal).where(Signal.rank_amount == amount))


def test_money_with_more_digits_than_are_kept_is_refused_rather_than_rounded(engine: Engine) -> None:
    with pytest.raises(StatementError, match="at most 4 digits"), operational.writing(engine) as session:
        session.execute(select(Signal).where(Signal.rank_amount == Decimal("0.00001")))


def test_an_instant_comes_back_in_utc_whatever_its_timezone_was(engine: Engine) -> None:
    tokyo = NOW.astimezone(timezone(timedelta(hours=9)))
    with operational.writing(engine) as session:
        session.add(Load(kind="import", integration="files", started_at=tokyo, status="ok"))
    with operational.reading(engine) as session:
        started = session.scalar(select(Load.started_at))
    assert started == NOW
    assert started is not None
    assert started.tzinfo is UTC


def test_an_instant_without_a_timezone_is_refused(engine: Engine) -> None:
    with pytest.raises(StatementError, match="needs a timezone"), operational.writing(engine) as session:
        session.add(Load(kind="import", integration="files", started_at=NOW.replace(tzinfo=None), status="ok"))


def test_one_rule_has_one_run_per_slot(engine: Engine) -> None:
    with operational.writing(engine) as session:
        session.add(a_run("2026-03-01T12:00"))
    with pytest.raises(IntegrityError), operational.writing(engine) as session:
        session.add(a_run("2026-03-01T12:00"))


def test_one_defect_has_one_live_signal_and_any_number_of_ended_ones(engine: Engine) -> None:
    with operational.writing(engine) as session:
        run = a_run()
        session.add(run)
        session.flush()
        session.add_all(a_signal(run, status=status) for status in ("resolved", "false_positive", "triaged"))
    with pytest.raises(IntegrityError), operational.writing(engine) as session:
        session.add(a_signal(session.scalars(select(Run)).one(), status="suppressed"))


def test_a_signal_of_a_run_that_does_not_exist_is_refused(engine: Engine) -> None:
    run = a_run()
    run.id = 4711
    with pytest.raises(IntegrityError), operational.writing(engine) as session:
        session.add(a_signal(run))


def test_what_fails_half_way_leaves_nothing(engine: Engine) -> None:
    with pytest.raises(RuntimeError), operational.writing(engine) as session:
        session.add(a_run())
        session.flush()
        raise RuntimeError("pulled the plug")
    with operational.reading(engine) as session:
        assert session.scalar(select(func.count()).select_from(Run)) == 0


def test_what_a_reader_changes_is_dropped(engine: Engine) -> None:
    with operational.writing(engine) as session:
        session.add(a_run())
    with operational.reading(engine) as session:
        session.scalars(select(Run)).one().status = "failed"
    with operational.reading(engine) as session:
        assert session.scalars(select(Run.status)).one() == "running"


def test_a_reader_does_not_wait_for_a_writer_and_sees_one_state(engine: Engine) -> None:
    with operational.reading(engine) as reader:
        assert reader.scalar(select(func.count()).select_from(Run)) == 0
        with operational.writing(engine) as writer:
            writer.add(a_run())
            writer.flush()
            assert reader.scalar(select(func.count()).select_from(Run)) == 0


def test_many_writers_at_once_wait_for_each_other(engine: Engine) -> None:
    with operational.writing(engine) as session:
        session.add(a_run("0"))

    def count() -> None:
        for _ in range(10):
            with operational.writing(engine) as session:
                run = session.scalars(select(Run).with_for_update()).one()
                run.slot = str(int(run.slot) + 1)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with operational.reading(engine) as session:
        assert session.scalars(select(Run.slot)).one() == "40"


def test_a_folder_that_is_missing_is_made(tmp_path: Path) -> None:
    opened = operational.open(f"sqlite:///{tmp_path}/not/yet/there.sqlite")
    operational.migrate(opened)
    with opened.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
    opened.dispose()
