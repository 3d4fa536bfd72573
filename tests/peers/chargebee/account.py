"""One Chargebee site: books rows turned into its objects, lists by update with opaque offsets, lines cut in lists."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from tests.peers.chargebee import writes
from tests.peers.vendor import Object, Refused, text

KINDS = {
    "items": "item",
    "item_prices": "item_price",
    "customers": "customer",
    "subscriptions": "subscription",
    "usages": "usage",
    "invoices": "invoice",
    "credit_notes": "credit_note",
    "transactions": "transaction",
    "unbilled_charges": "unbilled_charge",
}
IS = {"customer_id[is]", "subscription_id[is]", "reference_invoice_id[is]"}
FILTERS = {"limit", "offset", "sort_by[asc]", "include_deleted", "updated_at[after]", *IS}
LINES = 3  # of an invoice in a list
DIGITS = {"JPY": 0, "KWD": 3}
MODEL = {"flat": "flat_fee", "graduated": "tiered"}
AGGREGATION = {"sum": "sum_of_usages", "latest": "last_usage", "max": "max_usage"}
STATUS = {"scheduled": "future", "trialing": "in_trial", "canceled": "non_renewing", "ended": "cancelled"}
UNIT = {"D": "day", "W": "week", "M": "month", "Y": "year"}


def cents(amount: Decimal | None, currency: str) -> int | None:
    """Minor units; None where the amount has a part of one (its exact text stands beside)."""
    minor = None if amount is None else amount * 10 ** DIGITS.get(currency, 2)
    return None if minor is None or minor != int(minor) else int(minor)


def epoch(at: datetime | None) -> int | None:
    """Seconds since 1970."""
    return None if at is None else int(at.timestamp())


def stated(thing: Object) -> Object:
    """Chargebee leaves out what is null."""
    return {name: value for name, value in thing.items() if value is not None}


def priced(name: str, amount: Decimal | None, currency: str) -> Object:
    """An amount in minor units and, where that is not exact, as text."""
    whole = cents(amount, currency)
    return stated({name: whole, f"{name}_in_decimal": text(amount) if whole is None else None})


class Account:
    """The site's objects by list."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.lists: dict[str, list[Object]] = {name: [] for name in KINDS}
        self.cards: dict[str, Object] = {}

    def allowed(self, headers: dict[str, str], key: str) -> bool:
        """Whether the key is the user of a basic authentication without a password."""
        return headers.get("authorization") == f"Basic {base64.b64encode(f'{key}:'.encode()).decode()}"

    def answer(self, method: str, path: str, query: dict[str, list[str]]) -> Object:
        """A list or an object."""
        parts = path.removeprefix("/api/v2/").split("/")
        asked = {name: values[0] for name, values in query.items()}
        if parts[0] not in KINDS:
            raise Refused(404, {"message": f"{path} was not found", "api_error_code": "resource_not_found"})
        if len(parts) == 1:
            return self._list(parts[0], asked)
        if parts[0] == "subscriptions" and parts[2:] == ["usages"]:
            parts = ["usages", asked.pop("id")]
        for thing in self.lists[parts[0]]:
            if thing["id"] == parts[1]:
                return self._entry(
                    parts[0], thing, int(asked.get("line_items_offset", "0")), 100 if not asked else LINES
                )
        raise Refused(404, {"message": f"{parts[1]} was not found", "api_error_code": "resource_not_found"})

    def write(self, method: str, path: str, body: Object) -> Object:
        """What is posted as a form."""
        return writes.posted(self, path.removeprefix("/api/v2/").split("/"), body)

    def _list(self, name: str, asked: dict[str, str]) -> Object:
        if unknown := set(asked) - FILTERS:
            raise Refused(400, {"message": f"unknown parameter {unknown}", "api_error_code": "param_wrong_value"})
        found = sorted(self.lists[name], key=lambda each: (each["updated_at"], each["id"]))
        if asked.get("include_deleted") != "true":
            found = [each for each in found if not each.get("deleted")]
        found = [each for each in found if each["updated_at"] > int(asked.get("updated_at[after]", "0"))]
        for column, wanted in asked.items():
            if column in IS:
                found = [each for each in found if str(each.get(column.removesuffix("[is]"))) == wanted]
        start = json.loads(asked["offset"])[0] if "offset" in asked else 0
        size = min(100, int(asked.get("limit", "10")))
        more = {"next_offset": json.dumps([start + size])} if start + size < len(found) else {}
        return {"list": [self._entry(name, each, 0, LINES) for each in found[start : start + size]]} | more

    def _entry(self, name: str, thing: Object, start: int, most: int) -> Object:
        if name == "invoices":
            lines = thing["line_items"]
            cut = {"line_items": lines[start : start + most]}
            thing = {**thing, **cut} | (
                {"line_items_next_offset": str(start + most)} if start + most < len(lines) else {}
            )
        if name == "subscriptions":  # which always come with their customer
            owner = next(each for each in self.lists["customers"] if each["id"] == thing["customer_id"])
            return {KINDS[name]: thing, "customer": owner}
        card = {"card": self.cards[thing["id"]]} if name == "customers" and thing["id"] in self.cards else {}
        return {KINDS[name]: thing} | card

    def load(self, rows: dict[str, list[Object]]) -> None:
        """Takes over rows of the books; those that Chargebee has no object for are left out."""
        self.lists["items"] += [_item(row) for row in rows.get("meters", [])]
        self.lists["item_prices"] += [self._item_price(row, rows) for row in rows.get("prices", [])]
        for row in rows.get("customers", []):
            self._customer(row)
        self.lists["subscriptions"] += [_subscription(row, rows) for row in rows.get("subscriptions", [])]
        self.lists["usages"] += [_usage(row) for row in rows.get("reported_usage", [])]
        self.lists["invoices"] += [_invoice(row, rows) for row in rows.get("invoices", [])]
        self.lists["credit_notes"] += [_note(row) for row in rows.get("credit_notes", [])]
        self.lists["transactions"] += [_transaction(row) for row in rows.get("payments", [])]

    def _item_price(self, row: Object, rows: dict[str, list[Object]]) -> Object:
        plan = next((plan for plan in rows["plans"] if plan["plan_id"] == row["plan_id"]), None)
        item = row["meter_id"] or (plan["plan_key"] if plan else f"item-{row['price_id']}")
        if not any(each["id"] == item for each in self.lists["items"]):
            self.lists["items"].append(
                {"id": item, "name": item, "type": "plan", "metered": False, "updated_at": 1_700_000_000}
            )
        code, tiers = row["currency"], [each for each in rows["price_tiers"] if each["price_id"] == row["price_id"]]
        stair = bool(tiers) and tiers[0]["unit_amount"] is None
        return stated(
            {
                "id": row["price_id"],
                "name": row["name"],
                "item_id": item,
                "item_type": "plan" if row["plan_id"] else "addon" if row["cadence"] else "charge",
                "pricing_model": "stairstep" if stair else MODEL.get(row["model"], row["model"]),
                **_price(row, code),
                "currency_code": code,
                **_period(row["cadence"], "period", "period_unit"),
                "free_quantity_in_decimal": text(row["free_units"]),
                "proration_type": "full_term" if row["proration"] == "none" else "site_default",
                "tiers": [_tier(tier, code) for tier in tiers] or _package(row, code),
                "status": row["status"],
                "updated_at": 1_700_000_000,
            }
        )

    def _customer(self, row: Object) -> None:
        number = row["tax_ids"][0] if row["tax_ids"] else None
        vat = {"verified": "valid", "unverified": "invalid", "pending": "undetermined"}
        method = row["payment_method"]
        balance = row["credit_balance"]
        if method and method["kind"] == "card":
            shown = {"card_type": "brand", "last4": "last4", "expiry_month": "exp_month", "expiry_year": "exp_year"}
            self.cards[row["customer_id"]] = {name: method[column] for name, column in shown.items()}
        self.lists["customers"].append(
            stated(
                {
                    "id": row["customer_id"],
                    "company": row["name"],
                    "email": row["email"],
                    "preferred_currency_code": row["currency"],
                    "billing_address": {"country": row["country"]} if row["country"] else None,
                    "vat_number": number["value"] if number else None,
                    "vat_number_status": vat[number["status"]] if number else None,
                    "payment_method": {"type": method["kind"]} if method else None,
                    "promotional_credits": cents(balance, row["currency"]) if balance else 0,
                    "deleted": row["status"] == "deleted",
                    "created_at": epoch(row["created_at"]),
                    "updated_at": epoch(row["created_at"]),
                }
            )
        )


