"""Lists of Stripe: which there are, what they can be asked, pages by cursor, and fields that are expanded on demand.

Whether a parameter exists is decided by the official SDK's own description of the request.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tests.peers.stripe import usage
from tests.peers.stripe.account import Account
from tests.peers.stripe.shapes import Object

Query = dict[str, object]
DEEPEST = 4
"""How many levels may be expanded."""


class RequestError(Exception):
    """A request that Stripe refuses, with its status and the fields of its error."""

    def __init__(self, status: int, message: str, **fields: object) -> None:
        super().__init__(message)
        self.status = status
        self.error: Object = {"type": "invalid_request_error", "message": message, **fields}


@dataclass(frozen=True)
class Listed:
    """A list: the kind of its objects, where the SDK describes its parameters, and the filters that work here."""

    kind: str
    params: str
    filters: dict[str, Callable[[Object, object], bool]]


def _equal(name: str) -> Callable[[Object, object], bool]:
    return lambda thing, wanted: str(_reference(thing.get(name))).lower() == str(wanted).lower()


def _reference(value: object) -> object:
    return value.get("id") if isinstance(value, dict) else value


def _created(thing: Object, wanted: object) -> bool:
    at = int(str(thing["created"]))
    if not isinstance(wanted, dict):
        return at == int(str(wanted))
    tests = {"gt": at.__gt__, "gte": at.__ge__, "lt": at.__lt__, "lte": at.__le__}
    return all(tests[name](int(str(bound))) for name, bound in wanted.items())


def _subscription_status(thing: Object, wanted: object) -> bool:
    if wanted == "all":
        return True
    if wanted == "ended":
        return thing["status"] in {"canceled", "incomplete_expired"}
    return thing["status"] == wanted


def _of_subscription(thing: Object, wanted: object) -> bool:
    details = (thing.get("parent") or {}).get("subscription_details") or {}  # type: ignore[attr-defined]
    return details.get("subscription") == wanted


def _payment(thing: Object, wanted: object) -> bool:
    return all(thing["payment"].get(name) == value for name, value in wanted.items())  # type: ignore[attr-defined]


def _types(thing: Object, wanted: object) -> bool:
    return thing["type"] in (wanted if isinstance(wanted, list) else [wanted])


def _type(thing: Object, wanted: object) -> bool:
    return fnmatchcase(str(thing["type"]), str(wanted))


def _scheduled(thing: Object, wanted: object) -> bool:
    return (thing["status"] == "not_started") == (str(wanted).lower() == "true")


def _of_grants(thing: Object, wanted: object) -> bool:
    """Of whom a transaction is, its grant says; the peer keeps it beside."""
    return thing.get("_customer") == wanted


_ACTIVE = {"active": _equal("active")}
_CREATED = {"created": _created}
_CUSTOMER = {"customer": _equal("customer")}
_STATUS = {"status": _equal("status")}

LISTS: dict[str, Listed] = {
    "customers": Listed("customer", "customer_list", {**_CREATED, "email": _equal("email")}),
    "products": Listed("product", "product_list", {**_CREATED, **_ACTIVE}),
    "prices": Listed(
        "price", "price_list", {**_CREATED, **_ACTIVE, "product": _equal("product"), "currency": _equal("currency")}
    ),
    "billing/meters": Listed("billing.meter", "billing._meter_list", _STATUS),
    "subscriptions": Listed(
        "subscription", "subscription_list", {**_CREATED, **_CUSTOMER, "status": _subscription_status}
    ),
    "subscription_items": Listed(
        "subscription_item", "subscription_item_list", {"subscription": _equal("subscription")}
    ),
    "invoices": Listed(
        "invoice", "invoice_list", {**_CREATED, **_CUSTOMER, **_STATUS, "subscription": _of_subscription}
    ),
    "credit_notes": Listed("credit_note", "credit_note_list", {**_CREATED, **_CUSTOMER, "invoice": _equal("invoice")}),
    "invoiceitems": Listed("invoiceitem", "invoice_item_list", {**_CREATED, **_CUSTOMER, "invoice": _equal("invoice")}),
    "invoice_payments": Listed(
        "invoice_payment",
        "invoice_payment_list",
        {**_CREATED, **_STATUS, "invoice": _equal("invoice"), "payment": _payment},
    ),
    "payment_intents": Listed("payment_intent", "payment_intent_list", {**_CREATED, **_CUSTOMER}),
    "charges": Listed("charge", "charge_list", {**_CREATED, **_CUSTOMER, "payment_intent": _equal("payment_intent")}),
    "disputes": Listed(
        "dispute", "dispute_list", {**_CREATED, "charge": _equal("charge"), "payment_intent": _equal("payment_intent")}
    ),
    "billing/credit_grants": Listed("billing.credit_grant", "billing._credit_grant_list", _CUSTOMER),
    "billing/credit_balance_transactions": Listed(
        "billing.credit_balance_transaction",
        "billing._credit_balance_transaction_list",
        {"customer": _of_grants, "credit_grant": _equal("credit_grant")},
    ),
    "subscription_schedules": Listed(
        "subscription_schedule", "subscription_schedule_list", {**_CREATED, **_CUSTOMER, "scheduled": _scheduled}
    ),
    "coupons": Listed("coupon", "coupon_list", _CREATED),
    "events": Listed("event", "event_list", {**_CREATED, "types": _types, "type": _type}),
}
WITHIN: dict[tuple[str, str], str] = {
    ("invoices", "lines"): "invoice_line_item_list",
    ("credit_notes", "lines"): "credit_note_line_item_list",
    ("customers", "tax_ids"): "customer_tax_id_list",
    ("customers", "balance_transactions"): "customer_balance_transaction_list",
    ("billing/meters", "event_summaries"): "billing._meter_list_event_summaries",
}
_PAGING = {"limit", "starting_after", "ending_before", "expand"}


def page(account: Account, path: str, query: Query) -> Object:
    """A page of a list, newest first. Raises RequestError as Stripe would."""
    listed = LISTS[path]
    _known(listed.params, query, set(listed.filters))
    if len(query.get("types", [])) > 20:  # type: ignore[arg-type]
        raise RequestError(400, "You may only pass up to 20 types.", param="types")
    every = account.listed(listed.kind)
    if path == "subscription_items":
        every = account.parts.get(str(query.get("subscription")), [])
    chosen = every
    if path == "subscriptions" and "status" not in query:
        chosen = [thing for thing in chosen if thing["status"] != "canceled"]
    for name, wanted in query.items():
        if name in listed.filters:
            chosen = [thing for thing in chosen if listed.filters[name](thing, wanted)]
    return _cut(account, chosen, query, f"/v1/{path}", every)


def page_within(account: Account, path: str, id: str, name: str, query: Query) -> Object:
    """A page of a list within an object: lines of an invoice, tax ids of a customer."""
    summed = name == "event_summaries"
    _known(WITHIN[path, name], query, {"customer", "start_time", "end_time"} if summed else set())
    owner = account.objects.get(id)
    if owner is None:
        raise missing(path, id)
    if summed:
        return _cut(account, usage.summaries(account, owner, query), query, f"/v1/{path}/{id}/{name}")
    if name == "balance_transactions":
        held = [each for each in account.listed("customer_balance_transaction") if each["customer"] == id]
        return _cut(account, held, query, f"/v1/{path}/{id}/{name}")
    held = account.hidden.get(id, {}).get(name) if name == "tax_ids" else account.parts.get(id, [])  # type: ignore[assignment]
    return _cut(account, list(held or []), query, f"/v1/{path}/{id}/{name}")  # type: ignore[call-overload]


def missing(path: str, id: str) -> RequestError:
    """The error for an id that is not there."""
    kind = LISTS[path].kind if path in LISTS else path
    return RequestError(404, f"No such {kind}: '{id}'", code="resource_missing", param="id")


def _known(params: str, query: Query, filters: set[str]) -> None:
    described = _described(params)
    for name in query:
        if name not in described:
            raise RequestError(400, f"Received unknown parameter: {name}", code="parameter_unknown", param=name)
        if name not in filters | _PAGING:
            raise RequestError(400, f"This peer does not filter by {name}", param=name)


def _described(params: str) -> set[str]:
    folder, _, name = params.rpartition("._")
    module = importlib.import_module(f"stripe.params.{folder + '.' if folder else ''}_{name}_params")
    wanted = f"{name.title().replace('_', '')}Params"
    return set(getattr(module, wanted).__annotations__)


def _cut(account: Account, chosen: list[Object], query: Query, url: str, every: list[Object] | None = None) -> Object:
    limit = int(str(query.get("limit", 10)))
    if not 1 <= limit <= 100:
        raise RequestError(400, "Limit must be between 1 and 100", param="limit")
    every = chosen if every is None else every
    if "ending_before" in query:
        end = _before(chosen, every, query["ending_before"], "ending_before")
        start, more = max(0, end - limit), end - limit > 0
    else:
        start = _after(chosen, every, query["starting_after"]) if "starting_after" in query else 0
        end, more = start + limit, start + limit < len(chosen)
    paths = [str(path) for path in query.get("expand", [])]  # type: ignore[attr-defined]
    wrong = [path for path in paths if not path.startswith("data.")]
    if wrong:
        raise RequestError(400, f"This property cannot be expanded ({wrong[0]}).", param="expand")
    within = [path.removeprefix("data.") for path in paths]
    data = [expanded(account, account.shown(thing), within, DEEPEST - 1) for thing in chosen[start:end]]
    return {"object": "list", "data": data, "has_more": more, "url": url}


def _before(chosen: list[Object], every: list[Object], cursor: object, name: str) -> int:
    """How many of the chosen stand before the cursor, which need not be one of them but must exist."""
    ids = [thing["id"] for thing in every]
    if cursor not in ids:
        raise RequestError(400, f"No such object: '{cursor}'", code="resource_missing", param=name)
    earlier = set(ids[: ids.index(cursor)])
    return sum(thing["id"] in earlier for thing in chosen)


def _after(chosen: list[Object], every: list[Object], cursor: object) -> int:
    place = _before(chosen, every, cursor, "starting_after")
    return place + 1 if place < len(chosen) and chosen[place]["id"] == cursor else place


def expanded(account: Account, thing: Object, paths: list[str], depth: int = DEEPEST) -> Object:
    """The object with the fields at the paths expanded: ids become objects, what is left out is put in."""
    for path in paths:
        if path.count(".") + 1 > depth:
            raise RequestError(400, f"You cannot expand more than {DEEPEST} levels of a property", param="expand")
        thing = _expand(account, thing, path.split("."))
    return thing


def _expand(account: Account, thing: Object, path: list[str]) -> Object:
    name, rest = path[0], path[1:]
    value = thing.get(name)
    left_out = account.hidden.get(str(thing.get("id")), {})
    if value is None and name in left_out:
        parts = left_out[name]
        is_list = name == "tax_ids"
        value = {"object": "list", "data": parts, "has_more": False, "url": ""} if is_list else parts
    if isinstance(value, list):
        return {**thing, name: [_follow(account, entry, rest) for entry in value]}
    return {**thing, name: _follow(account, value, rest)}


def _follow(account: Account, value: object, rest: list[str]) -> object:
    if isinstance(value, str) and value in account.objects:
        value = account.shown(account.objects[value])
    return _expand(account, value, rest) if rest and isinstance(value, dict) else value
