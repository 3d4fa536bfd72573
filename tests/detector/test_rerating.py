"""A past period under a draft price: set-based for all customers, and equal to the line-by-line reference."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from detector import plain_books
from detector.other_terms import PRICE, other_terms
from detector.price_settings import price_columns
from detector.rerating import Rerating, UnknownPriceError, rerate
from detector.what_if import what_if
from integrations import example
from tests.detector.test_explain import AS_OF, OCTOBER, SEPTEMBER, Rows, company, event, invoice, line, price, tier
from tests.detector.test_explain_agrees import AS_OF as NOW
from tests.detector.test_explain_agrees import books_of


def rerated(rows: Rows, **settings: Any) -> Rerating:
    given = {table: [{"integration": "stripe", **row} for row in held] for table, held in rows.items()}
    with closing(plain_books.open(given)) as con:
        return rerate(con, "p1", SEPTEMBER, OCTOBER, price_columns(settings), AS_OF)


def two_customers() -> Rows:
    """Acme used 6,000 units in September and is billed in USD; so is Bolt, which used 500 of them."""
    rows = company()
    rows["customers"].append({**rows["customers"][0], "customer_id": "c2", "name": "Bolt"})
    rows["subjects"].append({**rows["subjects"][0], "subject": "bolt", "customer_id": "c2"})
    rows["subscriptions"].append({**rows["subscriptions"][0], "subscription_id": "s2", "customer_id": "c2"})
    rows["subscription_items"].append({**rows["subscription_items"][0], "item_id": "i2", "subscription_id": "s2"})
    rows["usage_events"].append(event(9, 500, subject="bolt"))
    rows["invoices"].append(invoice("in2", 150, customer_id="c2", subscription_id="s2"))
    bolt = {"invoice_id": "in2", "subscription_id": "s2", "item_id": "i2"}
    rows["invoice_lines"].append(line("il2", amount=150, quantity=500, **bolt))
    return rows


def test_each_customer_has_what_the_draft_changes_up_and_down_apart() -> None:
    tiers = [{"up_to": "1000", "unit_amount": "0.40"}, {"unit_amount": "0.05"}]
    found = rerated(two_customers(), tiers=tiers)
    assert [(each.customer_id, each.now, each.draft, each.up, each.down) for each in found.changes] == [
        ("c1", 1200, 650, 0, 550),
        ("c2", 150, 200, 50, 0),
    ]
    assert [(each.currency, each.up, each.down) for each in found.totals] == [("USD", 50, 550)]


def test_currencies_stand_apart() -> None:
    rows = two_customers()
    rows["prices"].append(price("p2", "per_unit", unit_amount=Decimal(1)))
    rows["invoices"][1]["currency"] = "EUR"
    found = rerated(rows, tiers='[{"unit_amount": "0.01"}]')
    assert [(each.currency, each.down) for each in found.totals] == [("USD", 1140)]
    assert [(each.line_id, each.now_reason) for each in found.unrated] == [("il2", "currency_mismatch")]


def test_negotiated_terms_go_before_the_draft() -> None:
    rows = two_customers()
    rows["prices"][0] |= {"model": "per_unit", "unit_amount": Decimal("0.20")}
    rows["price_overrides"] = [{"override_id": "o1", "customer_id": "c1", "price_id": "p1",
                                "unit_amount": Decimal("0.15"), "valid_from": SEPTEMBER}]  # fmt: skip
    found = {each.customer_id: each for each in rerated(rows, unit_amount="0.10").changes}
    assert (found["c1"].now, found["c1"].draft) == (900, 900)
    assert (found["c2"].now, found["c2"].draft) == (100, 50)


def test_only_lines_of_the_price_and_the_period_are_rated() -> None:
    rows = two_customers()
    rows["prices"].append(price("p2", "graduated"))
    rows["price_tiers"].append(tier("p2", 1, None, "1"))
    rows["subscription_items"][1]["price_id"] = "p2"  # the line names p1, but its item is charged by p2
    rows["invoice_lines"].append(line("il3", amount=1, quantity=1, period_start=OCTOBER, period_end=AS_OF))
    assert [each.line_id for each in rerated(rows, model="volume").lines] == ["il1"]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"tiers": '[{"up_to": 10, "unit_amount": "1"}]'}, "tiers_no_open_end"),
        ({"tiers": "none"}, "no_tiers"),
        ({"model": "per_unit"}, "missing_amount"),
        ({"currency": "EUR"}, "currency_mismatch"),
    ],
)
def test_a_draft_that_cannot_be_rated_leaves_every_line_with_its_reason(settings: Any, reason: str) -> None:
    found = rerated(two_customers(), **settings)
    assert [(each.now_reason, each.draft_reason) for each in found.unrated] == [(None, reason)] * 2
    assert found.changes == ()
    assert "2 not rated: " in found.as_text()
    assert {each["reason"] for each in found.as_json()["unrated"]} == {reason}


TEXT = """\
Price p1, periods that start from 2026-09-01T04:00:00Z to before 2026-10-01T04:00:00Z
Draft: model = volume

