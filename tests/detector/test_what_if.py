"""What-if: the same line under other terms, beside what it is, and what may be set."""

import json
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest

from detector import plain_books
from detector.other_terms import other_terms
from detector.price_settings import BadSettingError
from detector.what_if import WhatIf, what_if
from tests.detector.test_explain import AS_OF, Rows, company, day, price, seats


def if_set(rows: Rows, **settings: str) -> WhatIf:
    named = {name.replace("__", "."): value for name, value in settings.items()}
    given = {table: [{"integration": "stripe", **row} for row in held] for table, held in rows.items()}
    with closing(plain_books.open(given)) as con:
        return what_if(con, "il1", AS_OF, other_terms(named))


def versions() -> Rows:
    """The item's price in version 1 of a plan, and a dearer one of the same name in version 2."""
    rows = company(prices={"model": "per_unit", "unit_amount": Decimal("0.20"), "plan_id": "plan1"})
    plan = {"plan_key": "pro", "name": "Pro", "status": "active", "currency": "USD", "cadence": "P1M"}
    rows["plans"] = [{**plan, "plan_id": f"plan{version}", "version": version} for version in (1, 2, 3)]
    rows["prices"].append(price("p2", "per_unit", unit_amount=Decimal("0.25"), plan_id="plan2"))
    return rows


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"quantity": "1200"}, 340),
        ({"price__model": "volume"}, 600),
        ({"price__tiers": '[{"unit_amount": "0.02"}]'}, 120),
        ({"price__tiers": '[{"up_to": 6000, "unit_amount": 0.5}, {"unit_amount": "1"}]'}, 3000),
        ({"price__model": "per_unit", "price__unit_amount": "0.02"}, 120),
        ({"price__free_units": "1000"}, 1100),
        ({"price__maximum_amount": "500", "quantity": "99999"}, 500),
        ({"price__model": "package", "price__unit_amount": "7", "price__package_size": "2500"}, 21),
    ],
)
def test_a_line_is_rated_under_what_is_set(settings: dict[str, str], expected: int) -> None:
    found = if_set(company(), **settings)
    assert (found.unchanged.numbers.expected, found.changed.numbers.expected) == (1200, expected)
    assert found.difference == expected - 1200


def test_seats_and_parts_of_a_period_can_be_set_too() -> None:
    assert if_set(seats(), quantity="3").difference == Decimal(93 - 310)
    part = seats(proration=True, period_start=day(16, 4))
    assert if_set(part, price__proration="none").difference == 155
    assert if_set(part, price__cadence="P1Y").changed.numbers.expected == Decimal("12.74")  # 15 of 365 days


def test_negotiated_terms_go_before_the_catalog_and_what_is_set_before_both() -> None:
    rows = company(prices={"model": "per_unit", "unit_amount": Decimal("0.20")})
    override = {"override_id": "o1", "customer_id": "c1", "price_id": "p1", "unit_amount": Decimal("0.15")}
    rows["price_overrides"] = [{**override, "valid_from": day(1, 0)}]
    assert if_set(rows, price__unit_amount="0.01").changed.numbers.expected == 60
    assert if_set(rows, price__free_units="1000").changed.numbers.expected == 750


def test_another_plan_version_or_price_is_taken_from_the_books() -> None:
    assert if_set(versions(), plan_version="2").changed.numbers.expected == 1500
    found = if_set(versions(), price="p2", quantity="10")
    assert found.changed.numbers.expected == Decimal("2.5")
    assert "by price p2" in found.as_text()


TEXT = """\
Invoice line il1 (usage): API calls
Customer  Acme (c1)
Invoice   2026-0042 (in1), open, USD
Period    2026-09-01 00:00 to 2026-10-01 00:00 America/New_York
Price     Calls (p1), graduated
What if   quantity = 1200; price.model = volume

          as it is  what if
quantity     6,000    1,200  ≠  1,200 units, as set
price        1,200      240  ≠  volume: tier 2: 1,200 × 0.2 = 240
rounding  1,200.00   240.00  ≠  rounded half up to 2 digits = 240
amount    1,200.00   240.00  ≠  the line before discount
total     1,200.00   240.00  ≠  after discounts and credit notes

As it is  expected 1,200.00 USD.
What if   expected 240.00 USD.
Billed    1,200.00 USD.
The change makes it 960.00 USD cheaper.
"""


