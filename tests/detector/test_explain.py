"""One invoice line explained from its records: the steps, the tiers, where billed and expected part, and why."""

import json
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from billing.prices import Problem
from detector import explain_text, plain_books
from detector.explain import Explanation, FourNumbers, UnknownLineError, explain

AS_OF = datetime(2026, 10, 15, tzinfo=UTC)
SEPTEMBER, OCTOBER = datetime(2026, 9, 1, 4, tzinfo=UTC), datetime(2026, 10, 1, 4, tzinfo=UTC)  # midnight in New York
Rows = dict[str, list[dict[str, Any]]]


def day(number: int, hour: int = 12) -> datetime:
    return datetime(2026, 9, number, hour, tzinfo=UTC)


def company(**changes: dict[str, Any]) -> Rows:
    """One customer with one graduated usage item, 6,000 units in September, billed as it should be: 1,200.00 USD."""
    rows: Rows = {
        "customers": [{"customer_id": "c1", "name": "Acme", "status": "active", "created_at": day(1)}],
        "subjects": [
            {"subject": "acme", "customer_id": "c1", "kind": "subject", "valid_from": datetime(2026, 1, 1, tzinfo=UTC)}
        ],
        "meters": [{"meter_id": "m1", "name": "Calls", "event_type": "call", "aggregation": "sum"}],
        "prices": [price("p1", "graduated")],
        "price_tiers": [tier("p1", 1, 1000, "0.30"), tier("p1", 2, 5000, "0.20"), tier("p1", 3, None, "0.10")],
        "subscriptions": [subscription()],
        "subscription_items": [
            {
                "item_id": "i1",
                "subscription_id": "s1",
                "price_id": "p1",
                "active_from": datetime(2026, 1, 1, tzinfo=UTC),
            }
        ],
        "usage_events": [event(n, 1000) for n in range(1, 7)],
        "reported_usage": [
            {
                "record_id": "r1",
                "item_id": "i1",
                "period_start": SEPTEMBER,
                "period_end": OCTOBER,
                "quantity": Decimal(6000),
                "recorded_at": OCTOBER,
                "status": "processed",
            }
        ],
        "invoices": [invoice("in1", 1200)],
        "invoice_lines": [line("il1", amount=1200, quantity=6000)],
    }
    for table, values in changes.items():
        rows[table][0] |= values
    return rows


def price(price_id: str, model: str, **values: Any) -> dict[str, Any]:
    metered = {"meter_id": "m1", "payment_term": "in_arrears"}
    fixed = {"price_id": price_id, "name": "Calls", "model": model, "currency": "USD", "status": "active"}
    return {**fixed, **metered, "cadence": "P1M", **values}


def tier(price_id: str, number: int, up_to: int | None, unit_amount: str) -> dict[str, Any]:
    bound = None if up_to is None else Decimal(up_to)
    return {"price_id": price_id, "tier": number, "up_to": bound, "unit_amount": Decimal(unit_amount)}


def subscription(**values: Any) -> dict[str, Any]:
    start = datetime(2026, 1, 1, 5, tzinfo=UTC)
    fixed = {"subscription_id": "s1", "customer_id": "c1", "status": "active", "currency": "USD", "started_at": start}
    clock = {"billing_anchor": start, "cadence": "P1M", "timezone": "America/New_York"}
    return {**fixed, **clock, "collection_method": "send_invoice", **values}


def event(number: int, value: int, **values: Any) -> dict[str, Any]:
    when = {"time": day(number), "received_at": day(number)}
    named = {"event_id": f"e{number}", "source": "app", "event_type": "call", "subject": "acme", "status": "accepted"}
    return {**named, **when, "value": Decimal(value), **values}


def invoice(invoice_id: str, total: int, **values: Any) -> dict[str, Any]:
    named = {"invoice_id": invoice_id, "number": "2026-0042", "customer_id": "c1", "subscription_id": "s1"}
    period = {"period_start": SEPTEMBER, "period_end": OCTOBER, "created_at": OCTOBER}
    zero = dict.fromkeys(("discount_total", "tax_total", "credits_applied", "amount_paid"), Decimal(0))
    amounts = dict.fromkeys(("subtotal", "total", "amount_due"), Decimal(total))
    return {**named, **period, **zero, **amounts, "status": "open", "currency": "USD", **values}