Customer        lines       now   draft    up    down
Acme (c1)  USD      1  1,200.00  600.00  0.00  600.00
Bolt (c2)  USD      1    150.00  150.00  0.00    0.00

All customers  USD  2  1,350.00  750.00  0.00  600.00
"""


def test_the_text_and_the_json_say_the_same() -> None:
    found = rerated(two_customers(), model="volume")
    assert found.as_text() == TEXT
    told = json.loads(json.dumps(found.as_json()))
    assert told["totals"] == [{"currency": "USD", "lines": 2, "now": "1350.00", "draft": "750.00", "up": "0.00", "down": "600.00"}]  # fmt: skip # noqa: E501
    assert [(each["line_id"], each["change"]) for each in told["lines"]] == [("il1", "-600.00"), ("il2", "0.00")]


def test_a_price_that_is_not_there_is_named() -> None:
    with pytest.raises(UnknownPriceError, match=r"no price 'p1'; check the id"):
        rerated(company(prices={"price_id": "p9"}), model="volume")


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    folder = tmp_path_factory.mktemp("company") / "books"
    faults = ("TU-13", "TU-19", "TU-22", "TU-40")
    example.write(folder, customers=40, seed=12, faults=faults, as_of=NOW, events_per_customer=250)
    with closing(books_of(folder)) as con:
        yield con


DRAFTS: list[tuple[str, dict[str, str]]] = [
    ("graduated", {"model": "volume", "free_units": "50"}),
    ("volume", {"tiers": '[{"up_to": "700", "unit_amount": "0.031"}, {"unit_amount": "0.017", "flat_amount": "2"}]'}),
    ("per_unit", {"unit_amount": "0.0731", "maximum_amount": "80"}),
    ("flat", {"flat_amount": "77.7", "proration": "day"}),
    ("package", {"package_size": "30", "unit_amount": "1.99"}),
]

PRICES = """
SELECT p.integration, p.price_id
FROM books.prices AS p
JOIN books.invoice_lines AS l ON l.integration = p.integration AND l.price_id = p.price_id
WHERE p.model = ? AND l.kind IN ('usage', 'recurring')
GROUP BY ALL ORDER BY count(*) DESC, p.price_id LIMIT 3"""


@pytest.mark.parametrize(("model", "settings"), DRAFTS)
def test_all_lines_at_once_are_rated_as_each_alone(
    books: duckdb.DuckDBPyConnection, model: str, settings: dict[str, str]
) -> None:
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC)
    prices = books.execute(PRICES, [model]).fetchall()
    assert prices, model
    other = other_terms({f"{PRICE}{name}": value for name, value in settings.items()})
    for integration, price_id in prices:
        found = rerate(books, price_id, start, end, price_columns(settings), NOW, integration)
        assert found.lines
        for rated in found.lines[:40]:
            alone = what_if(books, rated.line_id, NOW, other, integration)
            held = alone.changed.expectation.basis
            if held and held.price.override_id:
                continue  # a what-if sets the line's own terms, a draft the catalog's: the customer's override differs
            reference = [alone.unchanged.numbers.expected, alone.changed.numbers.expected]
            assert [rated.now, rated.draft] == reference, rated.line_id
            assert rated.draft_reason == alone.changed.expectation.reason


def test_the_company_that_is_rated_is_left_as_it_was(books: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    before = books.execute("SELECT count(*), sum(unit_amount) FROM books.prices").fetchall()
    (_, price_id), *_ = books.execute(PRICES, ["per_unit"]).fetchall()
    rerate(books, price_id, datetime(2026, 1, 1, tzinfo=UTC), NOW, price_columns({"unit_amount": "9"}), NOW)
    assert books.execute("SELECT count(*), sum(unit_amount) FROM books.prices").fetchall() == before
