"""An approved action is carried out once, whatever becomes of the reply; what is unclear is parked."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from remediation import execute, life
from remediation.execute import apply
from remediation.life import Refused
from remediation.plans import Plan
from remediation.remedy import Remedy
from store import operational
from tests.peers.stripe.process import Peer
from tests.remediation import small

NUMBERS = itertools.count(1)


@pytest.fixture
def remedy(sqlite_engine: Engine, peer: Peer) -> Remedy:
    peer.control("calm")
    return small.remedy(sqlite_engine, {"stripe": small.stripe_writes(peer.url)})


def ready(
    remedy: Remedy, peer: Peer, planned: Callable[[str], Plan] = small.hold, status: str = "draft"
) -> tuple[int, str]:
    """An approved action on an invoice of its own, as (action, invoice). The key is new to the peer each time."""
    number = next(NUMBERS)
    invoice = f"in_{number}"
    peer.load(small.invoices([invoice], status))
    id = small.action(remedy.setting.engine, small.signal(remedy.setting.engine, invoice), planned(invoice))
    with operational.writing(remedy.setting.engine) as session:
        life.get(session, id).id = 1000 + number  # every test has a store of its own, and all share one peer
    return 1000 + number, invoice


def count(peer: Peer, id: int) -> int:
    """How often the peer did it."""
    return sum(1 for each in peer.done() if str(each["key"]).startswith(f"trueup-{id}-"))


def kinds(remedy: Remedy, id: int) -> list[str]:
    with operational.reading(remedy.setting.engine) as session:
        return [each.kind for each in life.journal(session, id)]


def test_every_call_has_a_row_before_and_after(remedy: Remedy, peer: Peer) -> None:
    id, invoice = ready(remedy, peer)
    assert apply(remedy, id, actor="ann").status == "succeeded"
    assert peer.object(invoice)["auto_advance"] is False
    assert kinds(remedy, id) == ["claimed", "calling", "replied", "succeeded"]
    with pytest.raises(Refused, match="only what is approved"):
        apply(remedy, id, actor="ann")
    assert count(peer, id) == 1


def test_what_is_not_approved_is_not_done(remedy: Remedy, peer: Peer) -> None:
    for status in ("proposed", "rejected", "waived"):
        invoice = f"in_not_{status}"
        peer.load(small.invoices([invoice], "draft"))
        engine = remedy.setting.engine
        id = small.action(engine, small.signal(engine, invoice), small.hold(invoice), status)
        with pytest.raises(Refused):
            apply(remedy, id, actor="ann")
        assert peer.object(invoice)["auto_advance"] is True


def test_without_write_access_nothing_is_sent(remedy: Remedy, peer: Peer) -> None:
    id, invoice = ready(remedy, peer)
    off = small.remedy(remedy.setting.engine, dict(remedy.writes), allowed=frozenset())
    with pytest.raises(Refused, match=r"integrations\.stripe\.writes turns it on"):
        apply(off, id, actor="ann")
    assert peer.object(invoice)["auto_advance"] is True


@pytest.mark.parametrize("planned, status", [(small.hold, "draft"), (small.adjust, "draft"), (small.credit, "open")])
@pytest.mark.parametrize("fault", ["lost", "doubled", "cut", "503"])
def test_a_lost_doubled_or_missing_reply_is_done_once(
    remedy: Remedy, peer: Peer, planned: Callable[[str], Plan], status: str, fault: str
) -> None:
    id, _ = ready(remedy, peer, planned, status)
    peer.fault(fault, method="POST")
    assert apply(remedy, id, actor="ann").status == "succeeded"
    assert count(peer, id) == 1


def test_what_stays_unclear_is_parked_and_then_settled_by_looking(remedy: Remedy, peer: Peer) -> None:
    id, _ = ready(remedy, peer, small.credit, "open")
    peer.fault("503", method="POST", times=2)
    parked = apply(remedy, id, actor="ann")
    assert parked.status == "parked" and "does not say whether it was done" in (parked.error or "")
    assert kinds(remedy, id) == ["claimed", "calling", "unclear", "parked"]
    assert apply(remedy, id, actor="ann").status == "succeeded"
    assert count(peer, id) == 1


def test_a_lost_reply_whose_reading_back_fails_too_is_parked_and_found_later(remedy: Remedy, peer: Peer) -> None:
    id, _ = ready(remedy, peer, small.adjust)
    peer.fault("lost", method="POST", times=2)
    peer.fault("cut", method="GET", path="/v1/invoices/*/lines", times=2)
    assert apply(remedy, id, actor="ann").status == "parked"
    assert apply(remedy, id, actor="ann").status == "succeeded"
    assert "read_back" in kinds(remedy, id)
    assert count(peer, id) == 1


def test_a_record_that_changed_since_the_plan_sends_it_back(remedy: Remedy, peer: Peer) -> None:
    id, invoice = ready(remedy, peer, small.adjust)
    peer.change(invoice, total=9_900)
    back = apply(remedy, id, actor="ann")
    assert back.status == "proposed" and "total is 99, not 100" in (back.error or "")
    assert back.approved_by is None
    assert count(peer, id) == 0


def test_a_refusal_fails_and_can_be_tried_again(remedy: Remedy, peer: Peer) -> None:
    id, invoice = ready(remedy, peer)
    peer.fault("403", method="POST")
    failed = apply(remedy, id, actor="ann")
    assert failed.status == "failed" and "may not write" in (failed.error or "")
    assert apply(remedy, id, actor="ann").status == "succeeded"
    assert peer.object(invoice)["auto_advance"] is False


def test_a_claim_of_a_living_process_is_respected(remedy: Remedy, peer: Peer) -> None:
    id, _ = ready(remedy, peer)
    with operational.writing(remedy.setting.engine) as session:
        action = life.get(session, id)
        action.status, action.claimed_by = "executing", remedy.setting.worker
        action.lease_until = small.NOW + execute.LEASE
    with pytest.raises(Refused, match="executing by another worker"):
        apply(remedy, id, actor="ann")


@pytest.mark.parametrize("planned", [small.hold, small.adjust])
def test_what_can_be_undone_is_undone(remedy: Remedy, peer: Peer, planned: Callable[[str], Plan]) -> None:
    id, invoice = ready(remedy, peer, planned)
    before = peer.object(invoice)
    apply(remedy, id, actor="ann")
    assert peer.object(invoice) != before
    assert execute.reverse(remedy, id, actor="ann", reason="wrong draft").status == "rolled_back"
    after = peer.object(invoice)
    assert {name: after[name] for name in ("auto_advance", "total", "amount_due")} == {
        name: before[name] for name in ("auto_advance", "total", "amount_due")
    }


def test_undoing_that_stopped_half_way_is_taken_up_again(remedy: Remedy, peer: Peer) -> None:
    id, invoice = ready(remedy, peer, small.adjust)
    apply(remedy, id, actor="ann")
    peer.fault("403", method="DELETE")
    assert execute.reverse(remedy, id, actor="ann", reason="wrong line").status == "failed"
    with pytest.raises(Refused, match="being undone"):
        apply(remedy, id, actor="ann")
    assert execute.reverse(remedy, id, actor="ann", reason="wrong line").status == "rolled_back"
    assert peer.object(invoice)["total"] == 10_000


def test_a_credit_note_cannot_be_undone(remedy: Remedy, peer: Peer) -> None:
    id, _ = ready(remedy, peer, small.credit, "open")
    apply(remedy, id, actor="ann")
    with pytest.raises(Refused, match="cannot be undone"):
        execute.reverse(remedy, id, actor="ann", reason="wrong")
