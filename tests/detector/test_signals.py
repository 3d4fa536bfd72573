"""What people see happen to signals as rules run again and again, on SQLite and on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Engine, event, func, select

from detector import triage
from detector.decisions import Policy
from detector.findings import EntityType, Reference
from store import operational
from store.operational_tables import Signal, SignalEvent, SignalImpact, SignalPoint
from tests.detector.signal_stories import (
    TIER_MODE,
    a_finding,
    day,
    findings,
    fold_run,
    only_signal,
    reasons,
    records,
    signals,
    timeline,
)


def impacts(engine: Engine) -> dict[str, tuple[Decimal, Decimal, Decimal]]:
    with operational.reading(engine) as session:
        rows = session.scalars(select(SignalImpact))
        return {row.currency: (row.under, row.over, row.exposure) for row in rows}


def test_findings_with_one_cause_are_one_signal(engine: Engine) -> None:
    found = [a_finding("il_1"), a_finding("il_2", customer="c_2"), a_finding("il_3", customer="c_3")]
    assert reasons(fold_run(engine, day(0), found)) == ["opened"]
    signal = only_signal(engine)
    assert (signal.status, signal.priority, signal.cause) == ("unhandled", "P1", "price:price_1")
    assert (signal.finding_count, signal.customer_count) == (3, 3)
    assert signal.title.endswith("and 2 more")
    assert impacts(engine) == {"USD": (Decimal(60), Decimal(0), Decimal(0))}


def test_findings_with_two_causes_two_groups_or_two_sources_are_two_signals(engine: Engine) -> None:
    first = a_finding()
    other_cause = replace(first, cause=Reference(EntityType.PRICE, "price_2"))
    other_group = replace(first, group="2026-02")
    other_source = replace(first, integration="chargebee")
    decided = fold_run(engine, day(0), [first, other_cause, other_group, other_source])
    assert reasons(decided) == ["opened"] * 4


def test_money_is_summed_per_currency_and_never_netted(engine: Engine) -> None:
    fold_run(
        engine,
        day(0),
        [
            a_finding("il_1", expected="120", actual="100"),
            a_finding("il_2", expected="100", actual="130"),
            a_finding("il_3", expected="0.001", actual="0", currency="KWD"),
            a_finding("il_4", currency="JPY", expected="5", actual="0", exposure=Decimal(7)),
        ],
    )
    assert impacts(engine) == {
        "JPY": (Decimal(5), Decimal(0), Decimal(7)),
        "KWD": (Decimal("0.001"), Decimal(0), Decimal(0)),
        "USD": (Decimal(20), Decimal(30), Decimal(0)),
    }


def test_the_inbox_ranks_by_money_in_every_currency_at_the_ranking_rates(engine: Engine) -> None:
    fold_run(engine, day(0), [a_finding("il_1"), a_finding("il_2", currency="JPY", expected="1000", actual="0")])
    assert only_signal(engine).rank_amount == Decimal("26.5")


def test_a_run_on_unchanged_data_writes_when_it_was_seen_and_nothing_else(engine: Engine) -> None:
    found = [a_finding("il_1"), a_finding("il_2")]
    fold_run(engine, day(0), found)
    before = only_signal(engine), records(engine, 1), findings(engine, 1), timeline(engine, 1), impacts(engine)
    written: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *args: written.append(args[2]))

    assert reasons(fold_run(engine, day(1), list(reversed(found)))) == ["unchanged"]

    signal = only_signal(engine)
    assert signal.last_seen == day(1)
    assert signal.occurrences == 1
    names = [column.name for column in Signal.__table__.columns]
    changed = {name for name in names if getattr(signal, name) != getattr(before[0], name)}
    assert changed == {"last_seen", "last_run_id"}
    assert [row.gone_since for row in records(engine, 1).values()] == [None] * len(before[1])
    assert timeline(engine, 1) == before[3]
    writes = [sql.split()[:3] for sql in written if sql.split()[0] in ("INSERT", "UPDATE", "DELETE")]
    assert writes == [["INSERT", "INTO", "runs"], ["UPDATE", "signals", "SET"]]


def test_a_new_subject_widens_the_signal_and_is_listed_with_all_its_records(engine: Engine) -> None:
    fold_run(engine, day(0), [a_finding("il_1")])
    assert reasons(fold_run(engine, day(1), [a_finding("il_1"), a_finding("il_2", customer="c_2")])) == ["widened"]
    signal = only_signal(engine)
    assert (signal.first_seen, signal.last_seen, signal.occurrences) == (day(0), day(1), 2)
    assert ("invoice_line", "il_2") in records(engine, 1)
    assert ("customer", "c_2") in records(engine, 1)
    assert impacts(engine) == {"USD": (Decimal(40), Decimal(0), Decimal(0))}
    assert timeline(engine, 1) == ["opened", "widened"]


def test_a_subject_that_is_mended_stays_listed_and_its_money_goes(engine: Engine) -> None:
    fold_run(engine, day(0), [a_finding("il_1"), a_finding("il_2", customer="c_2")])
    assert reasons(fold_run(engine, day(1), [a_finding("il_1")])) == ["narrowed"]
    assert records(engine, 1)["invoice_line", "il_2"].gone_since == day(0)
    assert records(engine, 1)["price", "price_1"].gone_since is None
    assert findings(engine, 1)["il_2"].gone_since == day(0)
    assert only_signal(engine).entity_count == 4
    assert impacts(engine) == {"USD": (Decimal(20), Decimal(0), Decimal(0))}
    fold_run(engine, day(2), [a_finding("il_1"), a_finding("il_2", customer="c_2")])
    assert records(engine, 1)["invoice_line", "il_2"].gone_since is None


def test_other_amounts_on_the_same_subject_change_the_signal(engine: Engine) -> None:
    fold_run(engine, day(0), [a_finding("il_1")])
    assert reasons(fold_run(engine, day(1), [a_finding("il_1", actual="70")])) == ["changed"]
    assert records(engine, 1)["invoice_line", "il_1"].actual == Decimal(70)
    assert impacts(engine) == {"USD": (Decimal(50), Decimal(0), Decimal(0))}
    with operational.reading(engine) as session:
        points = session.scalars(select(SignalPoint.rank_amount).order_by(SignalPoint.run_id)).all()
    assert points == [Decimal(20), Decimal(50)]


def test_money_that_grows_from_run_to_run_is_one_line_of_the_timeline(engine: Engine) -> None:
    for number, actual in enumerate(("100", "90", "80", "70")):
        fold_run(engine, day(number), [a_finding("il_1", actual=actual)])
    assert timeline(engine, 1) == ["opened", "changed"]
    with operational.reading(engine) as session:
        changed = session.scalars(select(SignalEvent).where(SignalEvent.reason == "changed")).one()
    assert changed.at == day(3)
    assert changed.before is not None and changed.after is not None
    assert changed.before["impact"] == [{"currency": "USD", "under": "20.0000", "over": "0.0000", "exposure": "0.0000"}]
    assert changed.after["impact"][0]["under"] == "50.0000"


def test_a_condition_that_goes_on_is_the_same_finding_however_late_it_is_looked_at(engine: Engine) -> None:
    fold_run(engine, day(0), [replace(a_finding("il_1"), period_end=day(0))])
    assert reasons(fold_run(engine, day(1), [replace(a_finding("il_1"), period_end=day(1))])) == ["changed"]


def test_a_record_that_several_findings_name_is_listed_once_with_what_the_latest_period_says(engine: Engine) -> None:
    january = a_finding("il_1", invoice="in_1")
    march = replace(
        a_finding("il_1", invoice="in_1", expected="99"),
        period_start=january.period_end,
        period_end=day(30),
    )
    fold_run(engine, day(0), [march, january])
    assert only_signal(engine).finding_count == 2
    assert records(engine, 1)["invoice_line", "il_1"].expected == Decimal(99)
    assert len(records(engine, 1)) == 4


def test_a_signal_that_is_not_found_any_more_resolves_after_enough_complete_runs(engine: Engine) -> None:
    fold_run(engine, day(0), [a_finding()])
    assert reasons(fold_run(engine, day(1))) == ["clearing"]
    assert only_signal(engine).status == "unhandled"
    assert reasons(fold_run(engine, day(2))) == ["self_healed"]
    signal = only_signal(engine)
    assert (signal.status, signal.status_reason, signal.resolved_at) == ("resolved", "self_healed", day(2))
    assert timeline(engine, 1) == ["opened", "clearing", "self_healed"]
    assert fold_run(engine, day(3)) == []


def test_a_signal_that_is_found_again_starts_to_clear_from_the_beginning(engine: Engine) -> None:
    fold_run(engine, day(0), [a_finding()])
    fold_run(engine, day(1))
    assert reasons(fold_run(engine, day(2), [a_finding()])) == ["unchanged"]
    assert reasons(fold_run(engine, day(3))) == ["clearing"]


def test_a_run_on_stale_data_opens_and_widens_but_resolves_nothing(engine: Engine) -> None:
    assert reasons(fold_run(engine, day(0), [a_finding()], stale=True)) == ["opened"]
    for number in range(1, 6):
        assert reasons(fold_run(engine, day(number), stale=True)) == ["kept_stale"]
    assert only_signal(engine).status == "unhandled"
    assert only_signal(engine).clear_runs == 0


def test_a_run_as_of_an_earlier_instant_neither_changes_nor_resolves_what_was_seen_later(engine: Engine) -> None:
    fold_run(engine, day(10), [a_finding(), a_finding("il_2")])
    assert reasons(fold_run(engine, day(5))) == ["older_run"]
    assert reasons(fold_run(engine, day(5), [a_finding()])) == ["older_run"]
    assert only_signal(engine).finding_count == 2


def test_what_returns_within_the_cooldown_reopens_the_same_signal(engine: Engine) -> None:
    fold_run(engine, day(0), [a_finding()])
    fold_run(engine, day(1))
    fold_run(engine, day(2))
    assert reasons(fold_run(engine, day(16), [a_finding()])) == ["reopened"]
    signal = only_signal(engine)
    assert (signal.status, signal.resolved_at, signal.occurrences) == ("in_progress", None, 2)
    assert timeline(engine, 1) == ["opened", "clearing", "self_healed", "reopened"]


def test_what_returns_after_the_cooldown_is_a_new_signal(engine: Engine) -> None:
    fold_run(engine, day(0), [a_finding()])
    fold_run(engine, day(1))
    fold_run(engine, day(2))
    assert reasons(fold_run(engine, day(16.1), [a_finding()])) == ["opened"]
    assert [signal.status for signal in signals(engine)] == ["resolved", "unhandled"]


def test_what_was_called_expected_stays_quiet_for_good_even_when_it_widens(engine: Engine) -> None:
    fold_run(engine, day(0), [a_finding()])
    with operational.writing(engine) as session:
        triage.dismiss(session, [1], "expected", actor="ana", now=day(0.5))
    later = replace(a_finding("il_9"), period_start=day(300), period_end=day(330))
    assert reasons(fold_run(engine, day(400), [a_finding(), later])) == ["suppressed_expected"]
    signal = only_signal(engine)
    assert (signal.status, signal.last_seen) == ("suppressed", day(400))
    assert timeline(engine, 1) == ["opened", "expected"]
    assert reasons(fold_run(engine, day(401))) == ["kept_suppressed"]


def test_what_was_dismissed_for_a_time_returns_when_it_is_over(engine: Engine) -> None:
    fold_run(engine, day(0), [a_finding()])
    with operational.writing(engine) as session:
        triage.dismiss(session, [1], "immaterial", actor="ana", now=day(1), until=day(8))
    assert reasons(fold_run(engine, day(7.9), [a_finding()])) == ["suppressed_dismissed"]
    assert reasons(fold_run(engine, day(8), [a_finding()])) == ["returned"]
    signal = only_signal(engine)
    assert (signal.status, signal.suppressed_until) == ("unhandled", None)


def test_a_false_positive_stays_quiet_and_what_the_rule_finds_beside_it_is_new(engine: Engine) -> None:
    fold_run(engine, day(0), [a_finding("il_1")])
    with operational.writing(engine) as session:
        triage.dismiss(session, [1], "false_positive", actor="ana", now=day(0.5))
    assert reasons(fold_run(engine, day(1), [a_finding("il_1")])) == ["suppressed_false_positive"]
    assert reasons(fold_run(engine, day(2), [a_finding("il_1"), a_finding("il_2")])) == ["opened"]
    assert [signal.status for signal in signals(engine)] == ["false_positive", "unhandled"]
    assert list(findings(engine, 2)) == ["il_2"]
    assert reasons(fold_run(engine, day(3), [a_finding("il_1"), a_finding("il_2")])) == ["unchanged"]


def test_what_was_waived_stays_closed_while_nothing_new_comes(engine: Engine) -> None:
    fold_run(engine, day(0), [a_finding("il_1")])
    with operational.writing(engine) as session:
        triage.resolve(session, [1], "price typo", actor="ana", now=day(0.5), waiver="too small to credit")
    assert reasons(fold_run(engine, day(1), [a_finding("il_1")])) == ["suppressed_waived"]
    assert only_signal(engine).status == "resolved"
    assert reasons(fold_run(engine, day(2), [a_finding("il_1"), a_finding("il_2")])) == ["opened"]
    assert list(findings(engine, 2)) == ["il_2"]


def test_a_run_that_read_the_data_before_somebody_resolved_the_signal_does_not_reopen_it(engine: Engine) -> None:
    fold_run(engine, day(0), [a_finding()])
    fold_run(engine, day(1))
    with operational.writing(engine) as session:
        triage.resolve(session, [1], "price corrected", actor="ana", now=day(3))
    assert reasons(fold_run(engine, day(2.9), [a_finding()])) == ["older_run"]
    assert reasons(fold_run(engine, day(3.1), [a_finding()])) == ["reopened"]


def test_one_rule_does_not_touch_the_signals_of_another(engine: Engine) -> None:
    fold_run(engine, day(0), [a_finding()])
    other = replace(TIER_MODE, name="tier_bounds")
    assert fold_run(engine, day(1), rule=other) == []


def test_a_draft_that_becomes_final_soon_is_noticed_without_a_new_finding(engine: Engine) -> None:
    fold_run(engine, day(0), [a_finding("il_1", invoice="in_1")], drafts={"in_1": day(3), "in_2": day(1)})
    assert only_signal(engine).finalizes_at == day(3)
    fold_run(engine, day(1), [a_finding("il_1", invoice="in_1")], drafts={"in_1": day(2)})
    assert only_signal(engine).finalizes_at == day(2)
    fold_run(engine, day(2), [a_finding("il_1", invoice="in_1")], drafts={})
    assert only_signal(engine).finalizes_at is None
    assert timeline(engine, 1) == ["opened"]


def test_a_rule_that_became_more_severe_says_so_on_its_signals(engine: Engine) -> None:
    fold_run(engine, day(0), [a_finding()])
    fold_run(engine, day(1), [a_finding()], rule=replace(TIER_MODE, severity="medium", content_hash="hash-2"))
    signal = only_signal(engine)
    assert (signal.severity, signal.severity_rank, signal.rule_hash) == ("medium", 2, "hash-2")
    assert timeline(engine, 1) == ["opened"]


def test_alike_findings_of_one_subject_are_all_kept(engine: Engine) -> None:
    twice = [a_finding("il_1", title="first"), a_finding("il_1", title="second")]
    fold_run(engine, day(0), twice)
    assert only_signal(engine).finding_count == 2
    assert impacts(engine) == {"USD": (Decimal(40), Decimal(0), Decimal(0))}
    assert reasons(fold_run(engine, day(1), twice)) == ["unchanged"]


def test_a_run_whose_transaction_fails_leaves_no_trace(engine: Engine) -> None:
    fold_run(engine, day(0), [a_finding()])

    def pull_the_plug(*args: object) -> None:
        raise RuntimeError("pulled the plug")

    with pytest.raises(RuntimeError):
        event.listen(engine, "commit", pull_the_plug)
        fold_run(engine, day(1), [a_finding(), a_finding("il_2"), a_finding("il_3", group="x")])
    event.remove(engine, "commit", pull_the_plug)
    assert only_signal(engine).last_seen == day(0)
    with operational.reading(engine) as session:
        assert session.scalar(select(func.count()).select_from(SignalPoint)) == 1


def test_ten_thousand_records_of_one_signal_are_all_listed(sqlite_engine: Engine) -> None:
    found = [a_finding(f"il_{number}", customer=f"c_{number % 100}") for number in range(3500)]
    fold_run(sqlite_engine, day(0), found, policy=Policy(cooldown=timedelta(days=1)))
    assert only_signal(sqlite_engine).entity_count == len(records(sqlite_engine, 1)) == 3500 * 2 + 100 + 1