def test_the_text_stands_side_by_side() -> None:
    assert if_set(company(), quantity="1200", price__model="volume").as_text() == TEXT


def test_the_json_holds_both_explanations_and_the_difference() -> None:
    found = json.loads(json.dumps(if_set(company(), quantity="1200").as_json()))
    assert found["set"] == {"quantity": "1200"}
    assert (found["unchanged"]["expected"]["net"], found["changed"]["expected"]["net"]) == ("1200.00", "340.00")
    assert found["difference"] == "-860.00"


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"price__tiers": '[{"up_to": 10, "unit_amount": "1"}]'}, "tiers_no_open_end"),
        ({"price__tiers": '[{"tier": 1, "unit_amount": "1"}, {"tier": 3, "unit_amount": "1"}]'}, "tiers_gap"),
        ({"price__tiers": "none"}, "no_tiers"),
        ({"price__currency": "EUR"}, "currency_mismatch"),
        ({"quantity": "-5"}, "negative_quantity"),
        ({"price__model": "per_unit"}, "missing_amount"),
        ({"price__model": "package", "price__unit_amount": "1", "price__package_size": "0"}, "package_size"),
    ],
)
def test_what_cannot_be_rated_has_its_reason_and_no_amount(settings: dict[str, str], reason: str) -> None:
    found = if_set(company(), **settings)
    assert (found.changed.expectation.reason, found.difference) == (reason, None)
    assert "no expected amount: " in found.as_text()
    assert found.as_json()["changed"]["reason"] == reason


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"price__nam": "x"}, r"price\.nam cannot be set; what can be is quantity, plan_version, price, price\.model"),
        ({"price__name": "x"}, r"price\.name cannot be set"),
        ({"quantity": "many"}, "quantity=many is not a number"),
        ({"quantity": "NaN"}, "quantity=NaN is not a number"),
        ({"quantity": "1e30"}, "too many digits: the books hold 18 before the point"),
        ({"price__unit_amount": "0.0000000000001"}, "too many digits"),
        ({"price__model": "cheap"}, "model=cheap is not known; it is one of flat, per_unit, graduated"),
        ({"price__model": "none"}, "a price cannot be without model"),
        ({"price__currency": "usd"}, "not an ISO 4217 currency"),
        ({"price__proration": "week"}, "it is one of none, second, day"),
        ({"price__cadence": "monthly"}, "not an ISO 8601 duration"),
        ({"price__tiers": "cheap"}, "tiers is no JSON"),
        ({"price__tiers": '{"up_to": 1}'}, "tiers is no list of tiers"),
        ({"price__tiers": '[{"bound": 1}]'}, "tier 1 has no bound; a tier has tier, up_to, unit_amount"),
        ({"price__tiers": '[{"up_to": "ten"}]'}, "tier 1 up_to=ten is not a number"),
        ({"price__tiers": '[{"tier": "first"}]'}, "tiers: "),
        ({"plan_version": "latest"}, "plan_version=latest is not a whole number"),
        ({"plan_version": "9"}, "plan pro has no version 9; it has 1, 2, 3"),
        ({"plan_version": "3"}, r"version 3 of plan pro has 0 prices like p1 \(none\); set price"),
        ({"price": "p9"}, "the books of stripe hold no price p9"),
        ({"plan_version": "2", "price": "p2"}, "set one of them"),
    ],
)
def test_what_cannot_be_set_is_refused_with_what_can_be(settings: dict[str, str], said: str) -> None:
    with pytest.raises(BadSettingError, match=said) as error:
        if_set(versions(), **settings)
    assert "\n" not in str(error.value)


def test_a_price_without_a_plan_has_no_versions() -> None:
    with pytest.raises(BadSettingError, match="belongs to no plan"):
        if_set(company(), plan_version="2")


def test_a_meter_that_is_not_known_can_still_be_rated_by_a_quantity_that_is_set() -> None:
    rows: Any = company(meters={"meter_id": "m2"})
    found = if_set(rows, quantity="10")
    assert (found.unchanged.expectation.reason, found.changed.numbers.expected) == ("unknown_meter", 3)
