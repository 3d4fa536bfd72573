"""The example company while it is being made: its records, who already has a story or a fault, and its clock."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from integrations.example.credit_records import AlertSent, Grant, Movement, TopupRule
from integrations.example.records import (
    BillRun,
    CreditNote,
    Customer,
    Discount,
    Entitlement,
    Invoice,
    Item,
    Line,
    Override,
    Payment,
    Plan,
    PlanMigration,
    PriceRecord,
    Provisioned,
    ReportedUsage,
    Subject,
    Subscription,
)
from integrations.example.streams import Stream
from integrations.example.truth import Fault, Lookalike

HISTORY = timedelta(days=396)
"""How long before `as_of` the company's books begin."""


@dataclass
class Habits:
    """How a customer uses the product and pays: `size` against a middling one, `growth` per 30 days.

    `active` are the stretches in which there is usage at all; None: always. `daily_reports` says that the billing
    system is told the usage day by day, otherwise once per period.
    """

    size: float
    growth: float = 1.01
    weekend: float = 0.35
    week_ends_on: tuple[int, ...] = (5, 6)
    month_end: float = 1.2
    noise: float = 0.08
    active: list[tuple[datetime, datetime]] | None = None
    daily_reports: bool = False
    coarse: bool = False
    tax_rate: Decimal = Decimal(0)
    prepays: bool = False