def line(line_id: str, *, amount: int | str, quantity: int | None, **values: Any) -> dict[str, Any]:
    named = {"line_id": line_id, "invoice_id": "in1", "subscription_id": "s1", "item_id": "i1", "price_id": "p1"}
    what = {"kind": "usage", "description": "API calls", "period_start": SEPTEMBER, "period_end": OCTOBER}
    units = None if quantity is None else Decimal(quantity)
    money = {"amount": Decimal(amount), "discount_amount": Decimal(0), "tax_amount": Decimal(0)}
    return {**named, **what, **money, "quantity": units, "proration": False, **values}


def explained(rows: Rows, line_id: str = "il1", as_of: datetime = AS_OF, integration: str | None = None) -> Explanation:
    given = {table: [{"integration": "stripe", **row} for row in held] for table, held in rows.items()}
    with closing(plain_books.open(given)) as con:
        return explain(con, line_id, as_of, integration)


def steps(explanation: Explanation) -> dict[str, tuple[Decimal | None, Decimal | None]]:
    return {step.name: (step.expected, step.billed) for step in explanation.steps}


def test_a_line_billed_as_expected_says_so() -> None:
    found = explained(company())
    assert found.difference == 0 and found.parts_at is None and found.hypotheses == ()
    assert found.numbers == FourNumbers(Decimal(6000), Decimal(6000), Decimal(6000), Decimal(1200), Decimal(1200))
    assert [(t.tier, t.units, t.expected, t.billed) for t in found.tiers] == [
        (1, 1000, 300, 300),
        (2, 4000, 800, 800),
        (3, 1000, 100, 100),
    ]


BILLED_AS_VOLUME = """\
Invoice line il1 (usage): API calls
Customer  Acme (c1)
Invoice   2026-0042 (in1), open, USD
Period    2026-09-01 00:00 to 2026-10-01 00:00 America/New_York
Price     Calls (p1), graduated

          expected  billed
quantity     6,000   6,000     6,000 units metered: sum of 6 events
price        1,200       -     graduated: tier 1: 1,000 × 0.3; tier 2: 4,000 × 0.2; tier 3: 1,000 × 0.1 = 1,200
rounding  1,200.00       -     rounded half up to 2 digits = 1,200
amount    1,200.00  600.00  ≠  the line before discount
total     1,200.00  600.00  ≠  after discounts and credit notes

Tier                     units  unit amount  flat  expected  billed  difference
1 (from 0 to 1,000)      1,000          0.3     0       300       0         300
2 (past 1,000 to 5,000)  4,000          0.2     0       800       0         800
3 (past 5,000 and more)  1,000          0.1     0       100     600        -500

Billed 600.00 USD too little.
Billed and expected first part at: amount.
The billed amount is what this gives: the tiers taken as volume in place of graduated.
Units: metered 6,000, recorded 6,000, billed 6,000. Amounts: billed 600.00 USD, expected 1,200.00 USD.
"""


def test_the_text_reads_from_the_events_to_the_total() -> None:
    assert explained(company(invoice_lines={"amount": Decimal(600)})).as_text() == BILLED_AS_VOLUME


def test_the_json_holds_numbers_as_text_and_instants_in_utc() -> None:
    found = json.loads(json.dumps(explained(company(invoice_lines={"amount": Decimal(600)})).as_json()))
    assert found["period_start"] == "2026-09-01T04:00:00Z"
    assert found["numbers"] == {
        "metered": "6000",
        "recorded": "6000",
        "billed_quantity": "6000",
        "billed": "600.00",
        "expected": "1200.00",
    }
    assert (found["difference"], found["parts_at"], found["reason"]) == ("600.00", "amount", None)
    assert found["hypotheses"][0]["name"] == "other_mode"
    assert found["tiers"][2] == {
        "tier": 3,
        "above": "5000",
        "up_to": None,
        "units": "1000",
        "unit_amount": "0.1",
        "flat_amount": "0",
        "expected": "100",
        "billed": "600",
        "difference": "-500",
    }


