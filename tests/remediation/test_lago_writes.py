"""Lago's deeds through the executor, at its peer: done once, though it has no keys and though replies get lost."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine

from integrations.http_limits import Pace
from integrations.http_retry import Retry
from integrations.lago import from_config
from integrations.writing import Deed, Writes
from remediation import execute, life
from remediation.plans import Plan
from store import operational
from tests.peers.lago.account import uid
from tests.peers.lago.sample import NOW, company
from tests.peers.stripe.process import Peer
from tests.peers.vendor import KEY, running
from tests.remediation import small

OPEN, PAID = uid("in open"), uid("in paid")


@pytest.fixture
def lago() -> Iterator[Peer]:
    with running("lago", NOW) as peer:
        peer.load(company())
        yield peer


def writes(peer: Peer) -> Writes:
    settings = {"api_key": KEY, "base_url": f"{peer.url}/api/v1", "requests_per_second": 10_000}
    return from_config("lago", settings, retry=Retry(attempts=2), pace=Pace(sleep=lambda seconds: None)).writes


def credit(invoice: str, fee: str, amount: str, currency: str, paid: bool) -> Plan:
    about = {"amount": amount, "currency": currency, "line": uid(f"fee {fee}"), "paid": paid, "memo": "wrong price"}
    deed = Deed("credit", "invoice", invoice, about)
    return small.plan("credit_note", deed, "downstream", integration="lago", currency=currency, amount=Decimal(amount))


def applied(engine: Engine, peer: Peer, planned: Plan, again: bool = False, id: int | None = None) -> tuple[int, str]:
    """The action and how it stands after it was applied."""
    remedy = small.remedy(engine, {"lago": writes(peer)})
    id = id or small.action(engine, small.signal(engine, f"{planned.change} {planned.amount}"), planned)
    return id, execute.apply(remedy, id, actor="ann", again=again).status


def test_an_open_invoice_is_credited_off_what_is_due_and_a_paid_one_as_credit(
    sqlite_engine: Engine, lago: Peer
) -> None:
    before = writes(lago).state("invoice", OPEN)
    assert before is not None and before["status"] == "open"
    assert applied(sqlite_engine, lago, credit(OPEN, "open base", "959", "JPY", paid=False))[1] == "succeeded"
    after = writes(lago).state("invoice", OPEN)
    assert after is not None and before["amount_due"] - after["amount_due"] == 959
    assert applied(sqlite_engine, lago, credit(PAID, "paid calls", "1.50", "EUR", paid=True))[1] == "succeeded"
    too_much = credit(PAID, "paid disk", "99", "EUR", paid=True)
    assert applied(sqlite_engine, lago, too_much)[1] == "failed"


def test_a_credit_whose_reply_is_lost_is_found_by_its_key_and_made_once(sqlite_engine: Engine, lago: Peer) -> None:
    lago.fault("lost", method="POST")
    id, status = applied(sqlite_engine, lago, credit(OPEN, "open base", "959", "JPY", paid=False))
    assert status == "succeeded" and len(lago.done()) == 1
    with operational.reading(sqlite_engine) as session:
        assert [each.kind for each in life.journal(session, id)][-3:] == ["unclear", "read_back", "succeeded"]


def test_a_write_that_never_arrived_is_parked_until_a_person_has_looked(sqlite_engine: Engine, lago: Peer) -> None:
    planned = credit(OPEN, "open base", "959", "JPY", paid=False)
    lago.fault("cut", method="POST")
    id, status = applied(sqlite_engine, lago, planned)
    assert status == "parked" and lago.done() == []
    assert applied(sqlite_engine, lago, planned, again=True, id=id)[1] == "succeeded" and len(lago.done()) == 1


@pytest.mark.parametrize(("verb", "then"), [("void", "void"), ("pay", "paid")])
def test_an_invoice_is_voided_or_collected_and_a_lost_reply_changes_nothing(
    sqlite_engine: Engine, lago: Peer, verb: str, then: str
) -> None:
    more: dict[str, Any] = {"integration": "lago", "before": {"status": "open"}}
    lago.fault("lost", method="POST")
    planned = small.plan(f"{verb}_it", Deed(verb, "invoice", OPEN), **more)
    assert applied(sqlite_engine, lago, planned)[1] == "succeeded" and len(lago.done()) == 1
    row = writes(lago).state("invoice", OPEN)
    assert row is not None and row["status"] == then
    assert applied(sqlite_engine, lago, small.plan("later", Deed(verb, "invoice", OPEN), **more))[1] == "proposed"


def test_what_lago_cannot_do_is_refused_before_anything_is_sent(lago: Peer) -> None:
    with pytest.raises(ValueError, match="Lago cannot hold"):
        writes(lago).request(Deed("hold", "invoice", OPEN))
    assert writes(lago).state("invoice", uid("nothing")) is None and lago.done() == []