@dataclass
class Company:
    """Everything about the example company. Records are kept by id, in the order in which they were made."""

    seed: int
    as_of: datetime
    events_wanted: int
    customers: dict[str, Customer] = field(default_factory=dict)
    habits: dict[str, Habits] = field(default_factory=dict)
    subjects: list[Subject] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)  # subjects of events that no row of `subjects` names
    said: list[str] = field(default_factory=list)  # properties of events beyond the usual ones, as JSON
    plans: dict[str, Plan] = field(default_factory=dict)
    prices: dict[str, PriceRecord] = field(default_factory=dict)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    items: dict[str, Item] = field(default_factory=dict)
    overrides: list[Override] = field(default_factory=list)
    discounts: list[Discount] = field(default_factory=list)
    migrations: list[PlanMigration] = field(default_factory=list)
    provisioned: list[Provisioned] = field(default_factory=list)
    streams: dict[tuple[str, str], Stream] = field(default_factory=dict)
    reported: list[ReportedUsage] = field(default_factory=list)
    bill_runs: dict[str, BillRun] = field(default_factory=dict)
    invoices: dict[str, Invoice] = field(default_factory=dict)
    lines: dict[str, Line] = field(default_factory=dict)
    credit_notes: list[CreditNote] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    grants: dict[str, Grant] = field(default_factory=dict)
    movements: list[Movement] = field(default_factory=list)
    topup_rules: list[TopupRule] = field(default_factory=list)
    alerts: list[AlertSent] = field(default_factory=list)
    entitlements: list[Entitlement] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    lookalikes: list[Lookalike] = field(default_factory=list)
    bills_changes_at_once: set[str] = field(default_factory=set)  # subscriptions; others on the next invoice
    billed_later: dict[str, datetime] = field(default_factory=dict)  # item: start of a period with late usage to adjust
    told: dict[str, str] = field(default_factory=dict)  # the story of each customer that has one
    kept_for: dict[str, set[str]] = field(default_factory=dict)  # stories: the faults that need their customers
    faulty: set[str] = field(default_factory=set)  # customers on whom a fault is planted
    faults_of_a_code: int = 1  # how many are planted
    _numbers: Counter[str] = field(default_factory=Counter)
    _notes: defaultdict[str, list[CreditNote]] = field(default_factory=lambda: defaultdict(list))
    _subjects: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    _overrides: defaultdict[tuple[str, str], list[Override]] = field(default_factory=lambda: defaultdict(list))
    _discounts: defaultdict[str, list[Discount]] = field(default_factory=lambda: defaultdict(list))
    _subscriptions: defaultdict[str, list[Subscription]] = field(default_factory=lambda: defaultdict(list))
    _items: defaultdict[str, list[Item]] = field(default_factory=lambda: defaultdict(list))
    _invoices: defaultdict[str, list[Invoice]] = field(default_factory=lambda: defaultdict(list))
    _lines: defaultdict[str, list[Line]] = field(default_factory=lambda: defaultdict(list))

    @property
    def opened(self) -> datetime:
        """When the books begin: a midnight, UTC."""
        return (self.as_of - HISTORY).replace(hour=0, minute=0, second=0, microsecond=0)

    def release(self, story: str, code: str) -> None:
        """Let other faults have the customers of a story that a fault no longer needs."""
        waiting = self.kept_for.pop(story, set()) - {code}
        if waiting:
            self.kept_for[story] = waiting

    def new_id(self, prefix: str) -> str:
        """The next id of that kind: opaque, and the same for the same seed."""
        self._numbers[prefix] += 1
        text = f"{self.seed}/{prefix}/{self._numbers[prefix]}"
        return f"{prefix}_{hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}"

    def rng(self, purpose: str) -> np.random.Generator:
        """Random numbers for one purpose, so that one part can change without moving the others."""
        digest = hashlib.blake2b(f"{self.seed}/{purpose}".encode(), digest_size=8).digest()
        return np.random.default_rng(int.from_bytes(digest, "big"))

    def add_subject(self, subject: Subject) -> None:
        """Keep a subject; events name it by its place in `subjects`."""
        self._subjects[subject.customer_id].append(len(self.subjects))
        self.subjects.append(subject)

    def add_stray(self, subject: str) -> int:
        """Keep a subject that is nobody's; the number by which events name it is below zero."""
        self.strays.append(subject)
        return -len(self.strays)

    def add_properties(self, text: str) -> int:
        """Keep properties of events; the number by which events name them is below zero."""
        self.said.append(text)
        return -len(self.said)

    def add_override(self, override: Override) -> None:
        """Keep negotiated terms."""
        self.overrides.append(override)
        self._overrides[override.customer_id, override.price_id].append(override)

    def add_discount(self, discount: Discount) -> None:
        """Keep a discount of an item, a subscription or a customer."""
        self.discounts.append(discount)
        self._discounts[discount.item_id or discount.subscription_id or discount.customer_id or ""].append(discount)

    def add_subscription(self, subscription: Subscription) -> Subscription:
        """Keep a subscription."""
        self.subscriptions[subscription.subscription_id] = subscription
        self._subscriptions[subscription.customer_id].append(subscription)
        return subscription

    def add_item(self, item: Item) -> Item:
        """Keep an item of a subscription."""
        self.items[item.item_id] = item
        self._items[item.subscription_id].append(item)
        return item

    def remove_item(self, item: Item) -> None:
        """Forget an item that was never put on its subscription."""
        del self.items[item.item_id]
        self._items[item.subscription_id].remove(item)

    def add_invoice(self, invoice: Invoice) -> Invoice:
        """Keep an invoice."""
        self.invoices[invoice.invoice_id] = invoice
        self._invoices[invoice.customer_id].append(invoice)
        return invoice

    def add_line(self, line: Line) -> Line:
        """Keep a line of an invoice."""
        self.lines[line.line_id] = line
        self._lines[line.invoice_id].append(line)
        return line

    def remove_line(self, line: Line) -> None:
        """Forget a line that was never billed."""
        del self.lines[line.line_id]
        self._lines[line.invoice_id].remove(line)

    def remove_invoice(self, invoice: Invoice) -> None:
        """Forget an invoice that was never made, with its lines."""
        for line in list(self._lines[invoice.invoice_id]):
            self.remove_line(line)
        del self.invoices[invoice.invoice_id]
        self._invoices[invoice.customer_id].remove(invoice)

    def forget_item(self, item: Item) -> None:
        """Forget an item that was never put on its subscription, with its lines and what was recorded for it."""
        for line in [line for line in self.lines.values() if line.item_id == item.item_id]:
            self.remove_line(line)
        self.reported = [record for record in self.reported if record.item_id != item.item_id]
        del self.items[item.item_id]
        self._items[item.subscription_id].remove(item)

    def customer_of(self, item: Item) -> Customer:
        """The customer whose item it is."""
        return self.customers[self.subscription_of(item).customer_id]

    def subscription_of(self, item: Item) -> Subscription:
        """The subscription that the item belongs to."""
        return self.subscriptions[item.subscription_id]

    def price_of(self, item: Item) -> PriceRecord:
        """The item's catalog price."""
        return self.prices[item.price_id]

    def stream_of(self, item: Item) -> Stream:
        """The usage events that the metered item charges. Raises KeyError for an item that is not metered."""
        return self.streams[self.customer_of(item).customer_id, self.price_of(item).meter_id or ""]

    def subjects_of(self, customer_id: str) -> list[int]:
        """The places in `subjects` of the customer's subjects."""
        return list(self._subjects[customer_id])

    def overrides_of(self, customer_id: str, price_id: str) -> list[Override]:
        """The customer's negotiated terms for a price, whenever they are valid."""
        return list(self._overrides[customer_id, price_id])

    def discounts_on(self, scope_id: str) -> list[Discount]:
        """The discounts given on exactly that item, subscription or customer."""
        return list(self._discounts[scope_id])

    def subscriptions_of(self, customer_id: str) -> list[Subscription]:
        """The customer's subscriptions, first one first."""
        return list(self._subscriptions[customer_id])

    def items_of(self, subscription_id: str) -> list[Item]:
        """The subscription's items, ended ones too."""
        return list(self._items[subscription_id])

    def customer_items(self, customer_id: str) -> list[Item]:
        """The items of all the customer's subscriptions."""
        return [item for each in self._subscriptions[customer_id] for item in self._items[each.subscription_id]]

    def invoices_of(self, customer_id: str) -> list[Invoice]:
        """The customer's invoices, oldest first."""
        return sorted(self._invoices[customer_id], key=lambda invoice: (invoice.created_at, invoice.invoice_id))

    def add_note(self, note: CreditNote) -> None:
        """Keep a credit note."""
        self.credit_notes.append(note)
        self._notes[note.invoice_id].append(note)

    def notes_on(self, invoice_id: str) -> list[CreditNote]:
        """The credit notes of an invoice."""
        return list(self._notes[invoice_id])

    def lines_of(self, invoice_id: str) -> list[Line]:
        """The invoice's lines."""
        return list(self._lines[invoice_id])
