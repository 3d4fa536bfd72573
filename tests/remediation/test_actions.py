"""Actions on the example company: planned, applied, verified and, where it can be, undone, at Stripe's peer."""

from __future__ import annotations

import config as configuration
import trueup
from integrations.writing import Deed
from remediation.actions import kinds
from remediation.case import Case
from remediation.plans import Plan
from store import operational
from store.action_tables import Action
from store.operational_tables import Signal, SignalEntity
from tests.remediation import small
from tests.remediation.house import House
from tests.remediation.test_repair import one


def test_a_doubled_line_on_a_draft_is_held_and_the_hold_is_undone(made: House) -> None:
    signal = made.signal("TU-40")
    made.run("advise", signal["id"])
    hold = one(made.actions(signal["id"], "hold_draft"))
    invoice = hold["object"].partition(":")[2]
    made.approve(hold["id"])
    made.run("actions", "apply", hold["id"])
    made.run("actions", "reverse", hold["id"], "--as", "ann", "--reason", "it is right after all")
    assert made.peer.object(invoice)["auto_advance"] is True
    assert one(made.actions(signal["id"], "hold_draft"))["status"] == "rolled_back"


def test_a_repair_that_somebody_takes_back_is_not_verified_and_both_amounts_are_said(made: House) -> None:
    signal = made.signal("TU-40")
    for ticket in made.actions(signal["id"], "open_ticket"):
        made.run("actions", "waive", ticket["id"], "--as", "ann", "--reason", "the draft goes first")
    correction = one(made.actions(signal["id"], "correct_draft"))
    invoice = correction["plan"]["deeds"][0]["id"]
    made.approve(correction["id"])
    made.run("actions", "apply", correction["id"])
    parts = made.peer.control("object", id=invoice)["parts"]
    wrong, before = made.peer.object(invoice), correction["plan"]["before"]["total"]
    made.peer.change(invoice, parts=parts[:-1], total=round(float(before)), subtotal=round(float(before)))  # type: ignore[index, arg-type]
    assert wrong["total"] != round(float(before))
    said = made.run("actions", "verify", correction["id"], code=1)
    assert "is not verified: total is" in said
    (found,) = made.actions(signal["id"], "correct_draft")
    assert found["status"] == "succeeded" and found["verdict"]["verified"] is False
    assert f"over {found['amount']} JPY" in found["verdict"]["found"]
    timeline = made.json("signal", "show", signal["id"])["timeline"]
    assert any("is not verified. Promised:" in (each["detail"] or "") for each in timeline)
    assert made.signal("TU-40")["status"] != "resolved"


def ended_plans(*statuses: str) -> list[Plan]:
    """What is planned for the first of a customer's subscriptions, which should have ended."""
    rows = {
        f"sub_{place}": {"subscription_id": f"sub_{place}", "customer_id": "cus_1", "status": status}
        for place, status in enumerate(statuses)
    }
    signal = Signal(code="TU-43", integration="stripe")
    entity = SignalEntity(type="subscription", entity_id="sub_0", role="affected", customer_id="cus_1")
    case = Case(signal, None, (), (entity,), (), (), {"stripe": frozenset({"cancel"})}, subscriptions=rows)
    return list(kinds()["sync_subscription"].plan(case))


def test_a_subscription_is_only_ended_where_the_customer_has_no_other() -> None:
    assert [each.object_id for each in ended_plans("active", "ended", "canceled")] == ["sub_0"]
    assert ended_plans("active", "active") == []
    assert ended_plans("ended", "ended") == []


