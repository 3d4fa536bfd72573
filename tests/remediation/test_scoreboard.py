"""What was caught, prevented, recovered and missed, counted from a store whose answer is known."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Engine, select

from detector.manager_report import report
from remediation.scoreboard import CAUGHT, MONEY_OF, behind, heaviest, miss, scoreboard, scoreboard_json
from store import operational
from store.audit_tables import AuditEntry
from store.operational_tables import Signal, SignalEntity, SignalImpact, StoredFinding
from tests.remediation import small
from tests.remediation.small import NOW, ZERO

DAY = timedelta(days=1)


def laid(
    engine: Engine, name: str, *, invoice: str | None, status: str = "unhandled", over: str = "0", **more: object
) -> int:
    """A signal about an invoice in a state, with an amount that is too much; its first period ended a day before."""
    id = small.signal(engine, name)
    with operational.writing(engine) as session:
        signal = session.get_one(Signal, id)
        signal.status = status
        signal.money_in, signal.over = "USD", Decimal(over)
        signal.invoice_state = None if invoice is None else "draft" if invoice == "draft" else "issued"
        signal.found_after = 24 * 3600
        for field, value in more.items():
            setattr(signal, field, value)
        finding = StoredFinding(
            signal_id=id, run_id=signal.first_run_id, key=name, digest="d", rule_hash="h", subject_type="invoice",
            subject_id=f"in_{name}", under=ZERO, over=Decimal(over), exposure=ZERO, title="t", evidence={},
            currency="USD", records=[], period_start=NOW - 31 * DAY, period_end=NOW - DAY,
        )  # fmt: skip
        session.add_all(
            [finding, SignalImpact(signal_id=id, currency="USD", under=ZERO, over=Decimal(over), exposure=ZERO)]
        )
        session.flush()
        if invoice:
            session.add(SignalEntity(signal_id=id, finding_id=finding.id, type="invoice", entity_id=f"in_{name}",
                                     role="affected", status=invoice, position=0))  # fmt: skip
    return id


def test_every_number_is_counted_from_its_signals(engine: Engine) -> None:
    draft = laid(engine, "draft", invoice="draft", over="10")
    later = laid(engine, "final", invoice="open", finalizes_at=NOW + DAY)
    issued = laid(engine, "issued", invoice="paid", over="7", status="resolved", status_reason="verified",
                  resolved_at=NOW + 2 * DAY, status_at=NOW + 2 * DAY)  # fmt: skip
    closed = {"status": "resolved", "resolved_at": NOW + 2 * DAY, "status_at": NOW + 2 * DAY}
    stopped = laid(engine, "stopped", invoice="draft", over="10", status_reason="verified",
                   finalizes_at=NOW + 3 * DAY, **closed)  # fmt: skip
    waived = laid(engine, "waived", invoice="paid", over="3", status_reason="waived", **closed)
    laid(engine, "guessed", invoice="paid", over="40", status_reason="verified", first_seen=NOW - 60 * DAY,
         confidence="statistical", **closed)  # fmt: skip
    healed = laid(engine, "healed", invoice=None, status="resolved", status_reason="self_healed", resolved_at=NOW + DAY)
    laid(engine, "wrong", invoice="draft", status="false_positive", over="99")
    laid(engine, "old", invoice="draft", first_seen=NOW - 60 * DAY, over="99")
    with operational.writing(engine) as session:
        labelled = miss(session, happened_at=NOW - DAY, kind="under", currency="EUR", amount=Decimal(120), actor="ann",
                        note="the customer told us", now=NOW, signal_id=issued)  # fmt: skip
    with operational.reading(engine) as session:
        found = scoreboard(session, NOW - 30 * DAY, NOW + 30 * DAY)
        told = scoreboard_json(session, found)
        later_on = scoreboard(session, NOW + DAY, NOW + 2 * DAY)
        assert scoreboard_json(session, later_on)["on_draft"] == {"count": 0, "signals": []}
        listed = {name: behind(session, found, name) for name in (*CAUGHT, "missed")}
        for name in (*CAUGHT, *MONEY_OF, *found.times):
            shown = [signal.id for signal in heaviest(session, found, name, 2)]
            assert found.count(name) == len(behind(session, found, name)) and {*shown} <= {
                *behind(session, found, name)
            }
        assert [signal.id for signal in heaviest(session, found, "on_draft", 2)] == [draft, later]
    assert listed == {"on_draft": [draft, later, stopped], "after_issue": [issued, waived], "before_billing": [healed],
                      "missed": [issued]}  # fmt: skip
    assert told["on_draft"]["estimated"] == [{"kind": "over", "currency": "USD", "amount": "10.00"}]
    assert "estimated" not in told["after_issue"]  # they are resolved
    assert told["prevented"] == {"count": 1, "signals": [f"SIG-{stopped}"], "verified": {"USD": "10.00"}}
    assert told["returned"]["verified"] == {"USD": "7.00"}, "a draft that was final by then is money given back"
    assert told["returned"]["estimated"] == [{"kind": "returned", "currency": "USD", "amount": "40.00"}]
    assert told["written_off"]["verified"] == {"USD": "3.00"}
    assert told["recovered"] == {"count": 1, "signals": [f"SIG-{healed}"]}, "closed, and no money was at stake"
    assert told["missed"]["labelled"][0]["id"] == labelled.label
    assert told["time_to_resolve"]["signals"] == [f"SIG-{issued}", f"SIG-{stopped}", f"SIG-{waived}"]
    assert told["time_to_resolve"]["median_hours"] == told["time_to_resolve"]["ninth_decile_hours"] == 48.0
    assert told["time_to_detect"]["median_hours"] == 24.0 and told["time_to_detect"]["count"] == 6


def test_report_and_scoreboard_count_the_same_money(engine: Engine) -> None:
    laid(engine, "a", invoice="paid", over="7", status="resolved", status_reason="verified", resolved_at=NOW)
    laid(engine, "b", invoice="paid", over="3", status="resolved", status_reason="waived", resolved_at=NOW)
    with operational.reading(engine) as session:
        numbers = scoreboard(session, NOW - DAY, NOW + DAY).numbers
        told = report(session, NOW - DAY, NOW + DAY)
    assert {(each.kind, each.currency): each.exact for each in told.sums} == {
        (kind, currency): amount for kind in MONEY_OF for currency, amount in numbers[kind].money.items()
    }
    assert {kind: numbers[kind].count for kind in MONEY_OF} == {kind: len(own) for kind, own in told.signals.items()}


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"kind": "sideways"}, "is under"),
        ({"amount": Decimal(0)}, "above zero"),
        ({"currency": "Dollar"}, "such as USD"),
        ({"note": " "}, "a note is needed"),
        ({"happened_at": NOW + DAY}, "before it happens"),
        ({"signal_id": 99}, "no signal SIG-99"),
    ],
)
def test_a_label_that_says_nothing_is_refused(sqlite_engine: Engine, wrong: dict[str, object], why: str) -> None:
    given = {"happened_at": NOW, "kind": "under", "currency": "USD", "amount": Decimal(1), "note": "n", **wrong}
    with operational.writing(sqlite_engine) as session, pytest.raises(ValueError, match=why):
        miss(session, actor="ann", now=NOW, **given)  # type: ignore[arg-type]


def test_a_missed_fault_is_audited_with_who_labelled_it(sqlite_engine: Engine) -> None:
    with operational.writing(sqlite_engine) as session:
        made = miss(session, happened_at=NOW, kind="over", currency="EUR", amount=Decimal(120),
                               note="the auditor found it", actor="ann", now=NOW)  # fmt: skip
        number = made.id
    with operational.reading(sqlite_engine) as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "missed.labelled")).one()
        assert (entry.actor, entry.object_id, entry.reason) == ("ann", f"MISS-{number}", "the auditor found it")
