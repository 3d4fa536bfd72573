"""One Lago organization: books rows turned into Lago's objects, lists with numbered pages, single objects."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from tests.peers.lago import writes
from tests.peers.lago.names import missing, uid
from tests.peers.vendor import Object, Refused, text

PREFIX = "/api/v1/"
KEYS = {
    "customers": "external_id",
    "plans": "code",
    "billable_metrics": "code",
    "subscriptions": "external_id",
    "events": "transaction_id",
}
DIGITS = {"JPY": 0, "KWD": 3}
INTERVAL = {"P7D": "weekly", "P1M": "monthly", "P3M": "quarterly", "P6M": "semiannual", "P1Y": "yearly"}
AGGREGATION = {"count": "count_agg", "sum": "sum_agg", "max": "max_agg", "unique_count": "unique_count_agg"}
MODEL = {"per_unit": "standard"}
ROUNDING = {"ceiling": "ceil", "floor": "floor", "half_up": "round"}
LISTS = "billable_metrics plans customers subscriptions applied_coupons invoices credit_notes payments wallets events"


def cents(amount: object, currency: object) -> int:
    """Minor units. Raises ValueError for a part of one."""
    minor = Decimal(str(amount)) * 10 ** DIGITS.get(str(currency), 2)
    if minor != int(minor):
        raise ValueError(f"{amount} {currency}")
    return int(minor)


class Account:
    """The organization's objects by list, newest first as Lago lists them."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.lists: dict[str, list[Object]] = {name: [] for name in LISTS.split()}
        self.transactions: dict[str, list[Object]] = {}

    def allowed(self, headers: dict[str, str], key: str) -> bool:
        """Whether the request has the key."""
        return headers.get("authorization") == f"Bearer {key}"

    def answer(self, method: str, path: str, query: dict[str, list[str]]) -> Object:
        """A list or an object."""
        parts = path.removeprefix(PREFIX).split("/")
        if method != "GET" or not path.startswith(PREFIX):
            raise missing(path)
        if parts[0] == "wallets" and parts[2:] == ["wallet_transactions"]:
            return _page("wallet_transactions", self.transactions.get(parts[1], []), query)
        if parts[0] == "customers" and parts[2:] == ["applied_coupons"]:
            own = [each for each in self.lists["applied_coupons"] if each["external_customer_id"] == parts[1]]
            return _page("applied_coupons", own, query)
        if parts[0] not in self.lists or len(parts) > 2:
            raise missing(path)
        if len(parts) == 1:
            return _page(parts[0], [self._short(parts[0], each) for each in self._filtered(parts[0], query)], query)
        return self.one(parts[0], parts[1], query)

    def write(self, method: str, path: str, body: Object) -> Object:
        """What is changed; Lago has no idempotency keys."""
        return writes.written(self, method, path, body)

    def _filtered(self, name: str, query: dict[str, list[str]]) -> list[Object]:
        found = self.lists[name]
        if name == "subscriptions":
            of = query.get("external_customer_id", [None])[0]
            found = [each for each in found if of is None or each["external_customer_id"] == of]
            return [each for each in found if each["status"] in query.get("status[]", ["active"])]
        if name == "wallets":
            if "external_customer_id" not in query:
                raise Refused(422, {"status": 422, "error": "Unprocessable Entity", "code": "validation_errors"})
            return [each for each in found if each["external_customer_id"] == query["external_customer_id"][0]]
        if name == "events" and query.get("timestamp_from"):
            start = datetime.fromisoformat(query["timestamp_from"][0])
            return [each for each in found if datetime.fromisoformat(each["timestamp"]) >= start]
        return found

    def _short(self, name: str, thing: Object) -> Object:
        """Lists leave out what only a single object says."""
        hidden = {
            "invoices": ("fees", "billing_periods", "subscriptions", "credits", "error_details"),
            "subscriptions": ("plan",),
        }
        return {field: value for field, value in thing.items() if field not in hidden.get(name, ())}

    def one(self, name: str, id: str, query: dict[str, list[str]]) -> Object:
        """A single object by its key. Raises Refused."""
        key = KEYS.get(name, "lago_id")
        status = query.get("status", ["active"])[0] if name == "subscriptions" else None
        for thing in self.lists[name]:
            if thing[key] == id and (status is None or thing["status"] == status):
                return {name.removesuffix("s"): thing}
        raise missing(name)

    def load(self, rows: dict[str, list[Object]]) -> None:
        """Takes over rows of the books; those that Lago has no object for are left out."""
        held = {name: rows.get(name, []) for name in rows} | {"_": []}
        self.lists["billable_metrics"] += [self._metric(row, rows) for row in held.get("meters", [])]
        self.lists["customers"] += [self._customer(row, rows) for row in held.get("customers", [])]
        self.lists["plans"] += [self._plan(row, rows) for row in held.get("plans", [])]
        self.lists["subscriptions"] += [self._subscription(row, rows) for row in held.get("subscriptions", [])]
        self.lists["applied_coupons"] += [_coupon(row) for row in held.get("discounts", [])]
        self.lists["invoices"] += [self._invoice(row, rows) for row in held.get("invoices", [])]
        self.lists["credit_notes"] += [self._note(row) for row in held.get("credit_notes", [])]
        self.lists["payments"] += [_payment(row) for row in held.get("payments", [])]
        self.lists["events"] += [_event(row) for row in held.get("usage_events", [])]
        for grant in held.get("credit_grants", []):
            self._grant(grant)

    def _metric(self, row: Object, rows: dict[str, list[Object]]) -> Object:
        prices = [price for price in rows.get("prices", []) if price["meter_id"] == row["meter_id"]]
        rounding = next((price["convert_rounding"] for price in prices if price.get("convert_rounding")), None)
        field = row["value_property"]
        return {
            "lago_id": uid(row["meter_id"]),
            "name": row["name"],
            "code": row["meter_id"],
            "description": None,
            "recurring": False,
            "rounding_function": ROUNDING[rounding] if rounding else None,
            "rounding_precision": 0 if rounding else None,
            "created_at": "2025-01-01T00:00:00Z",
            "field_name": field.removeprefix("$.") if field else None,
            "aggregation_type": AGGREGATION.get(row["aggregation"], "latest_agg"),
            "weighted_interval": None,
            "filters": [],
        }

    def _customer(self, row: Object, rows: dict[str, list[Object]]) -> Object:
        zones = [sub["timezone"] for sub in rows.get("subscriptions", []) if sub["customer_id"] == row["customer_id"]]
        paying = [sub for sub in rows.get("subscriptions", []) if sub["customer_id"] == row["customer_id"]]
        auto = any(sub["collection_method"] == "charge_automatically" for sub in paying)
        kind = row["is_business"]
        return {
            "lago_id": uid(row["customer_id"]),
            "sequential_id": len(self.lists["customers"]) + 1,
            "slug": f"LAG-{row['customer_id']}",
            "external_id": row["customer_id"],
            "applicable_timezone": zones[0] if zones else "UTC",
            "timezone": zones[0] if zones else None,
            "country": row["country"],
            "currency": row["currency"],
            "email": row["email"],
            "name": row["name"],
            "customer_type": None if kind is None else "company" if kind else "individual",
            "tax_identification_number": row["tax_ids"][0]["value"] if row["tax_ids"] else None,
            "created_at": text(row["created_at"]),
            "updated_at": text(row["created_at"]),
            "billing_configuration": {"invoice_grace_period": 3} | ({"payment_provider": "stripe"} if auto else {}),
        }

    def _plan(self, row: Object, rows: dict[str, list[Object]]) -> Object:
        own = [price for price in rows["prices"] if price["plan_id"] == row["plan_id"]]
        base = next(price for price in own if price["price_id"] == f"{row['plan_id']}:base")
        made = {
            "lago_id": uid(row["plan_id"]),
            "name": row["name"],
            "invoice_display_name": base["name"],
            "created_at": "2025-01-01T00:00:00Z",
            "code": row["plan_id"],
            "interval": INTERVAL[row["cadence"]],
            "amount_cents": cents(base["flat_amount"], row["currency"]),
            "amount_currency": row["currency"],
            "trial_period": 0,
            "pay_in_advance": base["payment_term"] == "in_advance",
            "bill_charges_monthly": None,
            "charges": [],
            "fixed_charges": [],
            "taxes": [],
        }
        for price in own:
            if price is not base:
                tiers = [tier for tier in rows["price_tiers"] if tier["price_id"] == price["price_id"]]
                kind = "charges" if price["meter_id"] else "fixed_charges"
                made[kind].append(_charge(price, tiers) if price["meter_id"] else _fixed(price, tiers, rows))
        return made

    def _subscription(self, row: Object, rows: dict[str, list[Object]]) -> Object:
        external = next(
            subject["subject"]
            for subject in rows["subjects"]
            if (subject["customer_id"], subject["valid_from"]) == (row["customer_id"], row["started_at"])
        )
        plan = next(plan for plan in self.lists["plans"] if plan["code"] == row["plan_id"])
        status = {"ended": "terminated", "scheduled": "pending"}.get(row["status"], "active")
        return {
            "lago_id": row["subscription_id"],
            "external_id": external,
            "lago_customer_id": uid(row["customer_id"]),
            "external_customer_id": row["customer_id"],
            "billing_time": "anniversary" if row["billing_anchor"] == row["started_at"] else "calendar",
            "name": None,
            "plan_code": row["plan_id"],
            "plan_amount_cents": plan["amount_cents"],
            "plan_amount_currency": row["currency"],
            "status": status,
            "created_at": text(row["started_at"]),
            "canceled_at": text(row["canceled_at"]),
            "started_at": None if status == "pending" else text(row["started_at"]),
            "ending_at": text(row["cancel_at"]),
            "subscription_at": text(row["started_at"]),
            "terminated_at": text(row["ended_at"]),
            "previous_plan_code": None,
            "next_plan_code": None,
            "downgrade_plan_date": None,
            "trial_ended_at": text(row["trial_end"]),
            "current_billing_period_started_at": None,
            "current_billing_period_ending_at": None,
            "on_termination_credit_note": "credit",
            "on_termination_invoice": "generate",
            "plan": plan,
        }

    def _invoice(self, row: Object, rows: dict[str, list[Object]]) -> Object:
        code = row["currency"]
        customer = next(each for each in self.lists["customers"] if each["external_id"] == row["customer_id"])
        zone = customer["applicable_timezone"]
        lines = [line for line in rows["invoice_lines"] if line["invoice_id"] == row["invoice_id"]]
        subscriptions = {line["subscription_id"]: line for line in lines if line["subscription_id"]}
        held = [each for each in self.lists["subscriptions"] if each["lago_id"] in subscriptions]
        status = {"draft": "draft", "void": "voided"}.get(row["status"], "finalized")
        updated = row["voided_at"] or row["created_at"]
        issuing = row["issued_at"] or row["finalizes_at"] or row["created_at"]
        return {
            "lago_id": row["invoice_id"],
            "billing_entity_code": "main",
            "sequential_id": 1,
            "number": row["number"] or "",
            "issuing_date": _date(issuing, zone),
            "invoice_type": "subscription",
            "status": status,
            "payment_status": "succeeded" if row["status"] == "paid" else "pending",
            "currency": code,
            "fees_amount_cents": cents(row["subtotal"], code),
            "coupons_amount_cents": cents(row["discount_total"], code),
            "credit_notes_amount_cents": 0,
            "sub_total_excluding_taxes_amount_cents": cents(row["subtotal"] - row["discount_total"], code),
            "taxes_amount_cents": cents(row["tax_total"], code),
            "sub_total_including_taxes_amount_cents": cents(row["total"], code),
            "prepaid_credit_amount_cents": cents(row["credits_applied"], code),
            "progressive_billing_credit_amount_cents": 0,
            "total_amount_cents": cents(row["total"] - row["credits_applied"], code),
            "version_number": 4,
            "created_at": text(row["created_at"]),
            "updated_at": text(updated),
            "customer": customer,
            "metadata": [],
            "applied_taxes": [],
            "fees": [_fee(line, row, rows) for line in lines],
            "subscriptions": [self._short("subscriptions", each) for each in held],
            "billing_periods": [_billing_period(row, each) for each in held],
            "credits": [],
            "error_details": [],
        } | ({"payment_due_date": _date(row["due_at"], zone)} if row["due_at"] else {})

    def _note(self, row: Object) -> Object:
        code = row["currency"]
        amount = cents(row["amount"], code)
        invoice = next(each for each in self.lists["invoices"] if each["lago_id"] == row["invoice_id"])
        fee = next((fee for fee in invoice["fees"] if fee["lago_id"] == row["line_id"]), None)
        items = (
            []
            if fee is None
            else [{"lago_id": uid("item"), "amount_cents": amount, "amount_currency": code, "fee": fee}]
        )
        zeros = "taxes_amount_cents taxes_rate refund_amount_cents offset_amount_cents coupons_adjustment_amount_cents"
        return dict.fromkeys(zeros.split(), 0) | {
            "lago_id": row["credit_note_id"],
            "billing_entity_code": "main",
            "sequential_id": 1,
            "number": f"CN-{row['credit_note_id']}",
            "lago_invoice_id": row["invoice_id"],
            "invoice_number": invoice["number"],
            "issuing_date": _date(row["created_at"], "UTC"),
            "credit_status": "voided" if row["status"] == "void" else "available",
            "refund_status": None,
            "reason": "other",
            "description": row["reason"],
            "currency": code,
            "total_amount_cents": amount,
            "sub_total_excluding_taxes_amount_cents": amount,
            "balance_amount_cents": amount,
            "credit_amount_cents": amount,
            "created_at": text(row["created_at"]),
            "updated_at": text(row["created_at"]),
            "items": items,
        }

    def _grant(self, row: Object) -> None:
        wallet_id = uid(f"wallet {row['customer_id']} {row['expires_at']}")
        if wallet_id not in self.transactions:
            self.transactions[wallet_id] = [_transaction(row, wallet_id, "outbound")]
            self.lists["wallets"].append(_wallet(row, wallet_id))
        self.transactions[wallet_id].append(_transaction(row, wallet_id, "inbound"))


