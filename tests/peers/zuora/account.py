"""One Zuora tenant: OAuth tokens that end, lists by update behind cursors, parts only where they are asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta

from tests.peers.vendor import Object, Refused
from tests.peers.zuora import bills, catalog, people, writes
from tests.peers.zuora.forms import stamp

CLIENT = "client-1"
LASTS = 3600
ITEMS = 4  # that come with an invoice
LISTS = (
    "product-rate-plans",
    "accounts",
    "subscriptions",
    "rate-plan-charges",
    "usages",
    "billing-runs",
    "invoices",
    "invoice-items",
    "credit-memos",
    "payments",
)
ASKABLE = {"pageSize", "cursor", "sort[]", "expand[]", "filter[]"}
PARTS = {
    "productrateplancharges": "productRatePlanCharges",
    "productrateplanchargetiers": "productRatePlanChargeTiers",
    "billto": "billTo",
    "defaultpaymentmethod": "defaultPaymentMethod",
    "account": "account",
    "rateplans": "ratePlans",
    "rateplancharges": "ratePlanCharges",
    "rateplanchargetiers": "ratePlanChargeTiers",
    "invoiceitems": "invoiceItems",
    "creditmemoitems": "creditMemoItems",
    "creditmemoapplications": "creditMemoApplications",
    "paymentapplications": "paymentApplications",
}
"""The parts of objects by the names they are asked for with."""


def shown(thing: Object, expand: set[str], path: str = "") -> Object:
    """An object without the parts that were not asked for."""
    found = {}
    for name, value in thing.items():
        if name not in PARTS.values():
            found[name] = value
        elif (place := f"{path}{name.lower()}") in expand:
            inner = [shown(one, expand, f"{place}.") for one in value] if isinstance(value, list) else value
            found[name] = shown(inner, expand, f"{place}.") if isinstance(inner, dict) else inner
    return found


class Account:
    """The tenant's objects by list."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.lists: dict[str, list[Object]] = {name: [] for name in LISTS}
        self.tokens: dict[str, datetime] = {}

    def token(self, form: dict[str, str], key: str) -> Object:
        """A token that lasts an hour."""
        wanted = {"grant_type": "client_credentials", "client_id": CLIENT, "client_secret": key}
        if form != wanted:
            raise Refused(401, {"message": "Invalid client id or secret"})
        made = f"token-{len(self.tokens)}"
        self.tokens[made] = self.clock() + timedelta(seconds=LASTS)
        return {"access_token": made, "token_type": "bearer", "expires_in": LASTS - 1, "scope": "tenant"}

    def allowed(self, headers: dict[str, str], key: str) -> bool:
        """Whether the bearer's token was given out and has not ended."""
        ends = self.tokens.get(headers.get("authorization", "").removeprefix("Bearer "))
        return ends is not None and self.clock() < ends

    def answer(self, method: str, path: str, query: dict[str, list[str]]) -> Object:
        """A list or an object."""
        parts = path.removeprefix("/object-query/").split("/")
        expand = set(query.get("expand[]", []))
        if parts[0] not in self.lists or any(name not in PARTS for each in expand for name in each.split(".")):
            raise Refused(404, {"message": f"{path} was not found"})
        if len(parts) == 1:
            return self._list(parts[0], query, expand)
        for thing in self.lists[parts[0]]:
            if parts[1] in (thing["id"], thing.get("name")) and thing.get("isLatestVersion") is not False:
                return shown(thing, expand)
        raise Refused(404, {"message": f"{parts[1]} was not found"})

    def write(self, method: str, path: str, body: Object) -> Object:
        """What is changed."""
        return writes.written(self, method, path.strip("/").split("/"), body)

    def _list(self, name: str, query: dict[str, list[str]], expand: set[str]) -> Object:
        size = int(query.get("pageSize", ["10"])[0])
        if set(query) - ASKABLE or not 1 <= size <= 50 or query.get("sort[]") != ["updateddate.ASC"]:
            raise Refused(400, {"message": f"cannot be asked: {query}"})
        found = sorted(self.lists[name], key=lambda each: (each["updatedDate"], each["id"]))
        for wanted in query.get("filter[]", []):
            field, _, value = wanted.partition(":")
            if field == "updateddate.GT":
                found = [each for each in found if each["updatedDate"] > value]
            elif field == "invoiceid.EQ":
                found = [each for each in found if each["invoiceId"] == value]
            elif field == "accountid.EQ" and name == "subscriptions":
                found = [each for each in found if each["accountId"] == value]
            else:
                raise Refused(400, {"message": f"cannot be filtered by {field}"})
        start = json.loads(query["cursor"][0])[0] if "cursor" in query else 0
        more = {"nextPage": json.dumps([start + size])} if start + size < len(found) else {}
        return {"data": [shown(each, expand) for each in found[start : start + size]]} | more

    def load(self, rows: dict[str, list[Object]]) -> None:
        """Takes over rows of the books; those that Zuora has no object for are left out."""
        accounts = {row["customer_id"]: people.account(row) for row in rows["customers"]}
        versions = [made for row in rows["subscriptions"] for made in people.versions(row, rows, accounts)]
        charges = [one for made in versions for plan in made["ratePlans"] for one in plan["ratePlanCharges"]]
        self.lists["product-rate-plans"] += catalog.rate_plans(rows)
        self.lists["accounts"] += accounts.values()
        self.lists["subscriptions"] += versions
        self.lists["rate-plan-charges"] += charges
        self.lists["usages"] += [people.usage(row) for row in rows["reported_usage"]]
        self.lists["billing-runs"] += [bills.run(row) for row in rows["bill_runs"]]
        for row in rows["invoices"]:
            items = bills.items(row, rows)
            self.lists["invoice-items"] += items
            self.lists["invoices"].append(bills.invoice(row, items[:ITEMS], accounts))
        self.lists["credit-memos"] += bills.memos(rows["credit_notes"], accounts)
        self.lists["payments"] += [bills.payment(row, accounts) for row in rows["payments"]]
        for name in LISTS:
            for thing in self.lists[name]:
                thing.setdefault("updatedDate", thing.get("createdDate") or stamp(self.clock() - timedelta(days=90)))
                thing["someNewField__c"] = {"not": "documented"}
