"""Who may decide what about an action, and what sends it back."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import Engine, select

from people import accounts
from remediation import life
from remediation.case import Case
from remediation.life import Approvals, Refused
from remediation.plans import Plan
from store import operational
from store.action_tables import Action
from store.audit_tables import AuditEntry
from store.operational_tables import Signal, StoredFinding
from tests.remediation import small
from tests.remediation.small import NOW, ZERO

NOBODY = Approvals()


def status(engine: Engine, id: int) -> str:
    with operational.reading(engine) as session:
        return session.get_one(Action, id).status


def approved(
    engine: Engine, id: int, actor: str = "ann", reason: str = "checked", approvals: Approvals = NOBODY
) -> str:
    with operational.writing(engine) as session:
        return life.approve(session, id, actor=actor, reason=reason, now=NOW, approvals=approvals).status


def test_an_approval_needs_a_reason_and_stands_in_the_journal(engine: Engine) -> None:
    id = small.action(engine, small.signal(engine), small.hold("in_1"), "proposed")
    with pytest.raises(Refused, match="a reason is needed"):
        approved(engine, id, reason="  ")
    assert approved(engine, id) == "approved"
    with operational.reading(engine) as session:
        assert [(each.kind, each.actor, each.detail) for each in life.journal(session, id)] == [
            ("approved", "ann", "checked")
        ]
        row = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert row is not None
        assert (row.action, row.actor, row.object_id, row.reason) == ("action.approved", "ann", f"ACT-{id}", "checked")
    with pytest.raises(Refused, match="only what is proposed"):
        approved(engine, id)


def test_above_the_limit_it_takes_two_people(engine: Engine) -> None:
    limit = Approvals({"USD": Decimal(5)})
    id = small.action(engine, small.signal(engine), small.credit("in_1", "10"), "proposed")
    assert approved(engine, id, "ann", approvals=limit) == "proposed"
    with pytest.raises(Refused, match="somebody else must approve"):
        approved(engine, id, "ann", approvals=limit)
    assert approved(engine, id, "ben", approvals=limit) == "approved"
    under = small.action(engine, small.signal(engine, "two"), small.credit("in_2", "4"), "proposed")
    assert approved(engine, under, "ann", approvals=limit) == "approved"


def test_who_has_an_account_approves_up_to_their_own_limit(engine: Engine) -> None:
    with operational.writing(engine) as session:
        for name, limits in (("ann", {"USD": "100"}), ("ben", {"USD": "5"}), ("cay", {}), ("dot", {})):
            email = f"{name}@example.com"
            accounts.add(session, email=email, name=name, roles=["admin"], limits=limits, actor="tests", now=NOW)

    def credit(signal: str) -> int:
        return small.action(engine, small.signal(engine, signal), small.credit(f"in_{signal}", "10"), "proposed")

    assert approved(engine, credit("one"), "ann") == "approved"
    two = credit("two")
    assert approved(engine, two, "ben") == "proposed", "above his limit he only proposes"
    assert approved(engine, two, "ann") == "approved"
    three = credit("three")
    assert approved(engine, three, "cay") == "proposed", "without a limit no money is approved alone"
    with pytest.raises(Refused, match="above the limit of ben"):
        approved(engine, three, "ben")
    assert approved(engine, three, "dot") == "approved", "two people may"
    assert approved(engine, credit("four"), "cay", approvals=Approvals({"USD": Decimal(10)})) == "approved"


def test_money_in_a_currency_without_a_limit_takes_two_people(engine: Engine) -> None:
    id = small.action(engine, small.signal(engine), small.credit("in_1", "1"), "proposed")
    assert approved(engine, id, "ann", approvals=Approvals({"EUR": Decimal(500)})) == "proposed"


def test_downstream_waits_for_the_root_cause(engine: Engine) -> None:
    signal = small.signal(engine)
    ticket = Plan("open_ticket", "root_cause", "price", "price_1", "mend it", "mended", "none")
    cause = small.action(engine, signal, ticket, "proposed")
    id = small.action(engine, signal, small.credit("in_1"), "proposed")
    with pytest.raises(Refused, match="first the root cause: ACT-"):
        approved(engine, id)
    with operational.writing(engine) as session:
        life.waive(session, cause, actor="ann", reason="the draft goes first", now=NOW)
    assert approved(engine, id) == "approved"


def test_what_a_signal_says_otherwise_by_now_goes_back(engine: Engine) -> None:
    signal = small.signal(engine)
    id = small.action(engine, signal, small.hold("in_1"))
    with operational.writing(engine) as session:
        run = session.get_one(Signal, signal).first_run_id
        session.add(
            StoredFinding(
                signal_id=signal, run_id=run, key="k", digest="d", rule_hash="h", subject_type="invoice",
                subject_id="in_1", under=Decimal(3), over=ZERO, exposure=ZERO, title="t", evidence={}, currency="USD",
                records=["invoice:in_1"],
            )
        )  # fmt: skip
    with operational.writing(engine) as session:
        assert (
            life.stands(session, life.get(session, id)) == "the signal says something else than when this was approved"
        )


def test_proposing_again_changes_nothing_and_withdraws_what_nothing_calls_for(engine: Engine) -> None:
    signal = small.signal(engine)
    with operational.writing(engine) as session:
        case = Case(session.get_one(Signal, signal), None, (), (), (), (), {})
        first = life.propose(session, case, [small.hold("in_1"), small.hold("in_2")], actor="trueup", now=NOW)
        ids = [each.id for each in first]
        again = life.propose(session, case, [small.hold("in_1"), small.hold("in_2")], actor="trueup", now=NOW)
        assert [each.id for each in again] == ids
        life.approve(session, ids[0], actor="ann", reason="checked", now=NOW, approvals=NOBODY)
        life.propose(session, case, [small.hold("in_1")], actor="trueup", now=NOW)
        assert [(each.status, each.closing_reason) for each in life.of_signal(session, signal)] == [
            ("approved", None),
            ("rejected", "nothing calls for it any more"),
        ]


def test_another_plan_sends_an_approved_action_back(engine: Engine) -> None:
    signal = small.signal(engine)
    with operational.writing(engine) as session:
        case = Case(session.get_one(Signal, signal), None, (), (), (), (), {})
        (action,) = life.propose(session, case, [small.credit("in_1", "10")], actor="trueup", now=NOW)
        life.approve(session, action.id, actor="ann", reason="checked", now=NOW, approvals=NOBODY)
        life.propose(session, case, [small.credit("in_1", "12")], actor="trueup", now=NOW)
        assert (action.status, action.amount, action.approved_by) == ("proposed", Decimal(12), None)