def test_usage_received_after_the_invoice_is_counted_and_named_late() -> None:
    rows = company()
    rows["usage_events"].append(event(7, 500, received_at=datetime(2026, 10, 3, tzinfo=UTC)))
    found = explained(rows)
    assert found.numbers.metered == 6500 and found.difference == 50
    assert found.parts_at is not None and found.parts_at.name == "quantity"
    assert found.parts_at.text == "6,500 units metered: sum of 7 events, 1 of them received after it was billed"
    assert [each.text for each in found.hypotheses] == ["the line's quantity of 6,000 in place of 6,500"]
    assert explained(rows, as_of=datetime(2026, 10, 2, tzinfo=UTC)).difference == 0


def test_only_the_customers_own_accepted_events_in_service_count_and_each_once() -> None:
    rows = company()
    rows["subjects"] += [
        {"subject": "moved", "customer_id": "c1", "kind": "subject", "valid_from": day(10), "valid_to": day(20)}
    ]
    rows["usage_events"] += [
        event(8, 99, status="rejected"),
        event(9, 99, event_type="other"),
        event(10, 99, subject="stranger"),
        event(11, 7, subject="moved"),
        event(21, 99, subject="moved"),
        event(1, 99, integration="copy", received_at=day(2)),
        event(12, 99, time=OCTOBER),
    ]
    assert explained(rows).numbers.metered == 6007


def test_a_customer_whom_no_subject_names_is_its_own_subject() -> None:
    rows = company(subjects={"customer_id": "c2"})
    rows["usage_events"] = [event(1, 40, subject="c1")]
    assert explained(rows).numbers.metered == 40


@pytest.mark.parametrize(
    ("aggregation", "quantity"),
    [("sum", 9), ("count", 4), ("unique_count", 3), ("max", 4), ("min", 1), ("latest", 2), ("avg", "2.25")],
)
def test_a_meter_adds_up_in_its_own_way(aggregation: str, quantity: object) -> None:
    rows = company(meters={"aggregation": aggregation, "value_property": "$.user"})
    users = ["a", "b", "a", "c"]
    rows["usage_events"] = [
        event(n, value, properties=json.dumps({"user": user}))
        for n, (value, user) in enumerate(zip([1, 4, 2, 2], users, strict=True), start=1)
    ]
    assert explained(rows).numbers.metered == Decimal(str(quantity))


def test_nothing_counts_during_a_trial() -> None:
    assert explained(company(subscriptions={"trial_end": day(4)})).numbers.metered == 3000


def test_negotiated_terms_hold_and_the_catalog_price_is_recognised() -> None:
    rows = company(
        prices={"model": "per_unit", "unit_amount": Decimal("0.20")}, invoice_lines={"amount": Decimal(1200)}
    )
    rows["invoice_lines"][0]["unit_amount"] = Decimal("0.20")
    rows["price_overrides"] = [
        {
            "override_id": "o1",
            "customer_id": "c1",
            "price_id": "p1",
            "unit_amount": Decimal("0.15"),
            "valid_from": day(1, 0),
        }
    ]
    found = explained(rows)
    assert steps(found)["unit_amount"] == (Decimal("0.15"), Decimal("0.20"))
    assert found.parts_at is not None and found.parts_at.name == "unit_amount"
    assert [each.text for each in found.hypotheses] == ["the catalog price in place of this price"]
    assert "override o1" in found.as_text()


def test_another_plan_versions_price_is_recognised() -> None:
    rows = company(
        prices={"model": "per_unit", "unit_amount": Decimal("0.20"), "plan_id": "plan1"},
        invoice_lines={"amount": Decimal(1500)},
    )
    plan = {"plan_key": "pro", "name": "Pro", "status": "active", "currency": "USD", "cadence": "P1M"}
    rows["plans"] = [{**plan, "plan_id": "plan1", "version": 1}, {**plan, "plan_id": "plan2", "version": 2}]
    rows["prices"].append(price("p2", "per_unit", unit_amount=Decimal("0.25"), plan_id="plan2"))
    assert [each.text for each in explained(rows).hypotheses] == [
        "the price p2 of plan version 2 in place of this price"
    ]


