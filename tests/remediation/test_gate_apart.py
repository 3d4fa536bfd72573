"""Two billing systems may call two drafts alike: at the gate, and before a release, they are two."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import Engine

from integrations.writing import Deed
from remediation import gate, life
from store import operational
from store.action_tables import Action
from store.operational_tables import Signal, SignalEntity, StoredFinding
from tests.remediation import small
from tests.remediation.small import NOW, ZERO


def draft(integration: str) -> dict[str, Any]:
    """A draft called in_1."""
    return {"integration": integration, "invoice_id": "in_1", "customer_id": "cus_1", "currency": "USD",
            "total": Decimal(100), "finalizes_at": None, "auto_advance": True, "version_at": NOW}  # fmt: skip


def blocked_at(engine: Engine, integration: str) -> None:
    """A signal that blocks the draft in_1 of an integration."""
    number = small.signal(engine, f"blocks {integration}")
    with operational.writing(engine) as session:
        signal = session.get_one(Signal, number)
        signal.integration = integration
        finding = StoredFinding(signal_id=number, run_id=signal.first_run_id, key="k", digest="d", rule_hash="h",
                                subject_type="invoice", subject_id="in_1", under=ZERO, over=ZERO, exposure=ZERO,
                                title="t", evidence={}, records=["invoice:in_1"])  # fmt: skip
        session.add(finding)
        session.flush()
        session.add(SignalEntity(signal_id=number, finding_id=finding.id, type="invoice", entity_id="in_1",
                                 role="affected", position=0))  # fmt: skip


def test_a_signal_about_one_draft_does_not_block_its_namesake(sqlite_engine: Engine) -> None:
    blocked_at(sqlite_engine, "stripe")
    with operational.reading(sqlite_engine) as session:
        found = gate.standing(session, [draft("lago"), draft("stripe")], {}, NOW)
        assert {each.integration: each.state for each in found} == {"stripe": "blocked", "lago": "passed"}


def test_a_hold_of_one_is_no_hold_of_the_other(sqlite_engine: Engine) -> None:
    blocked_at(sqlite_engine, "lago")
    id = small.action(sqlite_engine, small.signal(sqlite_engine, "held"), small.hold("in_1"))
    with operational.writing(sqlite_engine) as session:
        action = session.get_one(Action, id)
        action.status, action.applied_at = "verified", NOW
    with operational.reading(sqlite_engine) as session:
        found = gate.standing(session, [draft("lago"), draft("stripe")], {}, NOW)
        assert {each.integration: each.state for each in found} == {"lago": "blocked", "stripe": "held"}


def test_a_release_waits_for_the_signals_of_its_own_draft_only(sqlite_engine: Engine) -> None:
    blocked_at(sqlite_engine, "lago")
    release = small.plan("release_draft", Deed("release", "invoice", "in_1"), "verify")
    id = small.action(sqlite_engine, small.signal(sqlite_engine, "free"), release)
    with operational.reading(sqlite_engine) as session:
        assert life.locked(session, session.get_one(Action, id)) is None
    blocked_at(sqlite_engine, "stripe")
    with operational.reading(sqlite_engine) as session:
        assert "still blocks the draft" in str(life.locked(session, session.get_one(Action, id)))