def _period(cadence: str | None, count: str, unit: str) -> Object:
    found = re.fullmatch(r"P(\d+)([DWMY])", cadence) if cadence else None
    return {count: int(found[1]), unit: UNIT[found[2]]} if found else {}


def _item(row: Object) -> Object:
    return stated(
        {
            "id": row["meter_id"],
            "name": row["name"],
            "type": "addon",
            "metered": True,
            "usage_calculation": AGGREGATION[row["aggregation"]],
            "unit": row["unit"],
            "updated_at": 1_700_000_000,
        }
    )


def _price(row: Object, code: str) -> Object:
    """The price that stands in the item price itself; packages have theirs in a tier."""
    if row["package_size"] is not None:
        return {"pricing_model": "tiered"}
    return priced("price", row["unit_amount"] if row["flat_amount"] is None else row["flat_amount"], code)


def _package(row: Object, code: str) -> list[Object] | None:
    if row["package_size"] is None:
        return None
    size = {"pricing_type": "package", "package_size": int(row["package_size"])}
    return [{"starting_unit": 1, **size, **priced("price", row["unit_amount"], code)}]


def _tier(tier: Object, code: str) -> Object:
    amount = tier["flat_amount"] if tier["unit_amount"] is None else tier["unit_amount"]
    until = {} if tier["up_to"] is None else {"ending_unit": int(tier["up_to"])}
    return {"starting_unit": 1, **until, **priced("price", amount, code)}


