"""Changes of subscriptions as other engines' own tests state them (subscription_changes.json)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from billing.changes import Item as Invoiced
from billing.changes import standing, to_bill
from billing.cycles import Plan, cycles
from billing.dialects import KILLBILL, LAGO, OPENMETER
from billing.invoicing import ExpectedLine, Item, Subscription, expected_lines, lines_due
from billing.money import from_minor, round_money, to_minor
from billing.periods import Period, Schedule, parse_duration
from billing.prices import Price
from billing.rating import rate
from billing.thresholds import due_at_threshold

from .cases import Case, at, cases, day
from .test_proration import CADENCES

Row = tuple[object, ...]
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def invoiced(rows: Iterable[Case]) -> list[Invoiced]:
    """Recurring items of one rate (and plan, where named) are of one kind; a repair names the item that it repairs."""
    return [
        Invoiced(
            row["name"],
            day(row["start"]),
            day(row["end"]),
            Decimal(row["amount"]),
            f"{row.get('plan')}/{row.get('phase')}/{Decimal(row['rate']) if 'rate' in row else None}",
            row.get("of"),
        )
        for row in rows
    ]


def row_of(item: Invoiced) -> Row:
    return ("repair" if item.repairs else "recurring", item.start, item.end, item.amount)


def wanted_row(row: Case) -> Row:
    """The peer's own comparison of repairs looks at dates and amounts, not at the item that is repaired."""
    return (row["type"], day(row["start"]), day(row["end"]), Decimal(row["amount"]))


def check_items(case: Case) -> None:
    existing = invoiced(case["existing_items"])
    if case["kind"] == "collapse_existing_items":
        found = standing(existing, case["currency"])
    else:
        found = to_bill(existing, invoiced(case["proposed_items"]), case["currency"])
    assert sorted(map(row_of, found), key=str) == sorted(map(wanted_row, case["expected"]["items"]), key=str)
    names = {row["name"] for row in case["existing_items"]}
    assert {item.repairs for item in found if item.repairs} <= names


def check_plan_events(case: Case) -> None:
    """Each event starts a plan that lasts until the subscription's next one."""
    events = sorted(case["events"], key=lambda event: event["at"])
    lines = [
        (cycle.start, cycle.end, cycle.share * Fraction(event["rate"]))
        for place, event in enumerate(events)
        for cycle in cycles(plan_of(case, event, events[place + 1 :]), day(case["invoice_through"]), KILLBILL)
    ]
    expected = case["expected"]
    if "total" in expected:
        assert KILLBILL.total((amount for *_, amount in lines), case["currency"]) == Decimal(expected["total"])
    if "item_count" in expected:
        assert len(lines) == expected["item_count"]
    for item in expected.get("items", ()):
        assert (day(item["start"]), day(item["end"])) in [line[:2] for line in lines]
        if "amount" in item:
            amounts = {line[:2]: round_money(line[2], case["currency"]) for line in lines}
            assert amounts[day(item["start"]), day(item["end"])] == Decimal(item["amount"])


def plan_of(case: Case, event: Case, later: list[Case]) -> Plan:
    following = [day(other["at"]) for other in later if other["subscription"] == event["subscription"]]
    return Plan(
        day(event["at"]),
        following[0] if following else None,
        event["bill_cycle_day"],
        parse_duration(CADENCES[event["billing_period"]]),
        in_advance=case.get("billing_mode", "in_advance") == "in_advance",
    )


def check_change_lines(case: Case) -> None:
    """The lines up to the last one that the case names, each with its dates, its amount and when it is invoiced."""
    setup, change, wanted = case["setup"], case["change"], case["expected"]["lines"]
    started = at(setup["started_at"])
    subscription = Subscription(
        at(setup.get("billing_anchor", setup["started_at"])),
        setup["cadence"],
        case["timezone"],
        started,
        ended_at=at(change["at"]) if change.get("cancel") else None,
        end_known=True,
    )
    until = max(at(line["to"]) for line in wanted)
    issued = change.get("existing_invoice") == "issued"
    found = expected_lines(subscription, items_of(case), Period(started, until), OPENMETER, issued=issued)
    rows = [(line.item_id, line.period.start, line.period.end, line.amount, line.due_at) for line in found]
    assert sorted(rows, key=str) == sorted((change_row(line, rows) for line in wanted), key=str)


