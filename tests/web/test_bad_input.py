"""What cannot be rated is named on the line, in the console, as text and as JSON: never an error, never a guess."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from flask.testing import FlaskClient

from detector.explain import explain
from detector.explain_invoice import explain_invoice
from tests.detector.test_explain import AS_OF, SEPTEMBER, Rows, company, event, invoice, line, price, tier
from tests.web.company import NOW, Home, empty_home
from tests.web.reading import Page, get, text

BAD = {
    "gap": ("tiers_gap", "the price's tiers have a gap"),
    "closed": ("tiers_no_open_end", "the price's last tier has an end, so larger quantities have no price"),
    "money": ("unknown_currency", "the price's currency is not an ISO 4217 currency"),
    "negative": ("negative_quantity", "the quantity is negative"),
    "empty": ("zero_length_period", "the line's period has no length"),
    "priceless": ("missing_price", "the books do not hold the item's price"),
    "factor": ("convert_factor", "the price's unit conversion has no factor"),
    "nothing": ("missing_quantity", "nobody says how many units there were"),
    "meterless": ("unknown_meter", "the books do not hold the price's meter"),
    "cadence": (None, ""),
    "zone": (None, ""),
}
"""A line of each kind of bad input with its reason; an unreadable cadence or zone leaves usage rated."""


def bad_books() -> Rows:
    """An invoice whose lines are each wrong in a way of its own, and one line that is right."""
    rows = company()
    metered = {name: price(f"p_{name}", "graduated") for name in BAD if name not in ("priceless", "nothing")}
    metered["money"] |= {"currency": "XXQ"}
    metered["factor"] |= {"convert": "divide", "convert_factor": None}
    metered["cadence"] |= {"cadence": "monthly"}
    metered["meterless"] |= {"meter_id": "gone"}
    metered["negative"] |= {"meter_id": "m2"}
    seats = price("p_nothing", "per_unit", unit_amount=Decimal(1), meter_id=None)
    rows["prices"] += [*metered.values(), seats]
    rows["meters"].append({**rows["meters"][0], "meter_id": "m2", "event_type": "refund"})
    rows["usage_events"].append(event(20, -5, event_type="refund"))
    rows["subscriptions"].append({**rows["subscriptions"][0], "subscription_id": "s_zone", "timezone": "Mars/Olympus"})
    for name in BAD:
        ends = [(1, 10 if name == "closed" else None)]
        rows["price_tiers"] += [tier(f"p_{name}", number, bound, "0.2") for number, bound in ends]
        subscription = "s_zone" if name == "zone" else "s1"
        item = {"item_id": f"i_{name}", "price_id": f"p_{name}", "subscription_id": subscription}
        rows["subscription_items"].append({**rows["subscription_items"][0], **item})
        rows["invoice_lines"].append(bad_line(name, item))
    rows["price_tiers"].append(tier("p_gap", 3, None, "0.1"))
    rows["invoices"].append(invoice("in_money", 10, currency="XXQ"))
    return rows


def bad_line(name: str, item: dict[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {"kind": "recurring", "quantity": None} if name == "nothing" else {}
    changes |= {"period_end": SEPTEMBER} if name == "empty" else {}
    changes |= {"invoice_id": "in_money"} if name == "money" else {}
    return line(f"il_{name}", amount=10, quantity=6000, description=name) | item | changes


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = empty_home(tmp_path_factory.mktemp("bad"))
    home.warehouse.upsert_rows(bad_books(), integration="stripe", version_at=NOW)
    return home


@pytest.fixture(scope="module")
def browser(bad: Home) -> FlaskClient:
    return bad.app().test_client()


@pytest.fixture(scope="module")
def books(bad: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    with closing(bad.warehouse.connect(read_only=True)) as con:
        yield con


@pytest.mark.parametrize("name", BAD)
def test_a_line_names_its_reason_in_the_console_as_text_and_as_json(
    books: duckdb.DuckDBPyConnection, browser: FlaskClient, name: str
) -> None:
    reason, told = BAD[name]
    html = get(browser, f"/lines/il_{name}")
    assert Page(html).problems == []
    found = explain(books, f"il_{name}", AS_OF)
    assert found.as_json()["reason"] == reason
    if reason is None:
        assert (found.numbers.metered, found.numbers.expected) == (6000, 1200)
        return
    assert found.numbers.expected is None
    assert f"No expected amount: {told}." in found.as_text()
    assert f"It cannot be rated: {told}." in text(html)


@pytest.mark.parametrize("which", ["in1", "in_money"])
def test_an_invoice_of_such_lines_is_explained_whole(
    books: duckdb.DuckDBPyConnection, browser: FlaskClient, which: str
) -> None:
    html = get(browser, f"/invoices/{which}")
    assert Page(html).problems == []
    found = explain_invoice(books, which, AS_OF)
    on_it = [name for name in BAD if (name == "money") is (which == "in_money")]
    for reason, told in (BAD[name] for name in on_it if BAD[name][0]):
        assert f"no expected amount: {told}" in found.as_text()
        assert f"not rated: {told}" in text(html)
        assert reason in {each["reason"] for each in found.as_json()["lines"]}


@pytest.mark.parametrize("name", BAD)
def test_a_what_if_on_such_a_line_answers(browser: FlaskClient, name: str) -> None:
    html = text(get(browser, f"/lines/il_{name}?quantity=3&price.tiers=[%7B%22unit_amount%22:%222%22%7D]"))
    rescued = name in ("gap", "closed", "negative", "meterless", "cadence", "zone")
    assert ("What if 6.00 USD" in html) is rescued
    assert rescued or "cannot be rated" in html


def test_the_copy_that_is_near_explains_as_the_lake_does(bad: Home) -> None:
    warehouse = bad.warehouse
    warehouse.near.gather()
    with closing(warehouse.near.connect()) as near, closing(warehouse.connect(read_only=True)) as lake:
        for name in ("1", *(f"_{name}" for name in BAD)):
            assert explain(near, f"il{name}", AS_OF).as_json() == explain(lake, f"il{name}", AS_OF).as_json()
    warehouse.close()
