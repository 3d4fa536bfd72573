"""Each rule's signal shows the chart that fits it, with a table that says the same."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from flask.testing import FlaskClient

from tests.web.company import NOW, Home
from tests.web.reading import Page, get, text
from web.charts import axis
from web.money_charts import Movement, Part, Rate, invoice_chart, ledger_chart, rate_chart
from web.timeline import Lane, Span, timeline


@pytest.fixture(scope="module")
def reader(example_company: Home) -> Iterator[FlaskClient]:
    with example_company.app().test_client() as client:
        yield client


@pytest.mark.parametrize(
    ("code", "title"),
    [
        ("TU-19", "Usage since the period began, and the tiers it passes"),
        ("TU-22", "What a unit costs, period by period"),
        ("TU-34", "The invoice as it should be, and as it is"),
        ("TU-38", "Service and billed periods"),
        ("TU-39", "Expected and billed, period by period"),
        ("TU-40", "Service and billed periods"),
        ("TU-42", "Service and billed periods"),
        ("TU-52", "The credit ledger, step by step"),
    ],
)
def test_the_chart_fits_the_rule_and_a_table_says_the_same(reader: FlaskClient, code: str, title: str) -> None:
    listed = get(reader, f"/signals?code={code}")
    html = get(reader, f"{re.findall(r'href=.(/signals/SIG-[0-9]+)', listed)[0]}?show=working")
    assert title in text(html)
    assert "Show as a table" in html
    assert Page(html).problems == []


def test_a_line_billed_twice_lies_on_a_line_of_its_own(reader: FlaskClient) -> None:
    listed = get(reader, "/signals?code=TU-40")
    html = get(reader, f"{re.findall(r'href=.(/signals/SIG-[0-9]+)', listed)[0]}?show=working")
    assert re.search(r"<p>billed again</p>\s*<svg[^>]*>(?:(?!</svg>).)*class=\"wrong\"", html, re.DOTALL)


def test_an_axis_reaches_below_zero_where_a_balance_does() -> None:
    scale = axis(Decimal(30), least=Decimal(-10))
    assert scale.labels == ("30", "20", "10", "0", "-10")
    assert (scale.down(Decimal(30)), scale.down(Decimal(0)), scale.down(Decimal(-10))) == ("0%", "75%", "100%")
    assert scale.height(Decimal(20)) == "50%"


def test_a_period_charged_at_another_price_stands_out() -> None:
    rates = [Rate("1 Sep 2026", Decimal(6), Decimal(6)), Rate("1 Oct 2026", Decimal(6), Decimal("5.5"))]
    chart = rate_chart(rates, "USD", "call")
    assert [mark.label for mark in chart.marks] == ["1 Oct 2026: 5.50 USD instead of 6.00"]
    assert chart.rows[1] == ("1 Oct 2026", "6.00", "5.50", "0.50")


def test_an_invoice_is_a_stack_of_its_lines_and_what_none_of_them_explains() -> None:
    parts = [
        Part("API", Decimal(60), Decimal(50)),
        Part("Fee", None, Decimal(40)),
        Part("Credit", Decimal(-5), Decimal(-5)),
    ]
    chart = invoice_chart(parts, Decimal(10), Decimal(7), Decimal(102), "USD")
    assert [bar.label for bar in chart.bars if bar.look == "unexplained"] == [
        "in the total, and in none of its parts: 7.00 USD billed"
    ]
    assert ("Fee", "not rated", "40.00", "") in chart.rows
    assert chart.rows[-1] == ("Total", "105.00", "102.00", "3.00")
    assert not [bar for bar in chart.bars if "Credit" in bar.label], "what gives back has no height"


def test_many_lines_are_six_parts_and_every_line_is_in_the_table() -> None:
    parts = [Part(f"Line {number}", Decimal(number), Decimal(number)) for number in range(1, 31)]
    chart = invoice_chart(parts, Decimal(0), Decimal(0), Decimal(465), "USD")
    assert len(chart.legend) == 6
    assert chart.legend[-1][1] == "25 smaller lines"
    assert len(chart.rows) == 31


def test_a_movement_that_does_not_lead_where_it_says_is_marked() -> None:
    at = datetime(2026, 10, 1, tzinfo=UTC)
    steps = [
        Movement(1, "funded", Decimal(100), Decimal(0), Decimal(100), at, False),
        Movement(2, "consumed", Decimal(-30), Decimal(100), Decimal(60), at, True),
    ]
    chart = ledger_chart(steps, "USD")
    assert [bar.look for bar in chart.bars] == ["in", "off"]
    assert [mark.label for mark in chart.marks] == ["2: 100.00 and −30.00 come to 70.00"]
    assert chart.rows[1][0] == "2 (named)"


def test_spans_outside_the_shown_time_are_cut_off_and_the_shortest_can_be_seen() -> None:
    at = lambda day: datetime(2026, 10, day, tzinfo=UTC)  # noqa: E731
    lanes = [Lane("a", (Span(at(1), at(5), "before and in"), Span(at(10), None, "goes on"))),
             Lane("b", (Span(at(6), at(6), "an instant"),))]  # fmt: skip
    chart = timeline("Course", "", lanes, at(3), at(13), NOW)
    first, lasting = chart.lanes[0][1]
    assert (first.x, first.width) == ("0%", "20%")
    assert (lasting.x, lasting.width) == ("70%", "30%")
    assert chart.lanes[1][1][0].width == "0.4%"
    assert chart.rows[1] == ("a", "10 Oct 2026", "goes on", "goes on")
    assert chart.present is None