def test_conversion_free_units_maximum_and_minimum_are_shown_in_their_order() -> None:
    rows = company(
        prices={
            "model": "per_unit",
            "unit_amount": Decimal(10),
            "convert": "divide",
            "convert_factor": Decimal(1000),
            "convert_rounding": "ceiling",
            "free_units": Decimal(1),
            "maximum_amount": Decimal(45),
            "minimum_amount": Decimal(60),
        },
        invoice_lines={"raw_quantity": Decimal(6000), "quantity": Decimal(6), "amount": Decimal(50)},
    )
    found = explained(rows)
    assert [step.name for step in found.steps] == [
        *("quantity", "conversion", "free_units", "unit_amount", "price", "rounding", "maximum"),
        *("amount", "total", "minimum"),
    ]
    assert steps(found)["conversion"] == (6, 6) and steps(found)["minimum"] == (15, None)
    assert [each.name for each in found.hypotheses] == ["no_maximum"]


def test_the_commitment_line_is_what_the_period_falls_short_of() -> None:
    rows = company(prices={"minimum_amount": Decimal(1500)})
    rows["invoice_lines"].append(line("il2", amount=200, quantity=None, kind="commitment"))
    found = explained(rows, "il2")
    assert (found.numbers.expected, found.difference) == (300, 100)


def test_a_split_period_carries_on_from_the_line_before() -> None:
    middle = day(4, 0)
    rows = company(invoice_lines={"period_end": middle, "quantity": Decimal(3000), "amount": Decimal(700)})
    rows["invoice_lines"].append(line("il2", amount=700, quantity=3000, period_start=middle))
    first, second = explained(rows, "il1"), explained(rows, "il2")
    assert (first.difference, second.numbers.expected) == (0, 500)
    assert [each.name for each in second.hypotheses] == ["starts_anew"]
    assert "carries on from 3,000 units" in second.as_text()


def seats(**values: Any) -> Rows:
    rows = company(
        prices={"model": "per_unit", "unit_amount": Decimal(31), "meter_id": None, "proration": "day"},
        subscription_items={"quantity": Decimal(10)},
        invoice_lines={"kind": "recurring", "quantity": Decimal(10), **values},
    )
    del rows["reported_usage"]
    return rows


def test_seats_are_charged_by_the_items_quantity() -> None:
    found = explained(seats(quantity=Decimal(8), amount=Decimal(248)))
    assert (found.numbers.metered, found.numbers.recorded, found.numbers.expected) == (10, None, 310)
    assert [each.name for each in found.hypotheses] == ["line_quantity"]


def test_a_part_of_a_period_is_charged_by_the_prices_basis() -> None:
    middle = datetime(2026, 9, 16, 4, tzinfo=UTC)
    found = explained(seats(proration=True, period_start=middle, amount=Decimal("165.33")))
    assert found.numbers.expected == 155
    assert [each.text for each in found.hypotheses] == [
        "prorated by calendar days, the last one included: 8/15 of the period in place of 1/2"
    ]
    assert "1/2 of 2026-09-01 00:00 to 2026-10-01 00:00 America/New_York, by the day" in found.as_text()


def test_the_unused_part_is_given_back() -> None:
    middle = datetime(2026, 9, 16, 4, tzinfo=UTC)
    found = explained(seats(proration=True, period_start=middle, amount=Decimal(-155)))
    assert (found.numbers.expected, found.difference) == (-155, 0)


def discount(name: str, kind: str, value: str, **scope: str) -> dict[str, Any]:
    return {
        "discount_id": name,
        "kind": kind,
        "value": Decimal(value),
        "currency": "USD",
        "starts_at": datetime(2026, 1, 1, tzinfo=UTC),
        **scope,
    }


