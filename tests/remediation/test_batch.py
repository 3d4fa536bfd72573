"""Many actions of one signal as one decision: the cap, the sum, and what stops the rest."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, cast

import pytest
from sqlalchemy import Engine

from integrations.writing import Deed
from remediation import batch, life
from remediation.life import Approvals, Refused
from remediation.verify import Verdict
from store import operational
from store.action_tables import Action
from tests.peers.stripe.process import Peer
from tests.people.test_accounts import add
from tests.remediation import small
from tests.remediation.small import NOW


def laid(engine: Engine, count: int) -> tuple[int, list[int]]:
    """A signal with so many proposed credits of 10 USD, on invoices of its own; the ids of both."""
    signal = small.signal(engine, f"batch {count}")
    plans = [small.credit(f"in_batch_{count}_{number}") for number in range(count)]
    return signal, [small.action(engine, signal, each, "proposed") for each in plans]


def approved(engine: Engine, signal: int, actor: str = "ann", **more: Any) -> list[str]:
    """How the actions of the batch stand after an approval."""
    given = {"approvals": Approvals(), "reason": "checked the price", **more}
    with operational.writing(engine) as session:
        found = batch.approve(session, signal, "credit_note", actor=actor, now=NOW, **cast(Any, given))
        return [each.status for each in found.actions]


def test_one_decision_covers_so_many_and_no_more(sqlite_engine: Engine) -> None:
    signal, ids = laid(sqlite_engine, 4)
    three = Approvals(most=3)
    with pytest.raises(Refused, match="4 actions are more than the 3 that one decision may cover"):
        approved(sqlite_engine, signal, approvals=three)
    assert approved(sqlite_engine, signal, approvals=three, first=1) == ["approved"]
    assert approved(sqlite_engine, signal, approvals=three) == ["approved"] * 3
    with operational.reading(sqlite_engine) as session:
        assert [each.detail for each in life.journal(session, ids[3])] == ["checked the price"]
    with pytest.raises(Refused, match="no credit_note of SIG-"):
        approved(sqlite_engine, signal)


def test_their_sum_is_held_to_the_limit_of_one_person(sqlite_engine: Engine) -> None:
    signal, _ = laid(sqlite_engine, 3)
    limit = Approvals({"USD": Decimal(25)})
    assert approved(sqlite_engine, signal, approvals=limit, first=2) == ["approved"] * 2  # 20 USD
    signal, _ = laid(sqlite_engine, 5)
    assert approved(sqlite_engine, signal, approvals=limit) == ["proposed"] * 5  # 50 USD
    with pytest.raises(Refused, match=r"together they move 50\.00 USD, above the limit of one person"):
        approved(sqlite_engine, signal, approvals=limit)
    assert approved(sqlite_engine, signal, "ben", approvals=limit) == ["approved"] * 5


def test_their_sum_is_held_to_the_approvers_own_limit(sqlite_engine: Engine) -> None:
    signal, _ = laid(sqlite_engine, 4)
    add(sqlite_engine, "Ada", "admin")
    add(sqlite_engine, "Cleo", "analyst", USD="30")
    add(sqlite_engine, "Dora", "analyst", USD="100")
    limit = Approvals({"USD": Decimal(25)})
    assert approved(sqlite_engine, signal, approvals=limit) == ["proposed"] * 4  # 40 USD, which Ann proposes
    with pytest.raises(Refused, match=r"together they move 40\.00 USD, above the limit of Cleo"):
        approved(sqlite_engine, signal, "Cleo", approvals=limit)
    assert approved(sqlite_engine, signal, "Dora", approvals=limit) == ["approved"] * 4


def test_what_is_locked_is_left_out_and_named(sqlite_engine: Engine) -> None:
    signal, _ = laid(sqlite_engine, 2)
    ticket = small.plan("open_ticket", Deed("open", "price", "price_1"), phase="root_cause")
    small.action(sqlite_engine, signal, ticket, "proposed")
    with pytest.raises(Refused, match="waits for approval: first the root cause: ACT-"):
        approved(sqlite_engine, signal)


def test_the_first_is_verified_before_the_others_and_the_first_that_fails_stops_them(
    sqlite_engine: Engine, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict = Verdict(False, "", "still found: over 10 USD")
    monkeypatch.setattr(batch, "verify", lambda remedy, id, actor: (_action(sqlite_engine, id), verdict))
    remedy = small.remedy(sqlite_engine, {"stripe": small.stripe_writes(peer.url)})
    signal, ids = laid(sqlite_engine, 6)
    peer.load(small.invoices([f"in_batch_6_{number}" for number in (0, 1, 2, 4, 5)], "open"))
    approved(sqlite_engine, signal)
    told: list[str] = []
    with pytest.raises(Refused, match=r"the first, is not verified: still found: over 10 USD; 5 others are not begun"):
        batch.apply(remedy, signal, "credit_note", actor="ann", tell=lambda action: told.append(action.status))
    assert told == ["succeeded"]
    assert {_action(sqlite_engine, id).status for id in ids[1:]} == {"proposed"}
    assert "the first, is not verified" in str(_action(sqlite_engine, ids[5]).error)
    approved(sqlite_engine, signal)
    verdict = Verdict(True, "", "as promised")
    with pytest.raises(Refused, match=r"is proposed: invoice in_batch_6_3 is not there any more; 2 others are not"):
        batch.apply(remedy, signal, "credit_note", actor="ann", tell=lambda action: told.append(action.status))
    assert told == ["succeeded"] * 3 + ["proposed"]
    assert [_action(sqlite_engine, id).status for id in ids[4:]] == ["proposed", "proposed"]


def _action(engine: Engine, id: int) -> Action:
    with operational.reading(engine) as session:
        found = session.get_one(Action, id)
        session.expunge_all()
        return found
