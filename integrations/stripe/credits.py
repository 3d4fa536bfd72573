"""Stripe's billing credits and customer balances as grants and ledgers of the books.

A customer's ledger is that of the billing credits, where there are any, else that of the customer balance: the books
keep one ledger per customer and currency. Stripe states the balance after every change of the customer balance; for
billing credits it is added up here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from integrations.stripe.amounts import UnreadableError, currency, decimal, instant, moment, money
from integrations.stripe.objects import Object, Row, Rows, entries, ident, known, link, needed, nested

GRANTS = "billing/credit_grants"
TRANSACTIONS = "billing/credit_balance_transactions"

ACTOR = "stripe"

_GRANT_KINDS = {
    "credits_granted": "funded",
    "credits_application_invoice_voided": "refund",
    "credits_applied": "consumed",
    "credits_expired": "expired",
    "credits_voided": "voided",
}
_BALANCE_KINDS = {
    "applied_to_invoice": "consumed",
    "checkout_session_subscription_payment": "subscription_purchase",
    "credit_note": "funded",
    "initial": "funded",
    "unspent_receiver_credit": "funded",
}
_FUNDING = {"paid": "external"}


def grant_rows(grant: Object, meters: Iterable[str], at: datetime) -> Rows:
    """The row of `credit_grants`, as things stand at `at`. `meters`: all of the account, which a grant for metered
    prices may pay for. Raises UnreadableError.
    """
    amount = nested(grant, "amount", "monetary")
    if not isinstance(amount, dict):
        raise UnreadableError(f"it grants {nested(grant, 'amount', 'type')!r}, which is not known")
    code = currency(amount.get("currency"))
    created, effective = moment(grant.get("created")), instant(grant.get("effective_at"))
    row: Row = {
        "grant_id": needed(grant.get("id"), "grant"),
        "customer_id": needed(grant.get("customer"), "customer"),
        "currency": code,
        "amount": money(amount.get("value"), code),
        "funding": known(grant.get("category"), _FUNDING, "none"),
        "priority": int(decimal(50 if grant.get("priority") is None else grant["priority"])),
        "effective_at": effective or created,
        "expires_at": instant(grant.get("expires_at")),
        "voided_at": instant(grant.get("voided_at")),
        "features": _features(nested(grant, "applicability_config", "scope"), meters),
        "created_at": created,
        "external_url": link(grant, "billing/credit-grants"),
    }
    return {"credit_grants": [row | {"status": _status(row, at)}]}


def _status(grant: Row, at: datetime) -> str:
    ended = (("voided", "voided_at"), ("expired", "expires_at"))
    for status, name in ended:
        moment_of_it = grant[name]
        if isinstance(moment_of_it, datetime) and moment_of_it <= at:
            return status
    begins = grant["effective_at"]
    return "pending" if isinstance(begins, datetime) and begins > at else "active"


def _features(scope: object, meters: Iterable[str]) -> list[str] | None:
    """What the grant may pay for: named prices, or whatever is metered."""
    prices = [str(ident(price)) for price in entries(nested(scope, "prices"))]
    if prices:
        return sorted(prices)
    return sorted(meters) if nested(scope, "price_type") == "metered" else None


def credit_rows(customer_id: str, transactions: Sequence[Object]) -> Rows:
    """The ledger of a customer's billing credits from all its transactions, in any order. Raises UnreadableError."""
    rows: list[Row] = []
    ends: dict[str, Row] = {}
    for each in sorted(transactions, key=lambda one: (one["effective_at"], one["created"], one["id"])):
        change = each.get(str(each.get("type"))) or {}
        value = nested(change, "amount", "monetary")
        if not isinstance(value, dict):
            raise UnreadableError(f"credit transaction {each.get('id')} states no amount")
        code = currency(value.get("currency"))
        amount = money(value.get("value"), code) * (-1 if each["type"] == "debit" else 1)
        before = ends.get(code)
        held = Decimal(str(before["balance_after"])) if before else Decimal(0)
        ends[code] = {
            "movement_id": needed(each.get("id"), "transaction"),
            "customer_id": customer_id,
            "currency": code,
            "grant_id": ident(each.get("credit_grant")),
            "kind": known(change.get("type"), _GRANT_KINDS, "adjustment"),
            "amount": amount,
            "balance_before": held,
            "balance_after": held + amount,
            "sequence": int(str(before["sequence"])) + 1 if before else 1,
            "line_id": nested(change, "credits_applied", "invoice_line_item")
            or nested(change, "credits_application_invoice_voided", "invoice_line_item"),
            "actor": ACTOR,
            "booked_at": moment(each.get("effective_at")),
        }
        rows.append(ends[code])
    return {"credit_movements": rows}


def balance_rows(customer_id: str, transactions: Sequence[Object]) -> Rows:
    """The ledger of a customer's balance from all its transactions, the newest first, as Stripe lists them.

    Stripe's balance is what the customer owes: below zero it is credit. Raises UnreadableError.
    """
    rows: list[Row] = []
    counted: dict[str, int] = {}
    for each in reversed(transactions):
        code = currency(each.get("currency"))
        counted[code] = counted.get(code, 0) + 1
        amount, after = -money(each.get("amount"), code), -money(each.get("ending_balance"), code)
        rows.append(
            {
                "movement_id": needed(each.get("id"), "transaction"),
                "customer_id": customer_id,
                "currency": code,
                "grant_id": None,
                "kind": known(each.get("type"), _BALANCE_KINDS, "adjustment"),
                "amount": amount,
                "balance_before": after - amount,
                "balance_after": after,
                "sequence": counted[code],
                "line_id": None,
                "actor": ACTOR,
                "booked_at": moment(each.get("created")),
            }
        )
    return {"credit_movements": rows}


def touched(objects: Iterable[Object]) -> list[str]:
    """The customers whose ledger the objects (customers, invoices, grants) show to have been used, each once."""
    return list(dict.fromkeys(owner for thing in objects if (owner := _owner(thing))))


def _owner(thing: Object) -> str | None:
    kind = thing.get("object")
    if kind == "customer":
        return ident(thing.get("id")) if thing.get("balance") and not thing.get("deleted") else None
    if kind == "invoice":
        ends = thing.get("ending_balance")
        used = ends is not None and ends != (thing.get("starting_balance") or 0)
        return ident(thing.get("customer")) if used or _spends(thing) else None
    return ident(thing.get("customer"))


def _spends(invoice: Object) -> bool:
    """Whether billing credits paid a part of the invoice."""
    spent = entries(invoice.get("total_pretax_credit_amounts"))
    return any(each.get("type") == "credit_balance_transaction" for each in spent)
