"""The rarer actions: planned from the books, applied at Stripe's peer, verified, and undone where that can be."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import config as configuration
import trueup
from remediation import life
from remediation.actions import kinds
from remediation.case import Case, read
from remediation.plans import Plan
from store import operational
from store.operational_tables import Signal, SignalEntity, StoredFinding
from tests.peers.openai import running as http_server
from tests.remediation import small
from tests.remediation.house import AS_OF, House
from tests.remediation.small import ZERO
from tests.remediation.test_repair import one


def item(made: House, subscription: str, id: str) -> dict[str, Any]:
    """An item of a subscription as the peer has it."""
    parts = made.peer.control("object", id=subscription)["parts"]
    return next(each for each in parts if each["id"] == id)  # type: ignore[union-attr, index]


def carried_out(made: House, id: str) -> None:
    """Approved by Ann and applied."""
    made.approve(id)
    made.run("actions", "apply", id)


def waive_tickets(made: House, signal: str) -> None:
    """Let what is downstream go first."""
    for each in made.actions(signal):
        if each["phase"] == "root_cause" and each["status"] == "proposed":
            made.run("actions", "waive", each["id"], "--as", "ann", "--reason", "agreed")


def test_seats_are_set_to_what_the_product_provides_and_back(made: House) -> None:
    signal = made.signal("TU-44")
    made.run("advise", signal["id"])
    action = one(made.actions(signal["id"], "correct_quantity"))
    deed = one(action["plan"]["deeds"])
    done = len(made.peer.done())
    (preview,) = made.json("actions", "preview", action["id"])
    seats = Decimal(deed["about"]["quantity"]) - Decimal(deed["about"]["was"])
    price = made.peer.object(str(item(made, deed["id"], deed["about"]["item"])["price"]))
    dearer = Decimal(preview["after"]) - Decimal(preview["before"])
    assert dearer == seats * Decimal(str(price["unit_amount"])) / 100 and preview["currency"] == "GBP"
    assert len(made.peer.done()) == done  # nothing is changed by looking
    journal = made.json("actions", "show", action["id"])["journal"]
    said = next(each["detail"] for each in journal if each["kind"] == "previewed")
    assert said.startswith(f"the next invoice: {preview['before']} GBP as it is")
    made.run("actions", "approve", action["id"], "--as", "ann", "--reason", "asked the customer")
    made.run("actions", "apply", action["id"])
    assert str(item(made, deed["id"], deed["about"]["item"])["quantity"]) == deed["about"]["quantity"]
    assert deed["about"]["quantity"] != deed["about"]["was"]
    made.run("actions", "verify", action["id"])
    made.run("actions", "reverse", action["id"], "--as", "ann", "--reason", "the product was wrong")
    assert str(item(made, deed["id"], deed["about"]["item"])["quantity"]) == deed["about"]["was"]


def test_an_item_is_moved_to_the_agreed_version_of_its_price_and_back(made: House) -> None:
    signal = made.signal("TU-24")
    made.run("advise", signal["id"])
    action = made.actions(signal["id"], "correct_price")[0]
    deed = one(action["plan"]["deeds"])
    about = deed["about"]
    assert "_v2_" in about["price"] and "_v1_" in about["was"]
    carried_out(made, action["id"])
    assert item(made, deed["id"], about["item"])["price"] == about["price"]
    made.run("actions", "verify", action["id"])
    made.run("actions", "reverse", action["id"], "--as", "ann", "--reason", "the move is put off")
    assert item(made, deed["id"], about["item"])["price"] == about["was"]


def test_a_customer_without_a_payment_method_gets_a_link_and_its_owner_is_told(made: House) -> None:
    signal = made.signal("TU-60")
    made.run("advise", signal["id"])
    notice = one(made.actions(signal["id"], "notify_owner"))
    carried_out(made, notice["id"])
    assert "say with --reason what was done" in made.run("actions", "verify", notice["id"], code=1)
    made.run("actions", "verify", notice["id"], "--as", "ben", "--reason", "wrote to them")
    waive_tickets(made, signal["id"])
    assert "is connected" in made.run("actions", "preview", notice["id"], code=1)
    link = one(made.actions(signal["id"], "request_payment_method"))
    assert "has no preview of request_payment_method" in made.run("actions", "preview", link["id"], code=1)
    carried_out(made, link["id"])
    replied = next(each for each in made.json("actions", "show", link["id"])["journal"] if each["kind"] == "replied")
    assert replied["reply"]["says"]["url"].startswith("https://billing.stripe.com/p/session/")
    made.run("actions", "verify", link["id"])
    refused = made.run("actions", "reverse", link["id"], "--as", "ann", "--reason", "no", code=1)
    assert "cannot be undone" in refused


def test_money_that_is_not_charged_later_is_written_off_by_name(made: House) -> None:
    signal = made.signal("TU-44")
    made.run("advise", signal["id"])
    waive_tickets(made, signal["id"])
    waiver = one(made.actions(signal["id"], "record_waiver"))
    assert Decimal(waiver["amount"]) > 0 and waiver["currency"] == "GBP"
    assert waiver["change"].startswith(f"Decide that {waiver['amount'].rstrip('0').rstrip('.')}")
    before = len(made.peer.done())
    carried_out(made, waiver["id"])
    made.run("actions", "verify", waiver["id"], "--as", "ann", "--reason", "too small to bill again")
    (after,) = [each for each in made.actions(signal["id"]) if each["id"] == waiver["id"]]
    assert (after["status"], after["verdict"]["found"]) == ("verified", "too small to bill again")
    assert len(made.peer.done()) == before
    assert made.json("scoreboard")["written_off"]["count"] == 0, "what is open is not written off yet"
    made.run("signals", "resolve", signal["id"], "--cause", "configuration", "--waiver", "too small", "--as", "ann")
    assert made.json("scoreboard")["written_off"]["verified"] == {"GBP": waiver["amount"]}
    label = ("--at", "2026-10-20", "--over", "120", "--currency", "EUR", "--note", "the auditor", "--as", "ann")
    assert "MISS-1" in made.run("scoreboard", "miss", *label)
    assert "'many' is no amount" in made.run("scoreboard", "miss", *label[:3], "many", *label[4:], code=2)
    told = made.run("scoreboard")
    assert f"Written off                 {waiver['amount']} GBP  {signal['id']}" in told
    assert "MISS-1: over 120.00 EUR, the auditor" in told


def test_credits_of_one_cause_are_decided_as_one_and_carried_out_one_first(made: House) -> None:
    signal = made.signal("TU-19")
    made.run("advise", signal["id"])
    refused = made.run(
        "actions", "batch", "approve", signal["id"], "credit_note", "--as", "ann", "--reason", "r", code=1
    )
    assert "first the root cause" in refused
    waive_tickets(made, signal["id"])
    batch = ("actions", "batch", "approve", signal["id"], "credit_note", "--first", "2", "--as", "ann", "--reason", "r")
    assert made.json(*batch)["totals"] == {"KWD": "270.000"}
    done = made.json("actions", "batch", "apply", signal["id"], "credit_note", "--as", "ann")
    assert sorted(done["statuses"].values()) == ["succeeded", "verified"]
    statuses = [each["status"] for each in made.actions(signal["id"], "credit_note")]
    assert sorted(statuses) == ["proposed", "succeeded", "verified"]


def test_an_approved_ticket_is_opened_in_the_folder_once(made: House, tmp_path: Path) -> None:
    made.configure(remediation={"tickets": {"folder": str(tmp_path / "tickets")}})
    signal = made.signal("TU-40")
    made.run("advise", signal["id"])
    ticket = one([each for each in made.actions(signal["id"], "open_ticket") if each["integration"] == "tickets"])
    carried_out(made, ticket["id"])
    (file,) = (tmp_path / "tickets").iterdir()
    told = json.loads(file.read_text())
    assert (told["signal"], told["change"]) == (signal["id"], ticket["change"])
    assert "say with --reason what was done" in made.run("actions", "verify", ticket["id"], code=1)
    made.run("actions", "verify", ticket["id"], "--as", "ben", "--reason", "the job is mended")
    made.configure()


def test_a_ticket_that_an_address_did_not_answer_for_is_parked_and_not_posted_again(made: House) -> None:
    with http_server() as server:
        server.will(lambda turn: turn.start(500, "text/plain"))
        made.configure(remediation={"tickets": {"url": server.url}})
        signal = made.signal("TU-59")
        made.run("advise", signal["id"])
        ticket = one([each for each in made.actions(signal["id"], "open_ticket") if each["integration"] == "tickets"])
        made.approve(ticket["id"])
        assert "answers 500" in made.run("actions", "apply", ticket["id"], code=1)
        assert len(server.requests) == 1
        server.will(lambda turn: (turn.start(201, "application/json"), turn.raw(b'{"id": "OPS-7"}'))[0])
        made.run("actions", "apply", ticket["id"], "--again")
        journal = made.json("actions", "show", ticket["id"])["journal"]
        assert [each["reply"]["id"] for each in journal if each["kind"] == "replied"] == ["OPS-7"]
        assert len({each["key"] for each in journal if each["kind"] == "calling"}) == 1
    made.configure()


def proposed(
    made: House, code: str, kind: str, entities: Sequence[SignalEntity], over: str = "0", under: str = "0"
) -> str:
    """A signal of a fault about records, and the one action of a kind that the books call for; its id."""
    home = trueup.Home(configuration.load())
    number = small.signal(home.engine, f"{code} {kind}")
    with operational.writing(home.engine) as session:
        signal = session.get_one(Signal, number)
        signal.code = code
        finding = StoredFinding(
            signal_id=number, run_id=signal.first_run_id, key=kind, digest="d", rule_hash="h",
            subject_type=entities[0].type, subject_id=entities[0].entity_id, under=Decimal(under), over=Decimal(over),
            exposure=ZERO, title="t", evidence={}, currency="USD",
            records=[f"{each.type}:{each.entity_id}" for each in entities],
        )  # fmt: skip
        session.add(finding)
        session.flush()
        for place, each in enumerate(entities):
            each.signal_id, each.finding_id, each.position = number, finding.id, place
            session.add(each)
        session.flush()
        session.expire_all()  # read as the next process will
        case = read(session, home.warehouse, signal, None, home.remedy.can)
        plans = list(kinds()[kind].plan(case))
        (action,) = life.propose(session, case, plans, actor="trueup", now=AS_OF)
        return action.label


def test_an_unpaid_invoice_of_which_nothing_is_right_is_voided(made: House) -> None:
    made.peer.load(small.invoices(["in_wrong_whole"], "open"))
    made.run("sync", "stripe")
    affected = SignalEntity(type="invoice", entity_id="in_wrong_whole", role="affected", customer_id="cus_1")
    id = proposed(made, "TU-19", "void_invoice", [affected], over="100")
    carried_out(made, id)
    assert made.peer.object("in_wrong_whole")["status"] == "void"
    made.run("actions", "verify", id)
    assert "cannot be undone" in made.run("actions", "reverse", id, "--as", "ann", "--reason", "oh", code=1)


def test_a_subscription_that_should_not_be_charged_is_paused_and_resumed(made: House) -> None:
    subscriptions = made.peer.control("listed", kind="subscription")["objects"]
    live = next(each for each in subscriptions if each["status"] == "active")  # type: ignore[union-attr, index]
    affected = SignalEntity(type="subscription", entity_id=live["id"], role="affected", customer_id=live["customer"])
    id = proposed(made, "TU-42", "pause_collection", [affected])
    carried_out(made, id)
    assert made.peer.object(live["id"])["pause_collection"] == {"behavior": "keep_as_draft"}
    made.run("actions", "verify", id)
    made.run("actions", "reverse", id, "--as", "ann", "--reason", "it is a new contract")
    assert made.peer.object(live["id"])["pause_collection"] is None


def resent(ages: dict[str, int], meter: str = "api") -> list[Plan]:
    """What is planned for refused events of so many days ago."""
    now = datetime(2026, 11, 3, 6, tzinfo=UTC)
    events = {
        id: {"event_id": id, "event_type": meter, "status": "rejected", "value": Decimal("2.50"),
             "subject": "cus_1", "properties": None, "time": now - timedelta(days=days)} for id, days in ages.items()
    }  # fmt: skip
    signal = Signal(code="TU-03", integration="stripe", last_seen=now)
    entities = tuple(
        SignalEntity(type="usage_event", entity_id=id, role="affected", customer_id="cus_1") for id in ages
    )
    case = Case(signal, None, (), entities, (), (), {"stripe": frozenset({"report"})}, events=events)
    return list(kinds()["resend_usage"].plan(case))


def test_refused_events_are_reported_again_each_once(made: House) -> None:
    assert resent({"ev_old": 40}) == []
    meters = made.peer.control("listed", kind="billing.meter")["objects"]
    (plan,) = resent({"ev_1": 3, "ev_2": 1, "ev_old": 40}, str(meters[0]["event_name"]))  # type: ignore[index]
    assert [deed.id for deed in plan.deeds] == ["ev_1", "ev_2"] and "1 others are too old" in plan.change
    home = trueup.Home(configuration.load())
    id = small.action(home.engine, small.signal(home.engine, "resend"), plan)
    made.peer.fault("lost", method="POST")
    made.run("actions", "apply", f"ACT-{id}")
    assert made.peer.object("mev_ev_1")["payload"] == {"stripe_customer_id": "cus_1", "value": "2.5"}
    reported = [each for each in made.peer.done() if str(each["path"]).endswith("meter_events")]
    assert len(reported) == len({each["key"] for each in reported}) == 2
