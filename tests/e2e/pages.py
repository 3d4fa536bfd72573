"""Every page of the console with the addresses at which the gates look at it. A route that stands in none of these
tables fails its test, so that no page is forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from flask.testing import FlaskClient

from tests.web.company import Home
from tests.web.reading import get

OPEN: Mapping[str, tuple[str, ...]] = {
    "signals.listed": ("/signals", "/signals?group=cause", "/signals?group=bill_run", "/signals?q=nosuchthing"),
    "signal.shown": ("/signals/SIG-1", "{tiers}", "{spike}"),
    "pack.shown": ("{tiers}/pack",),
    "bill_runs.listed": ("/bill-runs",),
    "bill_runs.shown": ("{bill_run}",),
    "rules.listed": ("/rules",),
    "rules.shown": ("/rules/wrong_tier_mode",),
    "rule_editor.shown": ("/rules/usage_spike/edit",),
    "runs.listed": ("/runs", "/runs?rule=usage_spike"),
    "scores.shown": ("/scoreboard?show=after_issue",),
    "unusual.budget": ("/unusual",),
    "data.listed": ("/data",),
    "integrations.listed": ("/integrations",),
    "customer.shown": ("{customer}",),
    "subscription.shown": ("{subscription}",),
    "invoice.shown": ("{invoice}",),
    "records.line": ("{line}",),
    "records.record": ("{price}",),
    "usage.shown": ("{usage}",),
    "jump.jump": ("/jump?q=a",),
    "team.shown": ("/team",),
    "manager_report.shown": ("/reports/manager?period=2026-11&show=written_off&compare=before",),
    "notifications.shown": ("/notifications",),
    "wishes.shown": ("/notifications/wishes",),
    "settings.shown": ("/settings",),
    "api.reference": ("/api/v1/",),
}
"""Pages that anybody sees while nobody has an account; what stands in braces is found in the example company."""

NOWHERE = "/nope"

SIGNED_IN = ("users.listed", "users.shown", "audit.listed", "account.shown", "sign_in.shown", "joining.shown")
"""Pages that tests/e2e/test_people.py looks at, where people have accounts."""

TRIALS = ("rule_trials.shown",)
"""Pages that tests/e2e/test_rule_editor.py looks at, where a trial has been run."""

PARTS = ("signal.peeked", "signal.worked_out", "repair.shown", "asking.answered")
"""What a page puts into itself."""

NO_PAGES = (
    "signals.start", "asset", "exports.sheet", "exports.document", "customer.statement", "usage.sheet",
    "manager_report.sheet", "audit.export", "rule_editor.export", "oidc.leave_for", "oidc.back_from",
)  # fmt: skip
"""Files, and ways to somewhere else."""

ERRORS = (NOWHERE, "/jump?q=a")
"""Addresses whose answer the browser logs as an error: there is nothing of that name."""

LONG = {"/rules": 2_500, "/api/v1/": 12_000}
"""Pages that list everything of their kind: they may be larger (100 KB), and how many elements they may have."""

ADDRESSES = [*(address for addresses in OPEN.values() for address in addresses), NOWHERE]


def found(home: Home, address: str) -> str:
    """The address with what it names in braces."""
    return address.format_map(_places(home.folder)) if "{" in address else address


@cache
def _places(folder: Path) -> dict[str, str]:
    client = Home(folder).app().test_client()
    tiers, spike = (_first(get(client, f"/signals?code={code}"), "/signals/SIG-") for code in ("TU-19", "TU-06"))
    page = get(client, tiers)
    kinds = {"customer": "/customers/", "subscription": "/subscriptions/", "invoice": "/invoices/", "line": "/lines/",
             "usage": "/usage?", "price": "/records/price/"}  # fmt: skip
    records = {name: _first(page, start) for name, start in kinds.items()}
    return {"tiers": tiers, "spike": spike, "bill_run": _bill_run(client), **records}


def _bill_run(client: FlaskClient) -> str:
    return _first(get(client, "/bill-runs"), "/bill-runs/")


def _first(html: str, start: str) -> str:
    """The first link of a page that begins so."""
    hit = re.search(rf'<a[^>]* href="({re.escape(start)}[^"?]*(?:\?[^"]*)?)"', html)
    assert hit, f"no link to {start} on the page"
    return (
        hit[1].replace("&amp;", "&").partition("?")[0] if start.startswith("/signals") else hit[1].replace("&amp;", "&")
    )
