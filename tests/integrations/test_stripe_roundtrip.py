"""The same company by file and by Stripe: what Stripe can hold comes back exactly as it was loaded.

What Stripe has no place for, not even in metadata:

- meters.unit, and meters that neither add up, count nor take the last value;
- plans that are drafts or scheduled;
- prices by percentage and dynamic ones, tiers with holes in their numbers or fractional bounds;
- fractional seats, amounts with parts of a minor unit, parts of a second;
- deleted customers, discounts that have ended or not begun, a second discount of one customer;
- invoices.attempt_count null: Stripe counts from 0;
- bill_runs, reported_usage, and the tables that the product and the contracts hold.

The peer leaves such rows out and says which.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from integrations.example import least_for, write
from integrations.example.faults import FAULTS
from tests.integrations.stripe_company import connected, differences, pulled, rows_of
from tests.peers.stripe.books import read_folder
from tests.peers.stripe.process import Peer, running
from tests.peers.stripe.sample import NOW, company


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with running("--now", NOW.isoformat()) as started:
        started.load(company(), announce=False)
        yield started


def test_a_company_read_from_stripe_is_the_company_that_was_loaded(peer: Peer) -> None:
    assert peer.control("unheld") == {"unheld": []}
    pages = pulled(connected(peer))
    assert differences(company(), rows_of(pages)) == []
    assert [remark for page in pages for remark in page.remarks] == []


def test_page_size_makes_no_difference(peer: Peer) -> None:
    assert differences(company(), rows_of(pulled(connected(peer, page_size=3)))) == []


def test_the_example_company_comes_back_the_same(tmp_path: Path) -> None:
    as_of = datetime(2026, 11, 20, 12, tzinfo=UTC)
    # Stripe carries out every cancellation that it holds, and no line of an invoice has a price of another currency
    held_by_stripe = set(FAULTS) - {"TU-36", "TU-43"}
    write(
        tmp_path / "books",
        customers=least_for(held_by_stripe),
        seed=3,
        faults=held_by_stripe,
        as_of=as_of,
        events_per_customer=10,
    )
    with running("--books", str(tmp_path / "books"), "--integration", "stripe", "--now", as_of.isoformat()) as peer:
        held = rows_of(pulled(connected(peer)))
        unheld = {(table, key) for table, key, _ in peer.control("unheld")["unheld"]}  # type: ignore[attr-defined]
    expected = read_folder(tmp_path / "books", "stripe")
    only_by_file = [m for m in expected["meters"] if m["aggregation"] in {"unique_count", "max"}]
    assert unheld == {("meters", str(meter["meter_id"])) for meter in only_by_file}
    expected["meters"] = [meter | {"unit": None} for meter in expected["meters"] if meter not in only_by_file]
    assert differences(expected, held) == []


def test_what_stripe_cannot_hold_is_left_out_by_name() -> None:
    rows = company()
    rows["customers"][0] |= {"status": "deleted"}
    rows["meters"][0] |= {"aggregation": "max", "value_property": "$.n"}
    rows["prices"][0] |= {"model": "percentage"}
    rows["subscription_items"][8] |= {"quantity": "1.5"}
    rows["discounts"][0] |= {"ends_at": NOW}
    rows["price_tiers"][1] |= {"tier": 7}
    rows["invoice_lines"][0] |= {"amount": "0.005"}
    with running("--now", NOW.isoformat()) as peer:
        peer.load(rows, announce=False)
        unheld = peer.control("unheld")["unheld"]
    assert [(table, key) for table, key, _ in unheld if table != "subscriptions"] == [  # type: ignore[attr-defined]
        ("meters", "mtr_calls"),
        ("prices", "price_base"),
        ("prices", "price_tokens"),
        ("discounts", "di_cus"),
        ("customers", "cus_acme"),
        ("invoice_lines", "il_paid_1"),
    ]
