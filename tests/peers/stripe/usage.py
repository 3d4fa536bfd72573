"""What a meter of the peer has counted: what the lines of the account's invoices bill, and every event sent since."""

from __future__ import annotations

from decimal import Decimal

from tests.peers.stripe.account import Account
from tests.peers.stripe.shapes import Object, shaped

MINUTE = 60


def summaries(account: Account, meter: Object, query: Object) -> list[Object]:
    """One summary for the whole time, as Stripe gives it without a grouping window; none where nothing was counted."""
    start, end = int(str(query["start_time"])), int(str(query["end_time"]))
    customer, event = str(query["customer"]), meter["event_name"]
    counted = _billed(account, str(meter["id"]), customer, start, end) + sum(
        (Decimal(str(sent["payload"]["value"])) for sent in account.listed("billing.meter_event")  # type: ignore[index]
         if sent["event_name"] == event and sent["payload"]["stripe_customer_id"] == customer  # type: ignore[index]
         and start <= int(str(sent["timestamp"])) < end),
        Decimal(0),
    )  # fmt: skip
    if not counted:
        return []
    whole = float(counted) if counted % 1 else int(counted)
    made = {"id": f"mtrusg_{customer}_{start}", "meter": meter["id"], "start_time": start, "end_time": end}
    return [shaped("billing.meter_event_summary", **made, aggregated_value=whole)]


def _billed(account: Account, meter: str, customer: str, start: int, end: int) -> Decimal:
    """What the drafts charge for these very minutes: every item with the meter is charged all that it counted."""
    by_item: dict[object, Decimal] = {}
    for invoice in account.listed("invoice"):
        if invoice["customer"] != customer or invoice["status"] != "draft":
            continue
        for line in account.parts.get(str(invoice["id"]), []):
            details = (line.get("pricing") or {}).get("price_details") or {}  # type: ignore[attr-defined]
            price = account.objects.get(str(details.get("price")), {})
            recurring: Object = price.get("recurring") or {}  # type: ignore[assignment]
            period: Object = line["period"]  # type: ignore[assignment]
            cut = [int(str(period[edge])) // MINUTE * MINUTE for edge in ("start", "end")]
            if recurring.get("meter") != meter or cut != [start, end]:
                continue
            stated = line["metadata"].get("trueup_raw_quantity")  # type: ignore[attr-defined]
            item = ((line.get("parent") or {}).get("subscription_item_details") or {}).get("subscription_item")  # type: ignore[attr-defined]
            units = Decimal(str(stated if stated not in (None, "null") else line["quantity_decimal"] or 0))
            by_item[item] = by_item.get(item, Decimal(0)) + units
    return max(by_item.values(), default=Decimal(0))
