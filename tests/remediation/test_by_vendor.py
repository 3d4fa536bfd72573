"""Each action by billing system: planned, applied, verified and, where it can be, undone, against that system's peer.

Stripe's actions are held so in the other modules of this folder, on a whole company.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from sqlalchemy import Engine

from integrations.writing import Deed
from remediation import execute, vendors
from remediation.actions import kinds
from remediation.plans import Plan, deeds_of, differing
from store.action_tables import Action
from tests.peers.rows import NOW
from tests.peers.stripe.process import Peer
from tests.peers.test_vendor_shapes import COMPANIES as DESCRIBED
from tests.peers.test_vendor_shapes import wrong_request
from tests.peers.vendor import running
from tests.remediation import small
from tests.remediation.by_vendor import CASES, VENDORS, Books, books

LINKS = ("ask_method", "ask_tax_id")
"""Deeds that no system shows: a link that is lost is asked for by a person."""
PAIRS = [(vendor, name) for vendor in VENDORS for name, kind in kinds().items()
         if any(verb in vendors.CAN[vendor] for verb in kind.needs)]  # fmt: skip


@pytest.fixture(scope="module")
def peers() -> Iterator[dict[str, Peer]]:
    """A running peer of each billing system."""
    with ExitStack() as stack:
        yield {vendor: stack.enter_context(running(vendor, NOW)) for vendor in VENDORS}


def planned(held: Books, name: str) -> Plan:
    """The first plan of an action for its case; a release is planned for a draft that is held."""
    case = CASES[name](held)
    if name == "release_draft":
        (id,) = [each.object_id for each in case.actions]
        held.writes.send(Deed("hold", "invoice", id), "before")
        row = held.writes.state("invoice", id)
        case.invoices[id] = row  # type: ignore[index]
    plans = list(kinds()[name].plan(case))
    assert plans, f"{held.vendor} has no {name} for its case"
    return plans[0]


def applied(engine: Engine, held: Books, plan: Plan) -> Action:
    """The action after it was carried out."""
    remedy = small.remedy(engine, {held.vendor: held.writes})
    id = small.action(engine, small.signal(engine, f"{held.vendor} {plan.kind}"), plan)
    return execute.apply(remedy, id, actor="ann")


def missing(held: Books, action: Action, plan: Plan) -> list[str]:
    """Where the system does not show what the plan promised."""
    found: list[str] = []
    if plan.after:
        row = held.writes.state(plan.deeds[0].type, plan.deeds[0].id)
        found += differing(plan.after, row) if row else ["it is gone"]
    if plan.shown:
        keys = [execute.key_of(action, place) for place in range(len(plan.deeds))]
        found += [deed.verb for deed, key in zip(plan.deeds, keys, strict=True) if not held.writes.seen(deed, key)]
    return found


@pytest.mark.parametrize(("vendor", "name"), PAIRS, ids=[f"{vendor}-{name}" for vendor, name in PAIRS])
def test_an_action_is_done_once_as_planned_though_its_reply_is_lost_and_undone(
    sqlite_engine: Engine, peers: dict[str, Peer], vendor: str, name: str
) -> None:
    peer = peers[vendor]
    held = books(vendor, peer)
    plan = planned(held, name)
    was = held.writes.state(plan.deeds[0].type, plan.deeds[0].id) if plan.before else None
    done = len(peer.done())
    method = held.writes.request(plan.deeds[0]).method.upper()
    if plan.deeds[0].verb not in LINKS:
        peer.fault("lost", method=method)
    action = applied(sqlite_engine, held, plan)
    assert (action.status, action.error) == ("succeeded", None)
    assert len(peer.done()) - done == len(deeds_of(action.plan))
    if vendor in DESCRIBED:  # the vendor's own description of the request, which shares nothing with the peer
        (written, *_) = peer.done()[done:]
        assert wrong_request(vendor, *(written[name] for name in ("method", "path", "body"))) == []  # type: ignore[arg-type]
    assert missing(held, action, plan) == []
    if not plan.reversible:
        return
    remedy = small.remedy(sqlite_engine, {vendor: held.writes})
    undone = execute.reverse(remedy, action.id, actor="ann", reason="it was right")
    assert (undone.status, undone.error) == ("rolled_back", None)
    if was is not None:
        assert differing(plan.before, held.writes.state(plan.deeds[0].type, plan.deeds[0].id) or {}) == []


@pytest.mark.parametrize("vendor", VENDORS)
def test_what_a_system_cannot_do_is_refused_before_anything_is_sent(peers: dict[str, Peer], vendor: str) -> None:
    peer = peers[vendor]
    writes = books(vendor, peer).writes
    with pytest.raises(ValueError, match="cannot open"):
        writes.request(Deed("open", "invoice", "x"))
    assert writes.state("invoice", "nothing") is None


@pytest.mark.parametrize("vendor", VENDORS)
def test_an_invoice_that_cannot_be_read_stops_the_action(
    sqlite_engine: Engine, peers: dict[str, Peer], vendor: str
) -> None:
    peer = peers[vendor]
    held = books(vendor, peer)
    invoice = next(iter(held.where("invoices", lambda row: row["status"] == "open")))["invoice_id"]
    key, name = {"lago": ("lago_id", "currency"), "chargebee": ("id", "currency_code"), "openmeter": ("id", "currency"),
                 "zuora": ("id", "account")}[vendor]  # fmt: skip
    peer.control("set", list="invoices", key=key, id=invoice, fields={name: None})
    verb = next(verb for verb in ("void", "pay", "credit") if verb in held.writes.can)
    done = len(peer.done())
    plan = small.plan("void_invoice", Deed(verb, "invoice", invoice, {}), before={"status": "open"}, integration=vendor)
    action = applied(sqlite_engine, held, plan)
    assert action.status == "failed" and "cannot be read, so nothing is done to it" in str(action.error)
    assert len(peer.done()) == done


def test_every_case_is_of_an_action_that_some_other_system_can_do() -> None:
    assert {name for _, name in PAIRS} <= CASES.keys()
