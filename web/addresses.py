"""The state of the inbox as an address, and back: filters, sort, group and page all stand in the URL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode

from werkzeug.datastructures import MultiDict

from detector import view_query
from detector.inbox import Filter
from web.agreed import severity_word
from web.words import words

FACETS: Mapping[str, tuple[str, str]] = {
    "sev": ("severity", "Severity"),
    "cat": ("category", "Category"),
    "rule": ("rule", "Rule"),
    "integ": ("integration", "Integration"),
    "who": ("assignee", "Assignee"),
}
"""Parameters that may be given several times: the filter's field and its name on the page."""

SINGLE = {
    "view": "view",
    "status": "status",
    "cause": "cause",
    "customer": "customer",
    "bill_run": "bill_run",
    "entity": "entity",
    "q": "q",
    "sort": "sort",
    "group": "group",
    "after": "after",
}

PAGES = {
    "customer": "/customers/{}",
    "subscription": "/subscriptions/{}",
    "invoice": "/invoices/{}",
    "invoice_line": "/lines/{}",
    "item": "/usage?item={}",
    "bill_run": "/bill-runs/{}",
}
"""Record types that have a page of their own; every other type is shown by its fields."""


@dataclass(frozen=True)
class Chip:
    """One filter that is on: what it is, and the address without it."""

    name: str
    value: str
    without: str


@dataclass(frozen=True)
class Choice:
    """One value of a facet: how many signals have it, whether it is on, and the address that turns it over."""

    value: str | None
    count: int
    chosen: bool
    address: str


def read(args: MultiDict[str, str], me: str) -> Filter:
    """The filter of an address. Raises BadFilter for a view, status, sort or group that does not exist."""
    return view_query.read(args.items(multi=True), me)


def address(wanted: Filter, **changes: Any) -> str:
    """The inbox's address of a filter with some fields changed; a change starts again from the first page."""
    wanted = replace(wanted, **{"after": "", **changes})
    usual = Filter()
    query: list[tuple[str, str]] = []
    for name, field in SINGLE.items():
        value = getattr(wanted, field)
        if value != getattr(usual, field):
            query.append((name, value))
    for name, (field, _) in FACETS.items():
        query += [(name, value) for value in getattr(wanted, field)]
    query += [("code", value) for value in wanted.code]
    return "/signals" + (f"?{urlencode(query)}" if query else "")


def turned(wanted: Filter, field: str, value: str) -> str:
    """The address with one value of a facet added, or taken away when it is on."""
    chosen = getattr(wanted, field)
    kept = tuple(other for other in chosen if other != value) if value in chosen else (*chosen, value)
    return address(wanted, **{field: kept})


def choices(wanted: Filter, field: str, counted: list[tuple[str | None, int]]) -> list[Choice]:
    """A facet's values with their counts; what is chosen stays listed even when nothing has it any more."""
    chosen = getattr(wanted, field)
    listed = [*counted, *((value or None, 0) for value in chosen if (value or None) not in dict(counted))]
    return [
        Choice(value, count, (value or "") in chosen, turned(wanted, field, value or "")) for value, count in listed
    ]


def chips(wanted: Filter) -> list[Chip]:
    """Every filter that is on, each with the address without it."""
    found = [
        Chip(title, _said(field, value or "nobody"), turned(wanted, field, value))
        for field, title in FACETS.values()
        for value in getattr(wanted, field)
    ]
    found += [Chip("Code", code, turned(wanted, "code", code)) for code in wanted.code]
    usual = "any" if wanted.view == "every" else "open"
    if wanted.status != usual:
        found.append(Chip("Status", words(wanted.status), address(wanted, status=usual)))
    named = (("cause", "Cause"), ("customer", "Customer"), ("bill_run", "Bill run"), ("entity", "Names"), ("q", "Text"))
    return found + [
        Chip(title, getattr(wanted, name), address(wanted, **{name: ""}))
        for name, title in named
        if getattr(wanted, name)
    ]


def _said(field: str, value: str) -> str:
    return severity_word(value) if field == "severity" else words(value)


def record(type: str, id: str) -> str:
    """The page of a record of the books by its type and id."""
    safe = quote(id, safe="")
    return PAGES.get(type, f"/records/{type}/{{}}").format(safe)


def usage_of(line: Mapping[str, Any]) -> str:
    """The usage behind an invoice line: its item and, where it has one, its period in whole days."""
    days = {}
    if line["period_start"] and line["period_end"]:
        last = line["period_end"] + timedelta(days=1) - timedelta(microseconds=1)
        days = {"from": f"{line['period_start']:%Y-%m-%d}", "to": f"{last:%Y-%m-%d}"}
    return f"/usage?{urlencode({'item': line['item_id'], **days})}"