def test_discounts_come_off_in_their_order_and_a_fixed_amount_once_per_invoice() -> None:
    rows = company(invoice_lines={"discount_amount": Decimal(240)})
    rows["discounts"] = [
        discount("d1", "percent", "10", item_id="i1"),
        discount("d2", "amount", "150", customer_id="c1"),
        discount("d3", "percent", "50", customer_id="other"),
    ]
    rows["invoice_lines"].append(line("il0", amount=100, quantity=None, kind="recurring", item_id=None))
    found = explained(rows)
    assert steps(found)["discount"] == (Decimal(170), Decimal(240))  # 120, and the 50 that il0 leaves of 150
    assert found.difference == 70


def note(amount: int, **values: Any) -> dict[str, Any]:
    named = {"credit_note_id": f"n{amount}", "invoice_id": "in1", "customer_id": "c1", "currency": "USD"}
    return {
        **named,
        "amount": Decimal(amount),
        "status": "issued",
        "created_at": datetime(2026, 10, 5, tzinfo=UTC),
        **values,
    }


def test_credit_notes_for_the_line_count() -> None:
    rows = company(invoice_lines={"amount": Decimal(1500)})
    rows["credit_notes"] = [note(300, line_id="il1"), note(7, line_id="il1", status="void")]
    assert (explained(rows).numbers.billed, explained(rows).difference) == (1200, 0)


def test_a_credit_note_for_the_invoice_falls_on_the_line_that_charges_too_much() -> None:
    rows = company(invoice_lines={"amount": Decimal(1500)}, invoices={"total": Decimal(2700)})
    rows["invoice_lines"].append(line("il2", amount=1200, quantity=6000))
    rows["credit_notes"] = [note(250)]
    assert explained(rows).numbers.billed == 1250
    assert explained(rows, "il2").numbers.billed == 1200  # the second line for the period charges too much, but later

    rows["credit_notes"] = [note(2700)]
    assert (explained(rows).numbers.billed, explained(rows, "il2").numbers.billed) == (0, 0)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"invoice_lines": {"kind": "one_time"}}, "not_rated"),
        ({"invoice_lines": {"kind": "adjustment"}}, "not_rated"),
        ({"invoice_lines": {"item_id": "gone"}}, "unknown_item"),
        ({"invoice_lines": {"period_end": SEPTEMBER}}, "zero_length_period"),
        ({"invoices": {"currency": "EUR"}}, "currency_mismatch"),
        ({"meters": {"meter_id": "m2"}}, "unknown_meter"),
        ({"prices": {"price_id": "p9"}}, "missing_price"),
        ({"price_tiers": {"tier": 4}}, "tiers_gap"),
        ({"prices": {"model": "per_unit"}}, "missing_amount"),
    ],
)
def test_what_cannot_be_rated_has_a_reason_and_is_still_shown(changes: dict[str, Any], reason: str) -> None:
    found = explained(company(**changes))
    assert (found.expectation.reason, found.numbers.expected, found.difference) == (reason, None, None)
    assert found.numbers.billed == 1200
    assert "No expected amount: " in found.as_text()
    assert found.as_json()["reason"] == reason


def test_every_reason_reads_as_a_sentence() -> None:
    assert set(Problem) <= explain_text.REASONS.keys()


def test_an_item_is_found_by_its_subscription_and_price() -> None:
    assert explained(company(invoice_lines={"item_id": None})).difference == 0


def test_an_unknown_line_is_named_with_what_to_do() -> None:
    with pytest.raises(UnknownLineError, match=r"no invoice line 'il9'.*import or sync"):
        explained(company(), "il9")
    with pytest.raises(UnknownLineError, match="as of 2026-09-15"):
        explained(company(), as_of=day(15))


def test_a_line_id_of_two_integrations_needs_the_integration() -> None:
    rows = company()
    rows["invoices"].append({**invoice("in1", 5), "integration": "files"})
    rows["invoice_lines"].append({**line("il1", amount=5, quantity=None, item_id=None), "integration": "files"})
    with pytest.raises(UnknownLineError, match="files, stripe"):
        explained(rows)
    assert explained(rows, integration="files").line.amount == 5
