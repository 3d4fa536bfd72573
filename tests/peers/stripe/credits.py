"""Credit grants and ledgers of the books as Stripe's billing credits and balance transactions."""

from __future__ import annotations

from tests.peers.stripe.books import Row
from tests.peers.stripe.numbers import UnheldError, minor, seconds
from tests.peers.stripe.shapes import Object, shaped

_CREDITED = {"funded": "credits_granted", "refund": "credits_application_invoice_voided"}
_DEBITED = {"consumed": "credits_applied", "expired": "credits_expired", "voided": "credits_voided"}
_BALANCE = {"consumed": "applied_to_invoice", "funded": "initial", "adjustment": "adjustment"}


def grant(row: Row, meters: list[str]) -> Object:
    """A credit grant: for everything that is metered, or for named prices."""
    features = row.get("features")
    if features is None:
        raise UnheldError("a grant that may pay for anything")
    by_type = sorted(features) == sorted(meters)  # type: ignore[call-overload]
    scope: Object = {"price_type": "metered"} if by_type else {"prices": [{"id": id} for id in features]}  # type: ignore[attr-defined]
    return shaped(
        "billing.credit_grant",
        id=row["grant_id"],
        created=seconds(row["created_at"]),
        customer=row["customer_id"],
        amount=_amount(row),
        applicability_config={"scope": scope},
        category="paid" if row["funding"] == "external" else "promotional",
        effective_at=seconds(row["effective_at"]),
        expires_at=seconds(row.get("expires_at")),
        voided_at=seconds(row.get("voided_at")),
        priority=row["priority"],
        metadata={},
    )


def movement(row: Row) -> Object:
    """What was booked: against a grant, or else against the customer's balance, which counts the other way."""
    booked, code = seconds(row["booked_at"]), str(row["currency"])
    if row.get("grant_id") is None:
        return shaped(
            "customer_balance_transaction",
            id=row["movement_id"],
            created=booked,
            customer=row["customer_id"],
            currency=code.lower(),
            amount=-minor(row["amount"], code),
            ending_balance=-minor(row["balance_after"], code),
            type=_BALANCE[str(row["kind"])],
        )
    side = "credit" if row["kind"] in _CREDITED else "debit"
    type = (_CREDITED if side == "credit" else _DEBITED)[str(row["kind"])]
    change: Object = {"amount": _amount(row), "type": type}
    if row.get("line_id"):
        change[type] = {"invoice": None, "invoice_line_item": row["line_id"]}
    return shaped(
        "billing.credit_balance_transaction",
        id=row["movement_id"],
        created=booked,
        effective_at=booked,
        credit_grant=row["grant_id"],
        type=side,
        _customer=row["customer_id"],
        **{side: change},
    )


def _amount(row: Row) -> Object:
    code = str(row["currency"])
    return {"type": "monetary", "monetary": {"currency": code.lower(), "value": abs(minor(row["amount"], code))}}