def _subscription(row: Object, rows: dict[str, list[Object]]) -> Object:
    items = [each for each in rows["subscription_items"] if each["subscription_id"] == row["subscription_id"]]
    own = {each["override_id"]: each for each in rows["price_overrides"]}
    prices = {each["price_id"]: each for each in rows["prices"]}
    made = []
    for each in items:
        price, override = prices[each["price_id"]], own.get(each["item_id"])
        amount = (
            (override or price)["unit_amount"] if price["flat_amount"] is None else (override or price)["flat_amount"]
        )
        made.append(
            stated(
                {
                    "item_price_id": each["price_id"],
                    "item_type": "plan" if price["plan_id"] else "addon",
                    "quantity": None if each["quantity"] is None else int(each["quantity"]),
                    **priced("unit_price", amount, row["currency"]),
                }
            )
        )
    return stated(
        {
            "id": row["subscription_id"],
            "customer_id": row["customer_id"],
            "status": STATUS.get(row["status"], row["status"]),
            "currency_code": row["currency"],
            **_period(row["cadence"], "billing_period", "billing_period_unit"),
            "subscription_items": made,
            "start_date": epoch(row["started_at"]),
            "started_at": epoch(row["started_at"]) if row["status"] != "scheduled" else None,
            "activated_at": epoch(row["billing_anchor"]),
            "trial_end": epoch(row["trial_end"]),
            "cancelled_at": epoch(row["ended_at"] or row["cancel_at"]),
            "cancel_schedule_created_at": epoch(row["canceled_at"]),
            "auto_collection": "off" if row["collection_method"] == "send_invoice" else "on",
            "created_at": epoch(row["started_at"]),
            "updated_at": epoch(row["started_at"]),
            "deleted": False,
        }
    )


def _usage(row: Object) -> Object:
    subscription, _, price = row["item_id"].partition(":")
    return stated(
        {
            "id": row["record_id"],
            "subscription_id": subscription,
            "item_price_id": price,
            "usage_date": epoch(row["period_start"]),
            "quantity": text(row["quantity"]),
            "invoice_id": "inv" if row["status"] == "processed" else None,
            "created_at": epoch(row["recorded_at"]),
            "updated_at": epoch(row["recorded_at"]),
            "deleted": row["status"] == "rejected",
        }
    )


