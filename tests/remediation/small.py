"""A store with signals and actions, and a peer with their invoices, without any books: for what only acts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

from sqlalchemy import Engine

from detector.claims import worker_name
from detector.cycle import Setting
from integrations.http_limits import Pace
from integrations.http_retry import Retry
from integrations.stripe import from_config
from integrations.writing import Deed, Writes
from remediation.case import said
from remediation.life import Approvals
from remediation.plans import Plan
from remediation.remedy import Remedy
from store import operational
from store.action_tables import Action
from store.operational_tables import Run, Signal
from tests.peers.stripe.process import KEY

NOW = datetime(2026, 11, 3, 6, tzinfo=UTC)
ZERO = Decimal(0)


def remedy(engine: Engine, writes: dict[str, Writes], **more: Any) -> Remedy:
    """Remediation without a warehouse; write access is on for every integration given."""
    setting = Setting(cast(Any, None), engine, lambda: NOW, worker_name())
    given = {"allowed": frozenset(writes), "approvals": Approvals(), **more}
    return Remedy(setting=setting, rules=list, writes=writes, pull=lambda name, records: None, **given)


def stripe_writes(url: str, attempts: int = 2) -> Writes:
    """The writing side of the peer, with short waits."""
    settings = {"api_key": KEY, "base_url": url, "requests_per_second": 10_000}
    retry = replace(Retry(), attempts=attempts, deadline=5.0)
    return from_config("stripe", settings, retry=retry, pace=Pace(sleep=lambda seconds: None)).writes


def signal(engine: Engine, name: str = "one") -> int:
    """A signal that says nothing about any record, and its id."""
    with operational.writing(engine) as session:
        run = Run(rule="wrong_tier_mode", rule_hash="h", trigger="manual", slot=name, as_of=NOW, status="ok",
                  claimed_by="w", lease_until=NOW, started_at=NOW)  # fmt: skip
        session.add(run)
        session.flush()
        made = Signal(
            fingerprint=name, rule="wrong_tier_mode", rule_hash="h", code="TU-19", title=name, severity="critical",
            category="pricing", confidence="exact", gate="hold", integration="stripe", cause_type="price",
            cause_id="price_1", group_key="g", status="unhandled", status_at=NOW, priority="P1", first_seen=NOW,
            last_seen=NOW, first_run_id=run.id, last_run_id=run.id, digest="d", under=ZERO, over=ZERO, exposure=ZERO,
            rank_amount=ZERO,
        )  # fmt: skip
        session.add(made)
        session.flush()
        return made.id


def plan(kind: str, deed: Deed, phase: str = "contain", **more: Any) -> Plan:
    """A plan of one deed."""
    words = {"change": f"{kind} {deed.id}", "outcome": "as planned", "risk": "none", "integration": "stripe"}
    return Plan(kind=kind, phase=phase, object_type=deed.type, object_id=deed.id, deeds=(deed,), **{**words, **more})


def action(engine: Engine, signal_id: int, planned: Plan, status: str = "approved") -> int:
    """An action with the plan, approved by Ann unless another status is said; its id."""
    told = said((), planned.object_type, planned.object_id)
    with operational.writing(engine) as session:
        made = Action(signal_id=signal_id, signal_digest=told, status=status, proposed_by="trueup", proposed_at=NOW,
                      plan=planned.as_json(), position=0, attempts=0)  # fmt: skip
        for name in ("kind", "phase", "integration", "object_type", "object_id", "customer_id", "change", "outcome",
                     "risk", "reversible", "currency", "amount"):  # fmt: skip
            setattr(made, name, getattr(planned, name))
        if status == "approved":
            made.approved_by, made.approved_at, made.approval_reason = "ann", NOW, "checked"
        session.add(made)
        session.flush()
        return made.id


def invoices(ids: Sequence[str], status: str) -> dict[str, list[dict[str, Any]]]:
    """Invoices of 100 USD with one line each, as rows that the peer loads."""
    customer = {"integration": "stripe", "customer_id": "cus_1", "name": "Acme", "currency": "USD",
                "status": "active", "created_at": "2026-01-01T00:00:00+00:00"}  # fmt: skip
    due = {"draft": "100", "open": "100"}.get(status, "0")
    return {
        "customers": [customer],
        "invoices": [
            {
                "integration": "stripe", "invoice_id": id, "number": None, "customer_id": "cus_1", "status": status,
                "currency": "USD", "created_at": "2026-11-02T00:00:00+00:00",
                "period_start": "2026-10-01T00:00:00+00:00", "period_end": "2026-11-01T00:00:00+00:00",
                "subtotal": "100", "discount_total": "0", "tax_total": "0", "credits_applied": "0", "total": "100",
                "amount_paid": "100" if status == "paid" else "0", "amount_due": due, "auto_advance": True,
                "finalizes_at": "2026-11-03T12:00:00+00:00" if status == "draft" else None,
            }
            for id in ids
        ],
        "invoice_lines": [
            {
                "integration": "stripe", "line_id": f"il_{id}", "invoice_id": id, "kind": "one_time",
                "description": "Work", "amount": "100", "discount_amount": "0", "tax_amount": "0", "proration": False,
                "quantity": "1", "price_id": None, "item_id": None, "subscription_id": None, "unit_amount": None,
                "period_start": "2026-10-01T00:00:00+00:00", "period_end": "2026-11-01T00:00:00+00:00",
            }
            for id in ids
        ],
    }  # fmt: skip


def hold(id: str) -> Plan:
    """A hold of a draft."""
    return plan(
        "hold_draft",
        Deed("hold", "invoice", id),
        before={"status": "draft", "auto_advance": "true"},
        after={"status": "draft", "auto_advance": "false"},
        reversible=True,
    )


def adjust(id: str, amount: str = "-10") -> Plan:
    """An adjustment on a draft of 100."""
    about = {"amount": amount, "currency": "USD", "customer": "cus_1", "item": None, "line": f"il_{id}",
             "start": "2026-10-01T00:00:00+00:00", "end": "2026-11-01T00:00:00+00:00", "memo": "m"}  # fmt: skip
    return plan(
        "correct_draft",
        Deed("adjust", "invoice", id, about),
        phase="downstream",
        before={"status": "draft", "total": "100"},
        reversible=True,
        currency="USD",
        amount=Decimal(amount).copy_abs(),
    )


def credit(id: str, amount: str = "10") -> Plan:
    """A credit note on an open invoice of 100."""
    about = {"amount": amount, "currency": "USD", "line": f"il_{id}", "paid": False, "memo": "m"}
    return plan(
        "credit_note",
        Deed("credit", "invoice", id, about),
        phase="downstream",
        before={"status": "open", "amount_due": "100"},
        currency="USD",
        amount=Decimal(amount),
    )


def charge(id: str, amount: str = "5") -> Plan:
    """A charge with the next invoice, for what a paid one charged too little."""
    about = {"amount": amount, "currency": "USD", "customer": "cus_1", "subscription": None, "item": None,
             "price": None, "start": "2026-10-01T00:00:00+00:00", "end": "2026-11-01T00:00:00+00:00",
             "memo": f"Additional charge for {id}"}  # fmt: skip
    deed = Deed("charge_next", "customer", "cus_1", about)
    return plan("charge_next_invoice", deed, phase="downstream", shown=True, reversible=True)


def edit(id: str, amount: str = "90") -> Plan:
    """Another amount for the line of a draft of 100."""
    about = {"line": f"il_{id}", "amount": amount, "was": "100", "currency": "USD"}
    return plan("edit_draft_line", Deed("edit_line", "invoice", id, about), phase="downstream",
                before={f"line:il_{id}": "100"}, reversible=True)  # fmt: skip
