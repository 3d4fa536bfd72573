"""What a subscription schedule of Stripe will change, as subscriptions and items of the books that are still to come.

A phase that has not begun has items of its own, `<subscription>/<start>/<price>`; the items that it does without end
when it begins. Once Stripe has begun a phase its subscription holds the real items, and those of the plan are closed:
they were in force for no time. A schedule whose subscription does not exist yet is a subscription by the schedule's id.
Discounts of phases and their one-time charges are not read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from integrations.stripe.amounts import UnreadableError, currency, instant, moment, quantity
from integrations.stripe.catalog import cadence
from integrations.stripe.objects import Object, Row, Rows, entries, ident, known, link, needed, nested

SCHEDULES = "subscription_schedules"
EXPAND = ("phases.items.price",)
"""What a schedule without a subscription must be asked with."""

PriceIn = Callable[[str, str], str]
"""The id of the row of `prices` that holds a price in a currency."""

Terms = tuple[str, Decimal | None]
"""What an item is charged by: price and quantity."""


def planned_rows(subscription: Object, items: Sequence[Row], schedule: object, price_in: PriceIn) -> list[Row]:
    """The rows of `subscription_items` of a subscription with what its schedule will change. `items`: those it has now.

    Raises UnreadableError.
    """
    if not isinstance(schedule, Mapping) or schedule.get("status") != "active":
        return list(items)
    code, owner = currency(subscription.get("currency")), needed(subscription.get("id"), "subscription")
    current = nested(schedule, "current_phase", "start_date")
    phases = _phases(schedule)
    to_come = [phase for phase in phases if current is not None and phase["start_date"] > current]
    begun = [p for p in phases if p not in to_come and p["start_date"] > (schedule.get("created") or 0)]
    made = list(items)
    if to_come:
        following, starts = set(_terms(to_come[0])), moment(to_come[0]["start_date"])
        stays = {(price_in(price, code), units) for price, units in following}
        made = [row if (row["price_id"], row["quantity"]) in stays else row | {"active_to": starts} for row in items]
    before = set(_terms(next((p for p in phases if p["start_date"] == current), {})))
    made += _of_phases(to_come, before, owner, code, price_in)
    closed = _of_phases(begun, set(), owner, code, price_in)
    return made + [row | {"active_to": row["active_from"]} for row in closed]


def scheduled_rows(schedule: Object, price_in: PriceIn) -> Rows:
    """Rows of `subscriptions` and `subscription_items` for a schedule that was made ahead of its subscription.

    Nothing for one that was made for a subscription in service. One that has begun or was given up is
    over at its start. Raises UnreadableError.
    """
    phases = _phases(schedule)
    if not phases or phases[0]["start_date"] <= (schedule.get("created") or 0):
        return {}
    first, owner = phases[0], needed(schedule.get("id"), "schedule")
    code, starts = currency(first.get("currency")), moment(first["start_date"])
    waits = schedule.get("status") == "not_started"
    row: Row = {
        "subscription_id": owner,
        "customer_id": needed(schedule.get("customer"), "customer"),
        "plan_id": _first(entries(first.get("items")), "product"),
        "status": "scheduled" if waits else "ended",
        "currency": code,
        "started_at": starts,
        "cancel_at": instant(phases[-1].get("end_date")) if schedule.get("end_behavior") == "cancel" else None,
        "ended_at": None if waits else starts,
        "billing_anchor": starts,
        "cadence": _cadence(first),
        "timezone": "UTC",
        "collection_method": known(
            nested(schedule, "default_settings", "collection_method"),
            {"send_invoice": "send_invoice"},
            "charge_automatically",
        ),
        "external_url": link(schedule, "subscription_schedules"),
    }
    items = _of_phases(phases, set(), owner, code, price_in)
    closed = items if waits else [item | {"active_to": item["active_from"]} for item in items]
    return {"subscriptions": [row], "subscription_items": closed}


def withdrawn_rows(
    phases: Sequence[Object], made: datetime, owner: str, kept: Iterable[Row], price_in: PriceIn
) -> list[Row]:
    """Closed rows for what the owner's phases, in their order, once planned after `made`, and its plan has no more.

    `kept`: the rows that it has.
    """
    code = next((currency(phase["currency"]) for phase in phases if phase.get("currency")), None)
    held = {row["item_id"] for row in kept}
    planned = _of_phases(phases, set(), owner, code, price_in) if code else []
    return [
        row | {"active_to": row["active_from"]}
        for row in planned
        if row["item_id"] not in held and isinstance(row["active_from"], datetime) and row["active_from"] > made
    ]


def _phases(schedule: Mapping[str, object]) -> list[Object]:
    return sorted(entries(schedule.get("phases")), key=lambda phase: int(phase["start_date"]))


def _terms(phase: Object) -> list[Terms]:
    """What the phase charges by, in its order."""
    listed = entries(phase.get("items"))
    return [(needed(item.get("price"), "price"), _units(item)) for item in listed]


def _units(item: Object) -> Decimal | None:
    return None if item.get("quantity") is None else quantity(item["quantity"])


def _of_phases(phases: Sequence[Object], before: set[Terms], owner: str, code: str, price_in: PriceIn) -> list[Row]:
    """A row for what each phase adds to the one before it, until the phase that does without it."""
    rows: list[Row] = []
    for place, phase in enumerate(phases):
        terms = _terms(phase)
        for price, units in terms:
            if (price, units) in before:
                continue
            ends = next((p["start_date"] for p in phases[place + 1 :] if (price, units) not in _terms(p)), None)
            rows.append(
                {
                    "item_id": f"{owner}/{phase['start_date']}/{price}",
                    "subscription_id": owner,
                    "price_id": price_in(price, code),
                    "quantity": units,
                    "active_from": moment(phase["start_date"]),
                    "active_to": None if ends is None else moment(ends),
                }
            )
        before = set(terms)
    return rows


def _first(items: Iterable[Object], name: str) -> str | None:
    return next((found for item in items if (found := ident(nested(item, "price", name)))), None)


def _cadence(phase: Object) -> str:
    found = next((cadence(nested(item, "price", "recurring")) for item in entries(phase.get("items"))), None)
    if found is None:
        raise UnreadableError("none of its items recurs")
    return found