def change_row(line: Case, rows: list[tuple[str, datetime, datetime, Decimal | None, datetime]]) -> Row:
    """A wanted line in the shape of a found one; a line on an invoice that exists already names no `invoice_at`."""
    start, end = at(line["from"]), at(line["to"])
    due = (
        at(line["invoice_at"])
        if "invoice_at" in line
        else next(r[4] for r in rows if r[:3] == (line["item"], start, end))
    )
    return (line["item"], start, end, Decimal(line["amount"]) if line["amount"] else None, due)


def items_of(case: Case) -> list[Item]:
    """The items of each phase, or one item and what it is replaced with."""
    setup, change = case["setup"], case["change"]
    started = at(setup["started_at"])
    if "phases" in setup:
        return list(phase_items(setup, started))
    price = price_of(setup, setup["item"]["price"])
    name = "v0" if "replace_price_with" in change else case["expected"]["lines"][0]["item"]
    first = Item(name, price, setup["item"]["payment_term"], started)
    if "replace_price_with" not in change:
        return [first]
    new = price_of(setup, change["replace_price_with"])
    changed = at(change["at"])
    return [
        Item(name, price, first.payment_term, started, active_to=changed),
        Item("v1", new, first.payment_term, changed, replaces=name),
    ]


def phase_items(setup: Case, started: datetime) -> Iterable[Item]:
    start = started
    for phase in setup["phases"]:
        end = None
        if "duration" in phase:
            end = Schedule(start, parse_duration(phase["duration"]), "UTC").boundary(1)
        for each in setup["items"]:
            if "unit_price" in each:
                price = Price("per_unit", "USD", unit_amount=Decimal(each["unit_price"]))
            else:
                price = price_of(setup, each["price"])
            name, term = f"{phase['key']}/{each['key']}", each.get("payment_term", "in_arrears")
            yield Item(name, price, term, start, active_to=end, end_known=True)
        start = end or start


def price_of(setup: Case, amount: str) -> Price:
    prorated = setup["proration"] and setup.get("subscription_end_mode") != "bill_full_period"
    basis = "second" if prorated else "none"
    return Price("flat", "USD", flat_amount=Decimal(amount), proration=basis, metered=False)


@dataclass
class Story:
    """Where a subscription of a lifecycle stands: its plan, the items so far, and what its usage came to."""

    case: Case
    started: datetime = LONG_AGO
    items: list[Item] = field(default_factory=list)
    usage: Decimal = Decimal(0)
    progressive: Decimal = Decimal(0)

    def price(self, minor: str, *, prorated: bool = True) -> Price:
        amount = from_minor(int(minor), self.case["currency"])
        return self.flat(amount, prorated=prorated)

    def flat(self, amount: Decimal, *, prorated: bool) -> Price:
        basis = "day" if prorated else "none"
        return Price("flat", self.case["currency"], flat_amount=amount, proration=basis, metered=False)

    def subscription(self, ended_at: datetime | None) -> Subscription:
        """Billed by calendar months."""
        anchor = datetime(self.started.year, self.started.month, 1, tzinfo=UTC)
        return Subscription(anchor, "P1M", self.case["timezone"], self.started, ended_at=ended_at)

    def lines(self, within: Period, ended_at: datetime | None = None) -> list[ExpectedLine]:
        return expected_lines(self.subscription(ended_at), self.items, within, LAGO)


def check_lifecycle(case: Case) -> None:
    story = Story(case)
    for step in case["steps"]:
        words, found = step["do"].split(), {}
        if words[0] == "subscribe":
            found = subscribe(story, words[1:], at(step["at"]))
        elif words[0] == "usage":
            found = use(story, Decimal(words[1]))
        elif words[0] == "bill":
            found = bill(story, at(step["at"]))
        elif words[0] in ("upgrade", "terminate"):
            found = leave(story, words, at(step["at"]) + timedelta(hours=12 if len(step["at"]) == 10 else 0))
        else:
            raise AssertionError(f"a step that nobody reads: {step['do']}")
        for name, wanted in step["expected"].items():
            assert found.get(name) == wanted, (step, found)


def subscribe(story: Story, words: list[str], when: datetime) -> dict[str, object]:
    plans = story.case["setup"]["plans"]
    name = words[0] if words else next(iter(plans))
    story.started = when
    plan = plans[name]
    term = "in_advance" if plan["pay_in_advance"] else "in_arrears"
    story.items = [Item("plan", story.price(plan.get("plan_minor") or plan["amount_minor"]), term, when)]
    story.items += fixed_items(story, name, when)
    return {"fixed_minor": fixed(story, name, when)}


