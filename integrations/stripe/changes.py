"""What Stripe's events say has changed, and the current content of it.

An event is only a hint: its object is asked for again by id, because events come in any order and in the API version
of their creation. Only what is gone from Stripe by then is taken from the event itself: removed items, ended
discounts, deleted customers and drafts. Events are kept for 30 days (docs.stripe.com/api/events).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from integrations.pages import Page, Remark
from integrations.stripe.amounts import moment
from integrations.stripe.api import Api, GoneError
from integrations.stripe.catalog import meter_rows
from integrations.stripe.credits import GRANTS
from integrations.stripe.customers import customer_rows
from integrations.stripe.invoices import invoice_rows
from integrations.stripe.objects import Object, Row, Rows, entries, ident, merged, nested
from integrations.stripe.reader import EXPAND, Products, Reader
from integrations.stripe.schedules import SCHEDULES, withdrawn_rows
from integrations.stripe.subscriptions import discount_rows, removed_items

TYPES: tuple[tuple[str, ...], ...] = (
    (
        "customer.created",
        "customer.updated",
        "customer.deleted",
        "customer.tax_id.created",
        "customer.tax_id.updated",
        "customer.tax_id.deleted",
        "customer.discount.created",
        "customer.discount.updated",
        "customer.discount.deleted",
        "customer.subscription.created",
        "customer.subscription.updated",
        "customer.subscription.deleted",
        "customer.subscription.paused",
        "customer.subscription.resumed",
        "customer.subscription.trial_will_end",
        "customer.subscription.pending_update_applied",
        "customer.subscription.pending_update_expired",
    ),
    (
        "product.created",
        "product.updated",
        "price.created",
        "price.updated",
        "billing.meter.created",
        "billing.meter.updated",
        "billing.meter.deactivated",
        "billing.meter.reactivated",
        "billing.credit_grant.created",
        "billing.credit_grant.updated",
        "billing.credit_balance_transaction.created",
        "credit_note.created",
        "credit_note.updated",
        "credit_note.voided",
    ),
    (
        "invoice.created",
        "invoice.updated",
        "invoice.deleted",
        "invoice.finalized",
        "invoice.finalization_failed",
        "invoice.marked_uncollectible",
        "invoice.overdue",
        "invoice.paid",
        "invoice.payment_action_required",
        "invoice.payment_failed",
        "invoice.payment_succeeded",
        "invoice.sent",
        "invoice.voided",
        "invoice_payment.paid",
    ),
    (
        "payment_intent.created",
        "payment_intent.processing",
        "payment_intent.requires_action",
        "payment_intent.payment_failed",
        "payment_intent.succeeded",
        "payment_intent.canceled",
        "charge.refunded",
        "charge.dispute.created",
        "charge.dispute.updated",
        "charge.dispute.closed",
        "refund.created",
        "refund.updated",
        "refund.failed",
        "subscription_schedule.aborted",
        "subscription_schedule.canceled",
        "subscription_schedule.completed",
        "subscription_schedule.created",
        "subscription_schedule.expiring",
        "subscription_schedule.released",
        "subscription_schedule.updated",
    ),
)
"""The events that can change a row, in groups that one request may name (20 types at most)."""


AT_ONCE = 100
"""Changed objects that are read before their rows are stored."""


@dataclass
class Change:
    """One object that changed, with the events that say so, oldest first."""

    kind: str
    id: str
    events: list[Object] = field(default_factory=list)

    @property
    def last(self) -> Object:
        """The object as the newest event shows it."""
        shown: Object = nested(self.events[-1], "data", "object")
        return shown

    @property
    def deleted(self) -> bool:
        """Whether the last event says that the record is gone."""
        return bool(self.events) and str(self.events[-1].get("type")).endswith(".deleted")

    @property
    def at(self) -> int:
        """When the first of its events happened, in seconds since 1970."""
        return int(self.events[0]["created"])


def events_since(api: Api, seconds: int) -> Iterator[tuple[list[Object], datetime]]:
    """Pages of events that happened from then on, with the instant of Stripe's answer; in no particular order."""
    for types in TYPES:
        for listing in api.pages("events", types=list(types), created={"gte": seconds}):
            yield listing.objects, listing.at


def changes(events: Iterable[Object]) -> list[Change]:
    """The objects that the events are about, each once, in the order in which they changed first."""
    found: dict[tuple[str, str], Change] = {}
    for event in sorted(events, key=lambda event: (event["created"], event["id"])):
        key = _about(nested(event, "data", "object") or {})
        if key:
            found.setdefault(key, Change(*key)).events.append(event)
    return list(found.values())