def _page(name: str, found: list[Object], query: dict[str, list[str]]) -> Object:
    page, size = int(query.get("page", ["1"])[0]), min(100, int(query.get("per_page", ["20"])[0]))
    pages = max(1, -(-len(found) // size))
    meta = {
        "current_page": page,
        "next_page": page + 1 if page < pages else None,
        "prev_page": page - 1 if page > 1 else None,
        "total_pages": pages,
        "total_count": len(found),
    }
    return {name: found[(page - 1) * size : page * size], "meta": meta}


def _date(at: datetime, zone: str) -> str:
    return at.astimezone(ZoneInfo(zone)).date().isoformat()


def _last_second(at: datetime | None) -> str | None:
    return None if at is None else text(at - timedelta(seconds=1))


def _ranges(tiers: list[Object], rate: bool) -> list[Object]:
    made, start = [], 0
    for tier in tiers:
        value = {"rate": text(tier["percent_rate"])} if rate else {"per_unit_amount": text(tier["unit_amount"])}
        up_to = None if tier["up_to"] is None else int(tier["up_to"])
        made.append(
            {"from_value": start, "to_value": up_to, "flat_amount": text(tier["flat_amount"] or Decimal(0))} | value
        )
        start = (up_to or 0) + 1
    return made


def _properties(price: Object, tiers: list[Object]) -> Object:
    model = price["model"]
    if tiers:
        return {f"{model}_ranges": _ranges(tiers, model == "graduated_percentage")}
    if model == "percentage":
        return {"rate": text(price["percent_rate"]), "fixed_amount": text(price["flat_amount"] or Decimal(0))}
    if model == "package":
        free = int(price["free_units"] or 0)
        return {"amount": text(price["unit_amount"]), "free_units": free, "package_size": int(price["package_size"])}
    return {} if model == "dynamic" else {"amount": text(price["unit_amount"])}


def _charge(price: Object, tiers: list[Object]) -> Object:
    return {
        "lago_id": price["price_id"],
        "lago_billable_metric_id": uid(price["meter_id"]),
        "code": price["name"],
        "billable_metric_code": price["meter_id"],
        "invoice_display_name": price["name"],
        "created_at": "2025-01-01T00:00:00Z",
        "charge_model": MODEL.get(price["model"], price["model"]),
        "pay_in_advance": price["payment_term"] == "in_advance",
        "invoiceable": True,
        "regroup_paid_fees": None,
        "prorated": False,
        "min_amount_cents": cents(price["minimum_amount"] or 0, price["currency"]),
        "properties": _properties(price, tiers),
        "filters": [],
        "taxes": [],
    }


def _fixed(price: Object, tiers: list[Object], rows: dict[str, list[Object]]) -> Object:
    units = [item["quantity"] for item in rows["subscription_items"] if item["price_id"] == price["price_id"]]
    return {
        "lago_id": price["price_id"],
        "lago_add_on_id": uid(price["name"]),
        "invoice_display_name": price["name"],
        "add_on_code": price["name"],
        "code": price["name"],
        "created_at": "2025-01-01T00:00:00Z",
        "charge_model": MODEL.get(price["model"], price["model"]),
        "pay_in_advance": price["payment_term"] == "in_advance",
        "prorated": price["proration"] == "day",
        "properties": _properties(price, tiers),
        "units": float(units[0]) if units else 0,
    }


def _coupon(row: Object) -> Object:
    percent = row["kind"] == "percent"
    return {
        "lago_id": row["discount_id"],
        "lago_coupon_id": uid("coupon"),
        "coupon_code": "coupon",
        "coupon_name": "Coupon",
        "lago_customer_id": uid(row["customer_id"]),
        "external_customer_id": row["customer_id"],
        "status": "terminated" if row["ends_at"] else "active",
        "amount_cents": None if percent else cents(row["value"], row["currency"]),
        "amount_currency": row["currency"],
        "percentage_rate": text(row["value"]) if percent else None,
        "frequency": "forever",
        "created_at": text(row["starts_at"]),
        "terminated_at": text(row["ends_at"]),
        "credits": [],
    }


def _billing_period(row: Object, subscription: Object) -> Object:
    start = text(row["period_start"] or row["created_at"])
    end = _last_second(row["period_end"]) or text(row["created_at"])
    return {
        "lago_subscription_id": subscription["lago_id"],
        "external_subscription_id": subscription["external_id"],
        "lago_plan_id": uid(subscription["plan_code"]),
        "subscription_from_datetime": start,
        "subscription_to_datetime": end,
        "charges_from_datetime": start,
        "charges_to_datetime": end,
        "invoicing_reason": "subscription_periodic" if row["period_start"] else "subscription_starting",
    }


def _fee(line: Object, invoice: Object, rows: dict[str, list[Object]]) -> Object:
    code = invoice["currency"]
    price = next((each for each in rows["prices"] if each["price_id"] == line["price_id"]), None)
    amount, off = cents(line["amount"], code), line["discount_amount"]
    fixed = line["kind"] == "recurring" and not str(line["price_id"]).endswith(":base")
    types = {"usage": "charge", "recurring": "fixed_charge" if fixed else "subscription", "one_time": "add_on"}
    units = text(line["quantity"] if line["quantity"] is not None else Decimal(1))
    return {
        "lago_id": line["line_id"],
        "lago_charge_id": line["price_id"] if line["kind"] == "usage" or _true_up(line) else None,
        "lago_fixed_charge_id": line["price_id"] if fixed else None,
        "lago_true_up_parent_fee_id": uid("parent") if _true_up(line) else None,
        "lago_subscription_id": line["subscription_id"],
        "external_customer_id": invoice["customer_id"],
        "amount_cents": amount,
        "precise_amount": text(line["amount"]),
        "amount_currency": code,
        "taxes_amount_cents": cents(line["tax_amount"], code),
        "taxes_rate": 0,
        "units": units,
        "precise_unit_amount": text(line["unit_amount"] or line["amount"]),
        "total_aggregated_units": text(line["raw_quantity"]) or units,
        "total_amount_cents": amount + cents(line["tax_amount"], code),
        "total_amount_currency": code,
        "pay_in_advance": False,
        "invoiceable": True,
        "from_date": text(line["period_start"]),
        "to_date": _last_second(line["period_end"]),
        "payment_status": "pending",
        "created_at": text(invoice["created_at"]),
        "precise_coupons_amount_cents": text(off * 10 ** DIGITS.get(code, 2)),
        "sub_total_excluding_taxes_amount_cents": amount,
        "sub_total_excluding_taxes_precise_amount_cents": text(Decimal(amount)),
        "item": {
            "type": "charge" if _true_up(line) else types[line["kind"]],
            "code": str((price or {}).get("plan_id") or "add_on"),
            "name": line["description"],
            "lago_item_id": uid(line["price_id"]),
            "item_type": "BillableMetric" if line["kind"] == "usage" else "Subscription",
            "invoice_display_name": line["description"],
        },
    }


def _true_up(line: Object) -> bool:
    return bool(line["kind"] == "commitment")


def _payment(row: Object) -> Object:
    return {
        "lago_id": row["payment_id"],
        "lago_customer_id": uid(row["customer_id"]),
        "external_customer_id": row["customer_id"],
        "invoice_ids": [row["invoice_id"]],
        "lago_payable_id": row["invoice_id"],
        "payable_type": "Invoice",
        "amount_cents": cents(row["amount"], row["currency"]),
        "amount_currency": row["currency"],
        "status": row["status"],
        "payment_status": row["status"],
        "type": "provider",
        "reference": "ref",
        "payment_provider_code": "stripe",
        "payment_provider_type": "stripe",
        "external_payment_id": None,
        "provider_payment_id": None,
        "provider_customer_id": "cus_1",
        "next_action": {},
        "created_at": text(row["created_at"]),
    }


def _event(row: Object) -> Object:
    return {
        "lago_id": uid(row["event_id"]),
        "transaction_id": row["event_id"],
        "lago_customer_id": None,
        "code": row["event_type"],
        "timestamp": text(row["time"]),
        "precise_total_amount_cents": None,
        "properties": row["properties"] or {},
        "lago_subscription_id": None,
        "external_subscription_id": row["subject"],
        "created_at": text(row["received_at"]),
    }


def _wallet(row: Object, id: str) -> Object:
    texts = "credits_balance consumed_credits credits_ongoing_balance credits_ongoing_usage_balance"
    amounts = "balance_cents ongoing_balance_cents ongoing_usage_balance_cents"
    return (
        dict.fromkeys(texts.split(), "0")
        | dict.fromkeys(amounts.split(), 0)
        | {
            "lago_id": id,
            "lago_customer_id": uid(row["customer_id"]),
            "external_customer_id": row["customer_id"],
            "status": "active",
            "currency": row["currency"],
            "rate_amount": "1",
            "balance": "0",
            "created_at": text(row["created_at"]),
            "expiration_at": text(row["expires_at"]),
            "invoice_requires_successful_payment": False,
        }
    )


def _transaction(row: Object, wallet_id: str, direction: str) -> Object:
    inbound = direction == "inbound"
    return {
        "lago_id": row["grant_id"] if inbound else uid(f"used {row['grant_id']}"),
        "lago_wallet_id": wallet_id,
        "lago_invoice_id": None,
        "lago_credit_note_id": None,
        "lago_voided_invoice_id": None,
        "status": "pending" if row["status"] == "pending" else "settled",
        "source": "manual",
        "transaction_status": ("purchased" if row["funding"] == "invoice" else "granted") if inbound else "invoiced",
        "transaction_type": direction,
        "amount": text(row["amount"]),
        "credit_amount": text(row["amount"]),
        "invoice_requires_successful_payment": False,
        "metadata": [],
        "remaining_amount_cents": None,
        "remaining_credit_amount": None,
        "priority": row["priority"],
        "settled_at": None if row["status"] == "pending" else text(row["effective_at"]),
        "failed_at": None,
        "created_at": text(row["created_at"]),
        "name": None,
        "payment_method": {},
    }
