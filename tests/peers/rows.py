"""Making rows of the books by hand: only what matters is stated, the other columns are null."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

from billing.books import BY_NAME
from billing.model import DECIMAL_PLACES

Row = dict[str, object]
Rows = dict[str, list[Row]]

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def at(text: str) -> datetime:
    """An instant in UTC from "2026-11-01" or "2026-11-01T08:30"."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def row(table: str, **values: object) -> Row:
    """A row with every column of the table; numbers and instants may be given as text."""
    columns = {column.name: column for column in BY_NAME[table].columns}
    made: Row = dict.fromkeys(columns)
    for name, value in values.items():
        kind = columns[name].kind
        if kind in DECIMAL_PLACES and value is not None:
            value = Decimal(str(value))
        elif kind == "ts" and isinstance(value, str):
            value = at(value)
        made[name] = value
    return made


def bill(invoice: Row, lines: Iterable[Row]) -> tuple[Row, list[Row]]:
    """An invoice whose amounts follow from its lines, and those lines as its own."""
    own = [line | {"invoice_id": invoice["invoice_id"]} for line in lines]

    def total(name: str) -> Decimal:
        return sum((Decimal(str(line[name])) for line in own), Decimal(0))

    sums = {"subtotal": total("amount"), "discount_total": total("discount_amount"), "tax_total": total("tax_amount")}
    made = sums | {"total": sums["subtotal"] - sums["discount_total"] + sums["tax_total"]}
    zeros: Row = {"credits_applied": Decimal(0), "amount_paid": Decimal(0)}
    invoice = {**invoice, **made} | {name: invoice[name] or zero for name, zero in zeros.items()}
    left = (
        Decimal(str(invoice["total"])) - Decimal(str(invoice["credits_applied"])) - Decimal(str(invoice["amount_paid"]))
    )
    due = Decimal(0) if invoice["status"] == "void" else max(Decimal(0), left)
    return invoice | {"amount_due": due}, own


def line(**values: object) -> Row:
    """A line of an invoice, without discount, tax and proration unless they are stated."""
    return row("invoice_lines", **({"discount_amount": 0, "tax_amount": 0, "proration": False} | values))
