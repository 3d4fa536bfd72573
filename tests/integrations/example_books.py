"""An example company read back from its files, and worked out again from them with `billing` alone.

Nothing here uses the code that made the company: prices, discounts, periods and usage come from the rows.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb

from billing.discounts import Discount, Scope
from billing.metering import Aggregation, Event, measure
from billing.periods import Period, period_containing
from billing.prices import Override, Price, overridden, tiers_from
from billing.proration import share_of_period
from billing.rating import Before, rate
from integrations import files

Row = dict[str, Any]
ZERO = Decimal(0)

_PRICE_FIELDS = (
    "model currency unit_amount flat_amount percent_rate package_size free_units convert convert_factor"
    " convert_rounding minimum_amount maximum_amount proration"
)


@dataclass
class Books:
    """Every table's rows, instants aware, decimals exact."""

    tables: dict[str, list[Row]]
    problems: int

    @classmethod
    def read(cls, folder: Path) -> Books:
        """Read a folder as the import reads it."""
        con = duckdb.connect()
        staged = files.read(folder, con)
        tables = {}
        for table, relation in staged.tables.items():
            result = con.execute(f"SELECT * FROM {relation}")
            names = [column[0] for column in result.description]
            tables[table] = [dict(zip(names, map(_aware, row), strict=True)) for row in result.fetchall()]
        return cls(tables, staged.problem_count)

    def rows(self, table: str) -> list[Row]:
        """The table's rows; none where it has no file."""
        return self.tables.get(table, [])

    def by_id(self, table: str) -> dict[str, Row]:
        """The table's rows by their id."""
        return {next(iter(row.values())): row for row in self.rows(table)}

    @cached_property
    def ids(self) -> dict[str, set[str]]:
        """The ids of each table."""
        return {table: {next(iter(row.values())) for row in rows} for table, rows in self.tables.items()}

    @cached_property
    def lines_of(self) -> dict[str, list[Row]]:
        """The lines of each invoice."""
        lines = defaultdict(list)
        for line in self.rows("invoice_lines"):
            lines[line["invoice_id"]].append(line)
        return lines

    @cached_property
    def items(self) -> dict[str, Row]:
        """The items, each with its subscription, price and meter."""
        subscriptions, prices, meters = (self.by_id(name) for name in ("subscriptions", "prices", "meters"))
        found = {}
        for item in self.rows("subscription_items"):
            price = prices[item["price_id"]]
            more = {"subscription": subscriptions[item["subscription_id"]], "price": price}
            found[item["item_id"]] = item | more | {"meter": meters.get(price["meter_id"])}
        return found

    @cached_property
    def events(self) -> dict[tuple[str, str], list[Row]]:
        """The accepted events by customer and type: a subject is a customer's from valid_from to valid_to."""
        owners = defaultdict(list)
        for subject in self.rows("subjects"):
            owners[subject["subject"]].append(subject)
        found = defaultdict(list)
        for event in self.rows("usage_events"):
            for owner in owners[event["subject"]] if event["status"] == "accepted" else ():
                until = owner["valid_to"]
                if owner["valid_from"] <= event["time"] and (until is None or event["time"] < until):
                    found[owner["customer_id"], event["event_type"]].append(event)
        return found

    def metered(self, line: Row) -> Decimal:
        """What the events of a usage line's item and period add up to, whenever they came in."""
        item = self.items[line["item_id"]]
        events = self.events[item["subscription"]["customer_id"], item["meter"]["event_type"]]
        within = [Event(each["time"], each["value"]) for each in events if _in(line, each["time"])]
        aggregation = Aggregation(item["meter"]["aggregation"])
        return measure(within, aggregation, line["period_start"], line["period_end"])[()]

    def price(self, item: Row, at: datetime) -> Price:
        """The item's price for a line that starts then, negotiated terms included."""
        record = item["price"]
        tiers = [tier for tier in self.rows("price_tiers") if tier["price_id"] == record["price_id"]]
        fields = {name: record[name] for name in _PRICE_FIELDS.split()}
        price = Price(**fields, tiers=tiers_from(tiers), metered=item["meter"] is not None)
        for each in self.rows("price_overrides"):
            same = (each["customer_id"], each["price_id"]) == (item["subscription"]["customer_id"], record["price_id"])
            if same and each["valid_from"] <= at and (each["valid_to"] is None or at < each["valid_to"]):
                return overridden(price, _override(each))
        return price

    def discounts(self, item: Row, at: datetime) -> list[Discount]:
        """The discounts that count for a line of the item that starts then."""
        scopes = {
            "item_id": (item["item_id"], Scope.ITEM),
            "subscription_id": (item["subscription_id"], Scope.SUBSCRIPTION),
            "customer_id": (item["subscription"]["customer_id"], Scope.CUSTOMER),
        }
        found = []
        for row in self.rows("discounts"):
            for column, (name, scope) in scopes.items():
                if row[column] == name:
                    terms = (row["starts_at"], row["ends_at"], row["currency"])
                    found.append(Discount(row["discount_id"], row["kind"], row["value"], scope, *terms))
        return [discount for discount in found if discount.counts_at(at)]

    def expected(self, line: Row) -> tuple[Decimal, Decimal]:
        """Amount and discount that the line should have for the quantity that it bills."""
        item = self.items[line["item_id"]]
        price = self.price(item, line["period_start"])
        discounts = () if line["amount"] < 0 else self.discounts(item, line["period_start"])
        if line["kind"] in {"usage", "adjustment"}:
            earlier = self._billed_before(line) if line["kind"] == "adjustment" else self.earlier_part(line)
            before = None if earlier is None else Before(earlier)
            rating = rate(price, line["raw_quantity"], before=before, discounts=discounts)
        else:
            rating = rate(price, line["quantity"], share=self._share(item, line), discounts=discounts)
        assert rating.amount is not None, rating.problem
        return (-rating.amount if line["amount"] < 0 else rating.amount), rating.discount

    def earlier_part(self, line: Row) -> Decimal | None:
        """What the lines before it billed of its period, where that is split over several lines."""
        full = self.full_period(line)
        parts = [
            each["raw_quantity"]
            for each in self._usage_lines[line["item_id"]]
            if full.start <= each["period_start"] and each["period_end"] <= line["period_start"]
        ]
        return sum(parts, ZERO) if parts else None

    def full_period(self, line: Row) -> Period:
        """The billing period of the line's item that its start lies in."""
        item = self.items[line["item_id"]]
        subscription = item["subscription"]
        anchored = (subscription["billing_anchor"], item["price"]["cadence"], subscription["timezone"])
        return period_containing(*anchored, line["period_start"])

    @cached_property
    def _usage_lines(self) -> defaultdict[str, list[Row]]:
        found: defaultdict[str, list[Row]] = defaultdict(list)
        for line in self.rated_lines():
            if line["kind"] == "usage":
                found[line["item_id"]].append(line)
        return found

    def _billed_before(self, adjustment: Row) -> Decimal:
        window = ("item_id", "period_start", "period_end")
        return sum(
            (
                line["raw_quantity"]
                for line in self.rows("invoice_lines")
                if line["kind"] == "usage" and all(line[name] == adjustment[name] for name in window)
            ),
            ZERO,
        )

    def _share(self, item: Row, line: Row) -> Any:
        subscription = item["subscription"]
        anchored = (subscription["billing_anchor"], item["price"]["cadence"], subscription["timezone"])
        full = period_containing(*anchored, line["period_start"])
        part = Period(line["period_start"], line["period_end"])
        return share_of_period(part, full, item["price"]["proration"], subscription["timezone"])

    def rated_lines(self) -> Iterator[Row]:
        """The usage, recurring and adjustment lines of invoices that are not void."""
        invoices = self.by_id("invoices")
        for line in self.rows("invoice_lines"):
            if (
                line["kind"] in {"usage", "recurring", "adjustment"}
                and invoices[line["invoice_id"]]["status"] != "void"
            ):
                yield line

    def mispriced(self, unrated: Collection[str] = ()) -> set[str]:
        """The lines whose amount, net of their credit notes, is not what the contract says for their quantity.

        Those of the `unrated` prices cannot be worked out and are left out.
        """
        credited: defaultdict[str, Decimal] = defaultdict(Decimal)
        for note in self.rows("credit_notes"):
            credited[note["line_id"]] += note["amount"]
        found = set()
        for line in self.rated_lines():
            if line["price_id"] in unrated:
                continue
            amount, discount = self.expected(line)
            back = credited[line["line_id"]]
            net = line["amount"] - line["discount_amount"] - back
            if net != amount - discount and not (back and net == ZERO):
                found.add(line["line_id"])
        return found

    def misadded(self) -> set[str]:
        """The invoices whose totals do not follow from their lines, credits, notes and payments."""
        return {invoice["invoice_id"] for invoice in self.rows("invoices") if not self._adds_up(invoice)}

    def _adds_up(self, invoice: Row) -> bool:
        lines = self.lines_of[invoice["invoice_id"]]
        prices = self.by_id("prices")
        subtotal = sum((line["amount"] for line in lines), ZERO)
        discount = sum((line["discount_amount"] for line in lines), ZERO)
        tax = sum((line["tax_amount"] for line in lines), ZERO)
        exclusive = any(prices[line["price_id"]]["tax_behavior"] == "exclusive" for line in lines)
        total = subtotal - discount + (tax if exclusive else ZERO)
        paid_at = invoice["paid_at"] or datetime.max.replace(tzinfo=UTC)
        notes = [note for note in self.rows("credit_notes") if note["invoice_id"] == invoice["invoice_id"]]
        noted = sum((note["amount"] for note in notes if note["created_at"] <= paid_at), ZERO)
        due = max(total - invoice["credits_applied"] - invoice["amount_paid"] - noted, ZERO)
        if invoice["status"] == "void":
            due = ZERO
        stated = tuple(invoice[name] for name in ("subtotal", "discount_total", "tax_total", "total", "amount_due"))
        return stated == (subtotal, discount, tax, total, due)


def _aware(value: object) -> object:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


def _in(line: Row, instant: datetime) -> bool:
    return line["period_start"] <= instant < line["period_end"]


def _override(row: Row) -> Override:
    amounts = {name: row[name] for name in ("unit_amount", "flat_amount", "minimum_amount", "maximum_amount")}
    return Override(**amounts, tiers=tiers_from(json.loads(row["tiers"])) if row["tiers"] else None)
