"""A re-rating as plain text and as JSON: what a draft price makes of a past period."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from detector.explain_text import REASONS, money, named, table
from detector.price_settings import told

if TYPE_CHECKING:
    from detector.rerating import CustomerChange, RatedLine, Rerating

SHOWN = 50
"""Customers, and lines without an amount, that the text lists; the JSON has all."""


def as_text(found: Rerating) -> str:
    """A row per customer and currency, the totals per currency, then the lines that cannot be rated."""
    draft = "; ".join(f"{name} = {told(value)}" for name, value in found.columns.items())
    head = [
        f"Price {found.price_id}, periods that start from {_instant(found.start)} to before {_instant(found.end)}",
        f"Draft: {draft}",
    ]
    parts = [head, _changes(found), _totals(found), _unrated(found)]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _changes(found: Rerating) -> list[str]:
    if not found.changes:
        return ["No line can be rated both now and under the draft."]
    rows: list[tuple[str, ...]] = [("Customer", "", "lines", "now", "draft", "up", "down")]
    rows += [(named(each.customer_name, each.customer_id), *_amounts(each)) for each in found.changes[:SHOWN]]
    more = len(found.changes) - SHOWN
    return [*table(rows, right=(2, 3, 4, 5, 6)), *([f"... and {more:,} more; --json lists all"] if more > 0 else [])]


def _totals(found: Rerating) -> list[str]:
    rows = [("All customers", *_amounts(each)) for each in found.totals]
    return table(rows, right=(2, 3, 4, 5, 6)) if rows else []


def _amounts(each: CustomerChange) -> tuple[str, ...]:
    amounts = (each.now, each.draft, each.up, each.down)
    return each.currency, f"{each.lines:,}", *(money(amount, each.currency) for amount in amounts)


def _unrated(found: Rerating) -> list[str]:
    if not found.unrated:
        return []
    counts = Counter(why(line) for line in found.unrated)
    lines = [f"{count:,} not rated: {reason}." for reason, count in counts.most_common()]
    return [*lines, *(f"  {line.line_id} of {line.customer_id}" for line in found.unrated[:SHOWN])]


def why(line: RatedLine) -> str:
    """Why a line cannot be rated now, or else under the draft, as half a sentence."""
    reason, side = (line.now_reason, "now") if line.now is None else (line.draft_reason, "under the draft")
    return f"{REASONS.get(reason or '', reason or 'no reason is known')} ({side})"


def as_json(found: Rerating) -> dict[str, Any]:
    """Amounts as decimal strings in their currency's digits, instants as RFC 3339."""
    return {
        "price_id": found.price_id,
        "from": _instant(found.start),
        "to": _instant(found.end),
        "set": {name: told(value) for name, value in found.columns.items()},
        "customers": [
            {"customer_id": each.customer_id, "customer_name": each.customer_name, **_sums(each)}
            for each in found.changes
        ],
        "totals": [_sums(each) for each in found.totals],
        "lines": [_line(line) for line in found.lines],
        "unrated": [_reason(line) for line in found.unrated],
    }


def _reason(line: RatedLine) -> dict[str, Any]:
    return {"line_id": line.line_id, "reason": line.now_reason or line.draft_reason, "reason_text": why(line)}


def _sums(each: CustomerChange) -> dict[str, Any]:
    amounts = {name: _money(getattr(each, name), each.currency) for name in ("now", "draft", "up", "down")}
    return {"currency": each.currency, "lines": each.lines, **amounts}


def _line(line: RatedLine) -> dict[str, Any]:
    names = ("line_id", "invoice_id", "customer_id", "currency", "kind", "now_reason", "draft_reason")
    return {
        **{name: getattr(line, name) for name in names},
        "period_start": _instant(line.period_start),
        "period_end": _instant(line.period_end),
        **{name: _money(getattr(line, name), line.currency) for name in ("now", "draft", "change")},
    }


def _money(amount: Decimal | None, currency: str) -> str | None:
    return None if amount is None else money(amount, currency).replace(",", "")


def _instant(value: datetime | None) -> str | None:
    return None if value is None else value.astimezone(UTC).isoformat().replace("+00:00", "Z")
