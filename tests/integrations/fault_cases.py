"""What goes wrong between Trueup and a vendor, and what is measured of a whole reading that suffers it.

`python -m tests.integrations.fault_cases` writes docs/integrations/faults.md from what it measures.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from integrations.capabilities import Integration
from integrations.http import SourceError
from integrations.http_limits import Pace
from tests.integrations import stripe_company
from tests.integrations.fake_time import FakeTime
from tests.integrations.stripe_company import cursors_of, differences, pulled, rows_of
from tests.integrations.vendors import CHARGEBEE, LAGO, OPENMETER, ZUORA
from tests.peers.rows import NOW
from tests.peers.stripe import process as stripe_process
from tests.peers.stripe import sample as stripe_sample
from tests.peers.stripe.process import Peer
from tests.peers.vendor import running

DRIFT = 5
"""Records that come in while a list is read."""

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/integrations/faults.md"


@dataclass(frozen=True)
class Account:
    """One vendor: how its peer is started and read, and the company that it holds."""

    name: str
    started: Callable[[], Any]
    connected: Callable[..., Integration]
    company: Callable[[], Mapping[str, Any]]
    list: str  # the path of a list that every reading asks for
    forbidden: str  # how the peer names it

    @contextmanager
    def loaded(self) -> Iterator[Peer]:
        """The peer with the company in it."""
        with self.started() as peer:
            peer.load(self.company())
            yield peer


def _stripe(peer: Peer, *, pace: Pace, key: str = stripe_process.KEY) -> Integration:
    return stripe_company.connected(peer, pace=pace, key=key, page_size=2)


ACCOUNTS = (
    Account("stripe", lambda: stripe_process.running("--now", stripe_sample.NOW.isoformat()), _stripe,
            stripe_sample.company, "/v1/invoices", "invoices"),
    *(
        Account(vendor.name, lambda vendor=vendor: running(vendor.name, NOW),
                lambda peer, vendor=vendor, **more: vendor.connected(peer, page_size=vendor.few, **more),
                vendor.company, path, path.removeprefix(vendor.base))
        for vendor, path in ((LAGO, "/api/v1/invoices"), (OPENMETER, "/api/v1/billing/invoices"),
                             (CHARGEBEE, "/api/v2/invoices"), (ZUORA, "/object-query/invoices"))
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """Something that goes wrong while everything is read; `faults` are what the peer is told to do."""

    name: str
    faults: tuple[Mapping[str, Any], ...]


def _storm(kind: str, **more: object) -> tuple[Mapping[str, Any], ...]:
    """Three storms: at the start, a few requests later, and at the list of invoices."""
    places = ({"times": 5}, {"times": 4, "skip": 3}, {"times": 3, "skip": 9})
    return tuple({"kind": kind, **more, **place} for place in places)


CASES = (
    Case("429 storm, no Retry-After", _storm("429")),
    Case("429 storm, Retry-After: 7", _storm("429", retry_after="7")),
    Case("500 answers", _storm("500")),
    Case("HTML error page, 502", _storm("html502")),
    Case("HTML page, 200", _storm("html200")),
    Case("truncated JSON", _storm("truncated")),
    Case("connection reset", _storm("cut")),
)
"""A reading must survive these, and bring the same company."""


@dataclass(frozen=True)
class Suffered:
    """What a reading came to: what is missing or doubled, and what it cost."""

    different: tuple[str, ...]
    failures: int
    requests: int
    waited: float

    @property
    def same(self) -> bool:
        return not self.different


def suffer(account: Account, peer: Peer, case: Case | None) -> Suffered:
    """Reads everything while the case happens; waiting passes on a clock of its own."""
    peer.control("calm")
    peer.control("forget")
    time = FakeTime()
    faults = case.faults if case else ()
    for fault in faults:
        peer.fault(**{"path": "*", **fault})
    try:
        pages = pulled(account.connected(peer, pace=time.pace))
    finally:
        asked = len(peer.requests())
        peer.control("calm")
    told = sum(fault["times"] for fault in faults)
    return Suffered(tuple(differences(account.company(), rows_of(pages))), told, asked, sum(time.slept))


def refused(account: Account, peer: Peer, what: str) -> tuple[str, bool, int]:
    """What a reading says of an expired key or a revoked scope, whether for good, and after how many requests."""
    peer.control("calm")
    peer.control("forget")
    if what == "revoked scope":
        peer.control("forbid", paths=[account.forbidden])
    key = {"key": "secret-key"} if what == "expired key" else {}
    try:
        pulled(account.connected(peer, pace=FakeTime().pace, **key))
    except SourceError as error:
        return str(error), error.permanent, len(peer.requests())
    finally:
        peer.control("forbid", paths=[])
        peer.control("calm")
    raise AssertionError(f"{account.name} was read with an {what}")


def skewed(account: Account, skew: timedelta) -> tuple[str, ...]:
    """What two readings, a minute apart by our clock, lack when the vendor's is so far from it."""
    with account.loaded() as peer:
        peer.control("pass", seconds=skew.total_seconds())
        source = account.connected(peer, pace=FakeTime().pace)
        first = pulled(source)
        again = pulled(source, cursors_of(first), now=NOW + timedelta(minutes=1))
        return tuple(differences(account.company(), rows_of([*first, *again])))