def test_another_live_subscription_by_then_sends_the_cancellation_back(made: House) -> None:
    home = trueup.Home(configuration.load())
    subscriptions = made.peer.control("listed", kind="subscription")["objects"]
    live = [each for each in subscriptions if each["status"] == "active"]
    alone, other = live[0], live[1]
    number = small.signal(home.engine, "ended")
    planned = small.plan(
        "sync_subscription",
        Deed("cancel", "subscription", str(alone["id"])),
        before={"status": "active", "others": "0"},
    )
    id = small.action(home.engine, number, planned)
    made.peer.change(str(other["id"]), customer=alone["customer"])
    made.run("actions", "apply", f"ACT-{id}", code=1)
    with operational.reading(home.engine) as session:
        action = session.get_one(Action, id)
        assert (action.status, action.error) == (
            "proposed", f"subscription {alone['id']} is not as planned: others is 1, not 0",
        )  # fmt: skip
    made.peer.change(str(other["id"]), customer=other["customer"])
    made.approve(f"ACT-{id}")
    made.run("actions", "apply", f"ACT-{id}")
    assert made.peer.object(str(alone["id"]))["status"] == "canceled"


def test_an_invoice_whose_retries_are_exhausted_is_collected(made: House) -> None:
    signal = made.signal("TU-59")
    advice = made.json("advise", signal["id"])
    assert advice["root_cause"]["class"] == "collection"
    retry = one(made.actions(signal["id"], "retry_payment"))
    for ticket in made.actions(signal["id"], "open_ticket"):
        made.run("actions", "waive", ticket["id"], "--as", "ann", "--reason", "the customer has a new card")
    made.approve(retry["id"])
    made.run("actions", "apply", retry["id"])
    made.run("actions", "verify", retry["id"])
    assert one(made.json("signals", "--status", "any", "--code", "TU-59"))["status"] == "resolved"


def test_a_standing_approval_holds_what_is_blocked_and_never_on_stale_data(made: House) -> None:
    blocked = [each for each in made.json("gate") if each["state"] == "blocked"]
    assert blocked
    made.configure(gate={"hold": "automatic", "approved_by": "ann"}, stripe={"stale_after": "PT1S"})
    stale = [each for each in made.json("gate", "--hold") if each["invoice"] == blocked[0]["invoice"]]
    assert one(stale)["state"] == "warned"
    assert "the data is stale" in one(stale)["reasons"][0]["says"]
    done = len(made.peer.done())
    made.configure(gate={"hold": "automatic", "approved_by": "ann"})
    states = {each["invoice"]: each for each in made.json("gate", "--hold")}
    assert len(made.peer.done()) - done == len(blocked)  # and no correct draft is touched
    made.run("sync", "stripe")
    for each in blocked:
        assert made.peer.object(each["invoice"])["auto_advance"] is False
        assert states[each["invoice"]]["hold"]["approved_by"] == "ann"
    assert {each["state"] for each in made.json("gate")} <= {"held", "passed", "warned", "released"}
    made.peer.change(blocked[0]["invoice"], auto_advance=True)
    made.run("sync", "stripe")
    assert "the hold was lost" in one(made.json("gate", blocked[0]["invoice"]))["alert"]


def test_a_hold_that_was_lost_or_lasts_too_long_is_told_once_on_the_timeline(made: House) -> None:
    held = made.json("gate", "--reconcile")
    lost = one([each for each in held if each["state"] == "lost"])
    assert "would become final by itself again" in lost["alert"]
    assert {each["alert"] for each in held if each["state"] == "held"} == {None}
    made.configure(gate={"longest": "PT1S"})
    late = made.json("gate", "--reconcile")
    assert all("longer than 0:00:01: release it" in each["alert"] for each in late if each["state"] == "held")
    made.json("gate", "--reconcile")
    action = made.json("actions", "show", lost["action"])
    told = [each["detail"] for each in action["journal"] if each["kind"] == "alert"]
    assert told == [lost["alert"]]
    timeline = made.json("signal", "show", action["signal"])["timeline"]
    assert [each["detail"] for each in timeline if each["actor"] == "gate"].count(f"{lost['action']}: {told[0]}") == 1
    made.peer.fault("403", method="GET", times=50)
    assert {each["state"] for each in made.json("gate", "--reconcile")} == {"unknown"}
    made.peer.control("calm")
    made.configure()