def _about(shown: Object) -> tuple[str, str] | None:
    """The kind and id of what must be asked for again."""
    kind = str(shown.get("object"))
    about: Mapping[str, tuple[str, object]] = {
        "tax_id": ("customer", shown.get("customer")),
        "price": ("product", shown.get("product")),
        "charge": ("payment_intent", shown.get("payment_intent")),
        "dispute": ("payment_intent", shown.get("payment_intent")),
        "refund": ("payment_intent", shown.get("payment_intent")),
        "billing.credit_balance_transaction": ("billing.credit_grant", shown.get("credit_grant")),
    }
    kind, reference = about.get(kind, (kind, shown.get("id")))
    known_id = ident(reference)
    return (kind, known_id) if known_id and kind in _READ else None


def read(reader: Reader, change: Change) -> tuple[Rows, tuple[Remark, ...], datetime | None]:
    """The rows of a changed object as it is now, remarks, and the instant of that; no instant when it is gone."""
    try:
        return _READ[change.kind](reader, change)
    except GoneError:
        return {}, (), None


def changed_pages(reader: Reader, chunk: Sequence[Change]) -> Iterator[Page]:
    """The current rows of changed objects: a page for each instant as of which they are known, the oldest first.

    What only an event tells is as old as the event, and must not make what was asked for just now look that old.
    Raises SourceError.
    """
    known: dict[datetime, list[Rows]] = {}
    remarks: list[Remark] = []
    for change in chunk:
        rows, more, answered = read(reader, change)
        remarks += more
        if rows or more:
            known.setdefault(answered or moment(change.events[-1]["created"]), []).append(rows)
    for at in sorted(known):
        yield Page("events", merged(*known[at]), at, remarks=tuple(remarks))
        remarks = []


PARTS_OF: Mapping[str, tuple[str, ...]] = {"invoice": ("credit_notes", "invoice_payments")}
"""Lists that belong to a record and are pulled with it; each can be asked for by that record's id."""


def records_page(reader: Reader, records: Iterable[tuple[str, str]]) -> Page:
    """One page with the current rows of records by (type, id), and of what belongs to them. Raises SourceError."""
    parts: list[Rows] = []
    remarks: list[Remark] = []
    answered: list[datetime] = []
    for kind, id in records:
        rows, more, at = read(reader, Change(kind, id))
        parts.append(rows)
        remarks += more
        answered += [at] if at else []
        for path in PARTS_OF.get(kind, ()) if at else ():
            for listing in reader.api.pages(path, **{kind: id}, expand=_of_list(path)):
                rows, more = reader.read(path, listing.objects)
                parts.append(rows)
                remarks += more
                answered.append(listing.at)
    if not answered:
        raise GoneError("Stripe has none of the records any more.", permanent=True)
    return Page("records", merged(*parts), min(answered), remarks=tuple(remarks))


Result = tuple[Rows, tuple[Remark, ...], datetime | None]


def _current(path: str) -> Callable[[Reader, Change], Result]:
    """Asks for the object itself."""

    def ask(reader: Reader, change: Change) -> Result:
        """The record as it is now, and what hangs on it; nothing where it is gone."""
        found = reader.api.get(path, change.id, expand=list(EXPAND.get(path, ())))
        if found is None:
            return {}, (), None
        rows, remarks = reader.read_with_ledgers(path, [found[0]], again=True)
        return rows, remarks, found[1]

    return ask


def _customer(reader: Reader, change: Change) -> Result:
    """A deleted customer answers with nothing but its id: the event still has the rest.

    The ledger is read whenever the balance moved, also to nothing.
    """
    if not change.deleted:
        rows, remarks, at = _current("customers")(reader, change)
        moved = any("balance" in (nested(event, "data", "previous_attributes") or {}) for event in change.events)
        if not moved or "credit_movements" in rows or at is None:
            return rows, remarks, at
        ledger, more = reader.ledgers([{"customer": change.id}], again=True)
        return merged(rows, ledger), remarks + more, at
    rows, remarks = reader.each("customers", [{**change.last, "deleted": True, "discount": None}], customer_rows)
    return rows, remarks, moment(change.events[-1]["created"])


def _subscription(reader: Reader, change: Change) -> Result:
    rows, remarks, at = _current("subscriptions")(reader, change)
    closed, more = reader.each("subscriptions", change.events, lambda event: _closed_items(reader, event))
    return merged(rows, _only_new(closed, rows)), remarks + more, at


def _closed_items(reader: Reader, event: Object) -> Rows:
    shown, before = nested(event, "data", "object"), nested(event, "data", "previous_attributes")
    return {"subscription_items": removed_items(before, shown, moment(event["created"]), reader.catalog)}