def fixed_items(story: Story, plan: str, when: datetime) -> list[Item]:
    """The plan's fixed charges; one with the same key on the plan before follows it."""
    setup = story.case["setup"]
    how = setup.get("fixed_charges", {})
    known = {item.item_id for item in story.items}
    return [
        Item(
            f"{plan}/{each['key']}",
            story.flat(Decimal(each["amount"]) * Decimal(each["units"]), prorated=how["prorated"]),
            "in_advance" if how["pay_in_advance"] else "in_arrears",
            when,
            replaces=next((name for name in known if name.endswith(f"/{each['key']}")), None),
        )
        for each in setup["plans"][plan].get("fixed", ())
    ]


def fixed(story: Story, plan: str, when: datetime) -> list[str]:
    """What each fixed charge of the plan comes to on that day, less the unused part of the one that it follows."""
    morning = when.replace(hour=0, minute=0, second=0)
    due = lines_due(
        story.lines(Period(morning, morning + timedelta(days=1))), Period(morning, when + timedelta(days=1))
    )
    found = []
    for item in story.items:
        if item.item_id.startswith(f"{plan}/"):
            charge = sum((line.amount or Decimal(0) for line in due if line.item_id == item.item_id), Decimal(0))
            back = sum(
                (line.amount or Decimal(0) for line in due if line.credit and line.item_id == item.replaces), Decimal(0)
            )
            found.append(str(to_minor(charge + back, story.case["currency"])))
    return found


def use(story: Story, quantity: Decimal) -> dict[str, object]:
    """Usage, and the invoice that is due at once where a threshold is reached."""
    setup, currency = story.case["setup"], story.case["currency"]
    price = Price("per_unit", currency, unit_amount=Decimal(setup["charge"]["unit_amount"]))
    story.usage += rate(price, quantity).amount or Decimal(0)
    thresholds = [from_minor(int(each), currency) for each in setup.get("usage_thresholds_minor", ())]
    due = due_at_threshold(thresholds, story.usage, story.progressive)
    story.progressive += due
    return {"invoice_total_minor": str(to_minor(due, currency))} if due else {}


def bill(story: Story, when: datetime) -> dict[str, object]:
    """The invoice at the end of a period: the plan's fee in arrears and usage, less what was invoiced before."""
    latest = story.items[-1].item_id
    plan = latest.split("/")[0] if "/" in latest else next(iter(story.case["setup"]["plans"]))
    found = close(story, Period(when - timedelta(days=1), when), None)
    return found | {"fixed_minor": fixed(story, plan, when)}


def leave(story: Story, words: list[str], when: datetime) -> dict[str, object]:
    """A plan that is replaced, or ends: its own fee up to then, and the fixed charges of the next one."""
    within = Period(when, when + timedelta(seconds=1))
    if words[0] == "terminate":
        return close(story, within, when)
    new = words[2]
    plan = next(item for item in story.items if item.item_id == "plan")
    following = fixed_items(story, new, when) if new in story.case["setup"]["plans"] else []
    story.items = [end(item, when) for item in story.items]
    price = story.price(story.case["setup"]["plans"].get(new, {}).get("plan_minor", "0"))
    next_plan = Item("next", price, plan.payment_term, when, replaces="plan")
    story.items += [next_plan, *following]
    return close(story, within, None) | {"fixed_minor": fixed(story, new, when)}


def end(item: Item, when: datetime) -> Item:
    return Item(item.item_id, item.price, item.payment_term, item.active_from, when, replaces=item.replaces)


def close(story: Story, within: Period, ended_at: datetime | None) -> dict[str, object]:
    """The old plan's fee for its last part of the period and the period's usage, less what thresholds invoiced."""
    currency = story.case["currency"]
    fees = [line.amount or Decimal(0) for line in story.lines(within, ended_at) if line.item_id == "plan"]
    total = LAGO.total((Fraction(amount) for amount in [*fees, story.usage]), currency)
    credit, story.usage, story.progressive = story.progressive, Decimal(0), Decimal(0)
    return {
        "fees_minor": str(to_minor(total, currency)),
        "progressive_credit_minor": str(to_minor(credit, currency)),
        "invoice_total_minor": str(to_minor(total - credit, currency)),
    }


READERS: dict[str, Callable[[Case], None]] = {
    "existing_vs_proposed_items": check_items,
    "collapse_existing_items": check_items,
    "invoice_from_plan_events": check_plan_events,
    "subscription_change_lines": check_change_lines,
    "subscription_lifecycle": check_lifecycle,
}


@pytest.mark.parametrize("case", cases("subscription_changes.json"))
def test_a_change_is_billed_as_the_peer_says(case: Case) -> None:
    READERS[case["kind"]](case)