def drifted(account: Account) -> tuple[str, ...]:
    """What a reading lacks during which a customer comes in after each of its first five pages, read to its end and
    once more.
    """
    with account.loaded() as peer:
        first, came = account.company()["customers"][0], []
        pages = []
        source = account.connected(peer, pace=FakeTime().pace)
        for number, page in enumerate(source.pull(lambda stream: None, full=False, now=NOW)):
            pages.append(page)
            if number < DRIFT:
                own = {"customer_id": f"drift_{number}", "tax_ids": first["tax_ids"] and [], "credit_balance": None}
                came.append({**first, **own, "created_at": NOW})
                peer.load({**{table: [] for table in account.company()}, "customers": [came[-1]]})
        pages += pulled(source, cursors_of(pages), now=NOW + timedelta(hours=1))
        company = account.company() | {"customers": [*account.company()["customers"], *came]}
        return tuple(differences(company, rows_of(pages)))


def largest(customers: int) -> float:
    """The most memory, MiB, that reading so many customers of Stripe page by page takes at once."""
    account = ACCOUNTS[0]
    one = account.company()["customers"][3]
    with account.started() as peer:
        rows = [{**one, "customer_id": f"cus_{number}", "payment_method": None} for number in range(customers)]
        peer.load({"customers": rows}, announce=False)
        source = stripe_company.connected(peer)
        tracemalloc.start()
        for _ in source.pull(lambda stream: None, full=True, now=NOW):
            pass
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most / 2**20


def table() -> str:
    """The document, measured now."""
    lines = ["| fault | vendor | failed requests | requests in all | seconds of waiting | rows missing or doubled |",
             "| --- | --- | --- | --- | --- | --- |"]  # fmt: skip
    said = ["| fault | vendor | what is said | requests in all |", "| --- | --- | --- | --- |"]
    for account in ACCOUNTS:
        with account.loaded() as peer:
            for case in (None, *CASES):
                got = suffer(account, peer, case)
                name = case.name if case else "none"
                lines.append(f"| {name} | {account.name} | {got.failures} | {got.requests} | {got.waited:.0f} | "
                             f"{len(got.different)} |")  # fmt: skip
            for what in ("expired key", "revoked scope"):
                text, _, asked = refused(account, peer, what)
                said.append(f"| {what} | {account.name} | {text} | {asked} |")
    other = ["| fault | vendor | rows missing or doubled |", "| --- | --- | --- |"]
    for account in ACCOUNTS:
        for minutes in (5, -5):
            lacking = skewed(account, timedelta(minutes=minutes))
            other.append(f"| the vendor's clock {minutes:+d} minutes | {account.name} | {len(lacking)} |")
        other.append(f"| {DRIFT} records come in while pages are read | {account.name} | {len(drifted(account))} |")
    memory = _MEMORY.format(*(f"{many:,} customers: {largest(many):.1f} MiB" for many in (1_000, 8_000)))
    return "\n".join([_HEAD, *lines, _REFUSED, *said, "", *other, memory, _REST])


_HEAD = """# What goes wrong, and what comes of it

Measured by `python -m tests.integrations.fault_cases`, which reads the whole company of each vendor's peer while the
fault happens; `tests/integrations/test_faults.py` holds the same. Requests are counted at the peer; waiting is what the
client's clock slept, so a storm of 429 without `Retry-After` costs backoff, and one with it what the vendor asked for.
"""
_REFUSED = """
A key that is refused, or may not read a list, is not asked again: the sync fails with one sentence, and resolves no
signal.
"""
_MEMORY = """
**Memory** stays flat: a reading holds one page at a time. The most that reading Stripe took at once, of {}, of {}.
"""
_REST = """**Timeouts** count as resets, after 60 seconds (`test_faults.py` waits for less). **Clocks** that are five
minutes apart change nothing: the vendor's own clock counts, and changes are read with overlap. **Pages that drift**
while they are read are met again, or the walk steps back. **Webhooks**, 20,000 at once: all applied once, and
the server did not grow, see [webhooks](webhooks.md), which also has forged, stale, replayed and wrongly encoded ones.

## The peers themselves

Each vendor's peer is a server of our own, so it is held against others: answers of Lago and OpenMeter against their
OpenAPI descriptions (`tests/peers/test_vendor_shapes.py`), our requests to them against Prism, which refuses what the
descriptions do not have (`make prism`; needs Node), answers of Stripe and Chargebee against their official SDKs
(`pytest -s tests/peers/test_sdk_rates.py` prints the rate by call):

| SDK | calls decoded | fields | names that the SDK does not know |
| --- | --- | --- | --- |
| stripe 16.1.0 | 27 of 27 | 5,134 | `subscription` of an invoice, which Stripe's own fixtures still have |
| chargebee 3.29.0 | 15 of 15 | 487 | `deleted` of a usage |
"""


if __name__ == "__main__":
    DOCUMENT.write_text(table())