def _schedule(reader: Reader, change: Change) -> Result:
    """The subscription that a schedule is of, or is to become; what the schedule planned before is taken back."""
    rows, remarks, at = _current(SCHEDULES)(reader, change)
    owner = ident(change.last.get("subscription") or change.last.get("released_subscription"))
    if owner:
        current, more, answered = _current("subscriptions")(reader, Change("subscription", owner))
        rows, remarks, at = merged(rows, current), remarks + more, at or answered
    kept = rows.get("subscription_items", [])
    gone, more = reader.each(SCHEDULES, [change.last], lambda _: _withdrawn(reader, change, owner or change.id, kept))
    return merged(rows, gone), remarks + more, at


def _withdrawn(reader: Reader, change: Change, owner: str, kept: Sequence[Row]) -> Rows:
    """Closed rows for what the events of a schedule show as planned at some time and is planned no more."""
    shown = [nested(event, "data", part) or {} for event in change.events for part in ("object", "previous_attributes")]
    phases = {int(phase["start_date"]): phase for each in shown for phase in entries(each.get("phases"))}
    made = moment(next((each["created"] for each in shown if each.get("created")), 0))
    in_order = [phases[start] for start in sorted(phases)]
    return {"subscription_items": withdrawn_rows(in_order, made, owner, kept, reader.price_in)}


def _only_new(closed: Rows, rows: Rows) -> Rows:
    """Closed items that the subscription has not got back since."""
    held = {row["item_id"] for row in rows.get("subscription_items", [])}
    return {"subscription_items": [row for row in closed.get("subscription_items", []) if row["item_id"] not in held]}


def _invoice(reader: Reader, change: Change) -> Result:
    """A deleted draft is void: it was never asked to be paid."""
    if not change.deleted:
        return _current("invoices")(reader, change)
    deleted_at = change.events[-1]["created"]
    times = {**(change.last.get("status_transitions") or {}), "voided_at": deleted_at}
    gone = {**change.last, "status": "void", "status_transitions": times, "automatically_finalizes_at": None}
    rows, remarks = reader.each("invoices", [gone], lambda invoice: invoice_rows(invoice, [], reader.facts))
    return {"invoices": rows.get("invoices", [])}, remarks, moment(deleted_at)


def _discount(reader: Reader, change: Change) -> Result:
    """A discount cannot be asked for by itself; the event shows it whole but for its coupon."""
    happened = moment(change.events[-1]["created"])
    shown = dict(change.last)
    coupon = nested(shown, "source", "coupon")
    if isinstance(coupon, str):
        found = reader.api.get("coupons", coupon)
        shown["source"] = {**shown["source"], "coupon": found[0] if found else None}
    ended = happened if change.deleted else None
    rows, remarks = reader.each("discounts", [shown], lambda discount: discount_rows(discount, ended))
    return rows, remarks, happened


def _product(reader: Reader, change: Change) -> Result:
    """All prices of the product, with the plan that it is."""
    noted = Products(reader)
    parts, remarks, at = [], (), None  # type: list[Rows], tuple[Remark, ...], datetime | None
    for listing in reader.api.pages("prices", product=change.id, expand=_of_list("prices")):
        noted.add(listing.objects)
        rows, more = reader.read("prices", listing.objects)
        parts, remarks, at = [*parts, rows], remarks + more, at or listing.at
    plans, more = noted.plans()
    return merged(*parts, plans), remarks + more, at


def _payment(reader: Reader, change: Change) -> Result:
    """A payment intent with the invoices that it pays, if any."""
    link = {"type": "payment_intent", "payment_intent": change.id}
    listing = reader.api.page("invoice_payments", payment=link, expand=_of_list("invoice_payments"))
    if listing.objects:
        return *reader.read("invoice_payments", listing.objects), listing.at
    return _current("payment_intents")(reader, change)


def _of_list(listed: str) -> list[str]:
    return [f"data.{field}" for field in EXPAND.get(listed, ())]


def _meter(reader: Reader, change: Change) -> Result:
    found = reader.api.get("billing/meters", change.id)
    return (*reader.each("billing/meters", [found[0]], meter_rows), found[1]) if found else ({}, (), None)


_READ: Mapping[str, Callable[[Reader, Change], Result]] = {
    "customer": _customer,
    "discount": _discount,
    "subscription": _subscription,
    "product": _product,
    "billing.meter": _meter,
    "subscription_schedule": _schedule,
    "billing.credit_grant": _current(GRANTS),
    "invoice": _invoice,
    "credit_note": _current("credit_notes"),
    "invoice_payment": _current("invoice_payments"),
    "payment_intent": _payment,
}
