"""What the gate is worth on the example company with every fault, at Stripe's peer: the figures of docs/remediation.md.

Every rule runs, the standing approval holds what is blocked; then each held draft is repaired by its actions and, as
far as its cause is work of people, by putting the correct rows into the billing system, and released. `make held`.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import config as configuration
import trueup
from integrations import example
from remediation.verify import verify
from store import operational
from store.operational_tables import Signal
from tests.remediation.house import AS_OF, STRIPE_HOLDS, House, company, filled, house

pytestmark = pytest.mark.held

SEED = int(os.environ.get("TRUEUP_SEED", "11"))
HOLD = {"hold": "automatic", "approved_by": "ann"}
DRAFTS = ("invoices", "invoice_lines")


@dataclass
class Figures:
    """What is counted, by the ids of drafts."""

    drafts: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)  # faulty ones that a rule with a hold can see
    faulty: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)
    by_action: set[str] = field(default_factory=set)  # corrected by an action of Trueup
    others: set[str] = field(default_factory=set)  # that somebody else keeps from going out
    released: set[str] = field(default_factory=set)

    def told(self) -> str:
        """The figures as a person reads them."""
        return (
            f"gate: {len(self.drafts)} drafts, {len(self.faulty)} faulty; held {len(self.seen & self.held)} of "
            f"{len(self.seen)} that a rule holds, {len(self.held - self.faulty)} correct ones held; repaired by "
            f"actions {len(self.by_action)}, by people {len(self.held - self.others - self.by_action)}; released "
            f"{len(self.released)} of {len(self.held - self.others)} ({len(self.others)} are kept by somebody else)"
        )


def test_every_wrong_draft_is_held_repaired_and_released_and_no_correct_one_is_held(tmp_path: Path) -> None:
    least = example.least_for("all")
    books = company(tmp_path / "books", faults="all", customers=least, seed=SEED)
    right = company(tmp_path / "right", faults="none", customers=least, seed=SEED)
    filled(tmp_path, books)
    figures = Figures()
    with house(tmp_path, books, AS_OF + timedelta(minutes=10)) as made:
        figures.drafts = {each["invoice"] for each in made.json("gate")}
        codes = faults_of(books / "truth.jsonl", figures.drafts)
        holding = {rule["code"] for rule in made.json("rules", "list") if rule["gate"] == "hold"}
        figures.faulty = set(codes)
        figures.seen = {invoice for invoice, found in codes.items() if found & holding}
        made.configure(gate=HOLD)
        held = {each["invoice"]: each["hold"] for each in made.json("gate", "--hold") if each["state"] == "held"}
        figures.held = set(held)
        holds = {id: made.json("actions", "show", hold["action"])["signal"] for id, hold in held.items() if hold}
        assert all(made.peer.object(id)["auto_advance"] is False for id in figures.held)
        made.run("sync", "stripe")
        for id in sorted(holds):
            if by_actions(made, id):
                figures.by_action.add(id)
        by_people(made, right, figures.held - figures.by_action)
        made.run("sync", "stripe")
        made.run("run")
        figures.others = figures.held - holds.keys()
        figures.released = {id for id, signal in sorted(holds.items()) if let_go(made, id, signal)}
        print(figures.told())
        print({id: (codes.get(id), reasons(made, id)) for id in holds.keys() - figures.released})
    assert figures.seen <= figures.held
    assert not figures.held - figures.faulty
    assert figures.released == figures.held - figures.others


def faults_of(truth: Path, drafts: set[str]) -> Mapping[str, set[str]]:
    """The faults of each draft that has any."""
    found: dict[str, set[str]] = {}
    for line in truth.read_text().splitlines():
        fault = json.loads(line)
        for each in fault["entities"]:
            if each["type"] == "invoice" and each["role"] == "affected" and each["id"] in drafts:
                found.setdefault(each["id"], set()).add(fault["code"])
    return found


def reasons(made: House, invoice: str) -> list[dict[str, Any]]:
    """Why the gate holds a draft."""
    (found,) = made.json("gate", invoice)
    return [each for each in found["reasons"] if each["does"] == "hold"]


def signals_of(made: House, invoice: str) -> Iterable[str]:
    return dict.fromkeys(str(each["signal"]) for each in reasons(made, invoice) if each["signal"])


def by_actions(made: House, invoice: str) -> bool:
    """Correct the draft by the actions that its signals call for; whether nothing blocks it any more."""
    for signal in signals_of(made, invoice):
        made.run("advise", signal)
        for action in made.actions(signal):
            if action["phase"] == "root_cause" and action["status"] == "proposed":
                made.run("actions", "waive", action["id"], "--as", "ann", "--reason", "its owner mends it")
        for action in made.actions(signal):
            deeds = action["plan"]["deeds"]
            if action["kind"] not in ("correct_draft", "edit_draft_line") or deeds[0]["id"] != invoice:
                continue
            if action["status"] == "proposed":
                made.run("actions", "approve", action["id"], "--as", "ann", "--reason", "checked")
                made.run("actions", "apply", action["id"])
                verified(made, action["id"])
    return not reasons(made, invoice)


def verified(made: House, id: str) -> None:
    """Verify an action; one that does not bring what it promised is told, and is for people."""
    home = trueup.Home(configuration.load())
    action, verdict = verify(home.remedy, int(id.removeprefix("ACT-")), actor="ann")
    if not verdict.verified:
        with operational.reading(home.engine) as session:
            signal = session.get_one(Signal, action.signal_id)
            print(f"{id} of {signal.code} {signal.rule} is not verified: {verdict.found}")


def by_people(made: House, right: Path, drafts: set[str]) -> None:
    """What people repair: the drafts, and all that lies behind them, are in the billing system as they should be."""
    rows = {path.stem: list(_rows(path)) for path in right.iterdir() if path.stem in STRIPE_HOLDS}
    mended = {row["customer_id"] for row in rows["invoices"] if row["invoice_id"] in drafts}
    for row in rows["invoices"]:
        if row["invoice_id"] in drafts:
            row |= {"auto_advance": False, "finalizes_at": None}
    rows["invoices"] = [row for row in rows["invoices"] if row["invoice_id"] in drafts]
    rows["invoice_lines"] = [row for row in rows["invoice_lines"] if row["invoice_id"] in drafts]
    for table in ("credit_notes", "payments"):
        rows.pop(table, None)
    rows["customers"] = [row for row in rows["customers"] if row["customer_id"] in mended]
    made.peer.load(rows)


def let_go(made: House, invoice: str, signal: str) -> bool:
    """Release the draft by its action; whether it goes out by itself again. One that people made final went out."""
    if made.peer.object(invoice)["status"] != "draft":
        return True
    made.run("advise", signal)
    waiting = [each for each in made.actions(signal, "release_draft")
               if each["object"] == f"invoice:{invoice}" and each["status"] == "proposed"]  # fmt: skip
    if not waiting or reasons(made, invoice):
        return False
    made.run("actions", "approve", waiting[0]["id"], "--as", "ann", "--reason", "nothing speaks against it")
    made.run("actions", "apply", waiting[0]["id"])
    made.run("actions", "verify", waiting[0]["id"])
    return made.peer.object(invoice)["auto_advance"] is True


def _rows(path: Path) -> Iterable[dict[str, Any]]:
    if path.suffix == ".csv":
        with path.open(encoding="utf-8") as file:
            yield from csv.DictReader(file)
    elif path.suffix == ".jsonl":
        yield from (json.loads(line) for line in path.read_text().splitlines())
    else:
        import pyarrow.parquet as parquet

        yield from parquet.read_table(path).to_pylist()