def _invoice(row: Object, rows: dict[str, list[Object]]) -> Object:
    code = row["currency"]
    lines = [each for each in rows["invoice_lines"] if each["invoice_id"] == row["invoice_id"]]
    off = cents(row["discount_total"], code)
    amounts = {"sub_total": "subtotal", "tax": "tax_total", "total": "total", "amount_paid": "amount_paid"}
    amounts |= {"credits_applied": "credits_applied", "amount_due": "amount_due"}
    status = {"draft": "pending", "open": "payment_due", "void": "voided"}.get(row["status"], row["status"])
    return stated(
        {
            "id": row["invoice_id"],
            "customer_id": row["customer_id"],
            "subscription_id": row["subscription_id"],
            "status": status,
            "currency_code": code,
            "date": epoch(row["issued_at"] or row["created_at"]),
            "generated_at": epoch(row["created_at"]),
            "due_date": epoch(row["due_at"]),
            "paid_at": epoch(row["paid_at"]),
            "voided_at": epoch(row["voided_at"]),
            "next_retry_at": epoch(row["next_attempt_at"]),
            "first_invoice": row["period_start"] is None,
            "discounts": [{"entity_type": "document_level_discount", "amount": off}] if off else None,
            "line_items": [_line(each, code, rows) for each in lines],
            **{name: cents(row[column], code) for name, column in amounts.items()},
            "updated_at": epoch(row["created_at"]),
            "deleted": False,
        }
    )


def _line(line: Object, code: str, rows: dict[str, list[Object]]) -> Object:
    price = next((each for each in rows["prices"] if each["price_id"] == line["price_id"]), None)
    kind = "adhoc" if price is None else "plan" if price["plan_id"] else "addon" if price["cadence"] else "charge"
    return stated(
        {
            "id": line["line_id"],
            "subscription_id": line["subscription_id"],
            "entity_type": "adhoc" if price is None else f"{kind}_item_price",
            "entity_id": line["price_id"],
            "metered": line["kind"] == "usage",
            "description": line["description"],
            "date_from": epoch(line["period_start"]) or 1_790_000_000,
            "date_to": epoch(line["period_end"]) or 1_790_000_000,
            "quantity_in_decimal": text(line["quantity"]),
            "pricing_model": None if price is None else MODEL.get(price["model"], price["model"]),
            **priced("unit_amount", line["unit_amount"], code),
            "amount": cents(line["amount"], code),
            "discount_amount": cents(line["discount_amount"], code),
            "tax_amount": cents(line["tax_amount"], code),
        }
    )


def _note(row: Object) -> Object:
    code = row["currency"]
    line = {"id": "li", "reference_line_item_id": row["line_id"], "amount": cents(row["amount"], code)}
    return {
        "id": row["credit_note_id"],
        "reference_invoice_id": row["invoice_id"],
        "customer_id": row["customer_id"],
        "type": "adjustment",
        "create_reason_code": row["reason"],
        "status": "voided" if row["status"] == "void" else "adjusted",
        "currency_code": code,
        "total": cents(row["amount"], code),
        "line_items": [line] if row["line_id"] else [],
        "date": epoch(row["created_at"]),
        "generated_at": epoch(row["created_at"]),
        "updated_at": epoch(row["created_at"]),
        "deleted": False,
    }


def _transaction(row: Object) -> Object:
    code, back = row["currency"], cents(row["amount_refunded"], row["currency"])
    status = {"succeeded": "success", "refunded": "success", "failed": "failure"}.get(row["status"], "in_progress")
    return stated(
        {
            "id": row["payment_id"],
            "customer_id": row["customer_id"],
            "type": "payment",
            "status": status,
            "currency_code": code,
            "amount": cents(row["amount"], code),
            "error_code": row["failure_code"],
            "linked_invoices": [{"invoice_id": row["invoice_id"], "applied_amount": cents(row["amount"], code)}],
            "linked_refunds": [{"txn_amount": back, "txn_status": "success"}] if back else None,
            "date": epoch(row["created_at"]),
            "updated_at": epoch(row["created_at"] + timedelta(seconds=1)),
            "deleted": False,
        }
    )
