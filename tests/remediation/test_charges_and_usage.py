"""Charges of the next invoice, lines of drafts, discounts, tax numbers and usage: at Stripe's peer, once, and back."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import config as configuration
import trueup
from remediation.actions import kinds
from remediation.case import Case
from remediation.plans import Plan
from store.operational_tables import Signal, SignalEntity, StoredFinding
from tests.peers.stripe.process import KEY
from tests.remediation import small
from tests.remediation.house import AS_OF, House
from tests.remediation.small import ZERO
from tests.remediation.test_more_actions import carried_out, proposed, waive_tickets


def line_of(invoice: str) -> SignalEntity:
    return SignalEntity(type="invoice_line", entity_id=f"il_{invoice}", role="affected", customer_id="cus_1")


def off(id: str, subscription: str) -> dict[str, Any]:
    """A tenth off a subscription, for ever."""
    return {"integration": "stripe", "discount_id": id, "customer_id": None, "subscription_id": subscription,
            "item_id": None, "kind": "percent", "value": "10", "currency": None,
            "starts_at": "2026-01-01T00:00:00+00:00", "ends_at": None}  # fmt: skip


def undone(made: House, id: str) -> None:
    made.run("actions", "reverse", id, "--as", "ann", "--reason", "it was right")


def test_a_line_that_was_put_on_a_draft_by_hand_is_set_right_and_back(made: House) -> None:
    made.peer.load(small.invoices(["in_by_hand"], "draft"))
    made.run("sync", "stripe")
    id = proposed(made, "TU-22", "edit_draft_line", [line_of("in_by_hand")], over="10.50")
    carried_out(made, id)
    (line,) = made.peer.control("object", id="in_by_hand")["parts"]  # type: ignore[misc]
    assert (line["amount"], made.peer.object("in_by_hand")["total"]) == (8950, 8950)
    made.run("actions", "verify", id)
    undone(made, id)
    (line,) = made.peer.control("object", id="in_by_hand")["parts"]  # type: ignore[misc]
    assert (line["amount"], made.peer.object("in_by_hand")["total"]) == (10000, 10000)


def test_what_an_issued_invoice_charged_too_little_is_on_the_next_one_once_and_taken_back(made: House) -> None:
    made.peer.load(small.invoices(["in_too_little"], "paid"))
    made.run("sync", "stripe")
    id = proposed(made, "TU-20", "charge_next_invoice", [line_of("in_too_little")], under="5.25")
    made.peer.fault("lost", method="POST")
    carried_out(made, id)
    waiting = made.peer.control("listed", kind="invoiceitem")["objects"]
    assert [(each["amount"], each["invoice"]) for each in waiting] == [(525, None)]  # type: ignore[union-attr, index]
    assert made.json("actions", "show", id)["status"] == "succeeded"
    made.run("actions", "verify", id)
    undone(made, id)
    assert made.peer.control("listed", kind="invoiceitem")["objects"] == []


def test_two_lines_of_one_customer_are_charged_together(made: House) -> None:
    made.peer.load(small.invoices(["in_both_1", "in_both_2"], "paid"))
    made.run("sync", "stripe")
    ids = [proposed(made, code, "charge_next_invoice", [line_of(invoice)], under="4")
           for code, invoice in (("TU-17", "in_both_1"), ("TU-18", "in_both_2"))]  # fmt: skip
    for id in ids:
        carried_out(made, id)
    assert [each["amount"] for each in made.peer.control("listed", kind="invoiceitem")["objects"]] == [400, 400]  # type: ignore[union-attr, index]
    for id in ids:
        undone(made, id)


def test_what_a_credit_comes_to_is_known_before_it_is_made(made: House) -> None:
    for status in ("open", "paid"):
        made.peer.load(small.invoices([f"in_{status}_credit"], status))
    made.run("sync", "stripe")
    done = len(made.peer.done())
    for code, invoice, before, after in (
        ("TU-22", "in_open_credit", "100.00", "93.00"), ("TU-26", "in_paid_credit", "0.00", "7.00")
    ):  # fmt: skip
        id = proposed(made, code, "credit_note", [line_of(invoice)], over="7")
        (preview,) = made.json("actions", "preview", id)
        assert (preview["before"], preview["after"], preview["currency"]) == (before, after, "USD")
        made.run("actions", "reject", id, "--as", "ann", "--reason", "only looked")
    assert len(made.peer.done()) == done


def test_a_charge_that_somebody_took_back_is_not_verified(made: House) -> None:
    id = proposed(made, "TU-21", "charge_next_invoice", [line_of("in_too_little")], under="3")
    carried_out(made, id)
    (item,) = made.peer.control("listed", kind="invoiceitem")["objects"]  # type: ignore[misc]
    key = {"Authorization": f"Bearer {KEY}"}
    made.peer.http.delete(f"{made.peer.url}/v1/invoiceitems/{item['id']}", headers=key).raise_for_status()  # type: ignore[index]
    assert "charge_next cus_1 is not seen there" in made.run("actions", "verify", id, code=1)


def test_what_is_charged_later_is_not_given_up_too(made: House) -> None:
    signal = made.signal("TU-44")
    made.run("advise", signal["id"])
    waive_tickets(made, signal["id"])
    charge, waiver = (made.actions(signal["id"], kind)[0] for kind in ("charge_next_invoice", "record_waiver"))
    made.approve(charge["id"])
    refused = made.run("actions", "approve", waiver["id"], "--as", "ann", "--reason", "too small", code=1)
    assert f"{charge['id']} (charge_next_invoice) is approved, which decides otherwise" in refused


def test_a_discount_that_had_ended_is_taken_off_and_the_others_stay(made: House) -> None:
    subscriptions = made.peer.control("listed", kind="subscription")["objects"]
    held = next(each for each in subscriptions if each["status"] == "active")  # type: ignore[union-attr, index]
    made.peer.load({"discounts": [off("di_ended", held["id"]), off("di_stays", held["id"])]})
    made.run("sync", "stripe")
    assert made.peer.object(held["id"])["discounts"] == ["di_ended", "di_stays"]
    affected = SignalEntity(type="discount", entity_id="di_ended", role="affected", customer_id=held["customer"])
    id = proposed(made, "TU-31", "end_discount", [affected])
    carried_out(made, id)
    assert made.peer.object(held["id"])["discounts"] == ["di_stays"]
    made.run("actions", "verify", id)
    refused = made.run("actions", "reverse", id, "--as", "ann", "--reason", "no", code=1)
    assert "cannot be undone" in refused


def test_a_customer_without_a_tax_number_gets_a_link(made: House) -> None:
    customer = next(iter(made.peer.control("listed", kind="customer")["objects"]))["id"]  # type: ignore[call-overload, index]
    affected = SignalEntity(type="customer", entity_id=customer, role="affected", customer_id=customer)
    id = proposed(made, "TU-62", "request_tax_id", [affected])
    carried_out(made, id)
    replied = next(each for each in made.json("actions", "show", id)["journal"] if each["kind"] == "replied")
    assert replied["reply"]["says"]["url"].startswith("https://billing.stripe.com/p/session/")


def usage_case(code: str, **more: Any) -> Case:
    """A case of usage of one customer at Stripe."""
    signal = Signal(id=7, code=code, integration="stripe", last_seen=AS_OF)
    can = {"stripe": frozenset({"report", "report_less", "unreport"})}
    given = {"findings": (), "entities": (), "can": can, **more}
    return Case(signal, None, also_seen=(), actions=(), **given)


def differing(metered: str, recorded: str, status: str = "draft", aggregation: str = "sum") -> list[Plan]:
    """What is planned where billing recorded another usage than was metered."""
    start, end = AS_OF - timedelta(days=20), AS_OF - timedelta(days=1)
    finding = StoredFinding(
        subject_type="item", subject_id="si_1", period_start=start, period_end=end, under=ZERO, over=ZERO,
        records=["item:si_1", "invoice:in_1"],
        evidence={"meter_id": "mtr_1", "metered": metered, "recorded": recorded},
    )  # fmt: skip
    case = usage_case(
        "TU-13",
        findings=(finding,),
        items={"si_1": {"item_id": "si_1", "subscription_id": "sub_1", "price_id": "price_1"}},
        meters={"mtr_1": {"event_type": "api", "aggregation": aggregation, "value_property": "$.n"}},
        subscriptions={"sub_1": {"subscription_id": "sub_1", "customer_id": "cus_1"}},
        invoices={"in_1": {"status": status}},
    )
    return list(kinds()["correct_usage"].plan(case))


def event_name(made: House) -> str:
    return str(made.peer.control("listed", kind="billing.meter")["objects"][0]["event_name"])  # type: ignore[index]


def test_usage_that_billing_missed_is_reported_as_one_difference_before_it_is_billed(made: House) -> None:
    assert differing("120", "100", status="open") == []  # it is billed: that is for a charge, or a credit
    assert differing("120", "100", aggregation="max") == []
    assert differing("100", "100") == []
    (less,) = differing("90.5", "100")
    assert (less.deeds[0].verb, less.deeds[0].about["value"]) == ("report_less", "-9.5")
    (plan,) = differing("120", "100")
    (deed,) = plan.deeds
    assert (deed.verb, deed.about["value"], deed.about["time"]) == ("report", "20", "2026-11-02T05:59:59+00:00")
    about = {**deed.about, "event_name": event_name(made)}
    home = trueup.Home(configuration.load())
    planned = small.plan("correct_usage", type(deed)(deed.verb, deed.type, deed.id, about), "downstream")
    id = small.action(home.engine, small.signal(home.engine, "usage"), planned)
    made.peer.fault("lost", method="POST")
    made.run("actions", "apply", f"ACT-{id}")
    assert made.peer.object(f"mev_{deed.id}")["payload"] == {"stripe_customer_id": "cus_1", "value": "20"}


def surplus(ages: dict[str, int], name: str) -> list[Plan]:
    """What is planned for surplus events that were received so many hours ago."""
    rows = {
        id: {"event_id": id, "event_type": name, "status": "accepted", "received_at": AS_OF - timedelta(hours=hours)}
        for id, hours in ages.items()
    }
    entities = tuple(
        SignalEntity(type="usage_event", entity_id=id, role="affected", customer_id="cus_1") for id in ages
    )
    return list(kinds()["cancel_usage"].plan(usage_case("TU-01", entities=entities, events=rows)))


def test_surplus_usage_is_taken_back_while_billing_still_allows_it(made: House) -> None:
    name = event_name(made)
    assert surplus({"ev_old": 30}, name) == []
    (plan,) = surplus({"ev_copy": 2, "ev_old": 30}, name)
    assert [deed.id for deed in plan.deeds] == ["ev_copy"] and "1 others are too old" in plan.change
    reported = {"event_name": name, "customer": "cus_1", "value": "4", "time": AS_OF.isoformat()}
    home, deed = trueup.Home(configuration.load()), plan.deeds[0]
    first = small.plan("resend_usage", type(deed)("report", "usage_event", deed.id, reported), "downstream")
    for name, each in (("reported", first), ("taken back", plan)):
        id = small.action(home.engine, small.signal(home.engine, name), each)
        made.run("actions", "apply", f"ACT-{id}")
    assert made.peer.object("mev_ev_copy")["canceled"] is True


def test_amounts_that_are_no_whole_minor_units_are_refused_before_anything_is_sent(made: House) -> None:
    home = trueup.Home(configuration.load())
    writes = home.remedy.writes["stripe"]
    deed = small.adjust("in_x", str(Decimal("1.005"))).deeds[0]
    try:
        writes.request(deed)
    except ValueError as error:
        assert "1.005 USD is not a whole number of minor units" in str(error)
    else:
        raise AssertionError("it would have been rounded")
