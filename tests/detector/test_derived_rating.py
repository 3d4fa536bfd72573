"""The SQL that rates in the warehouse gives what billing/rating.py gives, to the cent, and names the same reasons."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from decimal import Decimal

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.prices import Model, Price, Tier
from billing.rating import Before, Rating, rate
from detector import derived, plain_books
from tests.detector.random_lines import ROUNDING, START, Line, lines, price_rows

ASKED = """
    CREATE TEMP TABLE asked (
        price_id VARCHAR, override_id VARCHAR, quantity DECIMAL(27,9), prior DECIMAL(27,9), part BIGINT, whole BIGINT,
        events BIGINT)
"""
PRICED = """
    CREATE TEMP VIEW priced AS
    SELECT a.*, CASE WHEN c.price.model = 'flat' THEN coalesce(a.quantity, 1) ELSE a.quantity END AS number, c.price
    FROM asked AS a
    JOIN rate_cards AS c ON c.price_id = a.price_id AND c.override_id IS NOT DISTINCT FROM a.override_id
"""
RATED = """
    WITH rated AS (
        SELECT *,
            CASE WHEN price.metered THEN rate(price, number, prior, events, events)
                ELSE rate_part(price, number, part, whole) END AS amount
        FROM priced)
    SELECT price_id, amount, rate_problem(price, number, prior, events, events) AS problem,
        coalesce(commitment(price, amount + coalesce(rate(price, prior, NULL, events, NULL), 0), part, whole), 0)
    FROM rated
"""


@contextmanager
def asked(given: list[Line]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection whose view `priced` holds the lines with their prices."""
    with closing(plain_books.open(price_rows(given))) as con:
        derived.build(con, START, {"rate_cards"}, ROUNDING)
        con.execute(ASKED)
        con.execute(f"INSERT INTO asked VALUES {', '.join(_row(line) for line in given)}")
        con.execute(PRICED)
        yield con


def _row(line: Line) -> str:
    override = f"o{line.number}" if line.override else None
    values = (f"p{line.number}", override, line.quantity, line.before, *line.share.as_integer_ratio(), line.events)
    written = ["NULL" if value is None else f"'{value}'" for value in values]
    return f"({', '.join(written)})"


def reference(line: Line) -> Rating:
    """The reference's answer, with the minimum of a period that the line closes."""
    before = None if line.before is None else Before(line.before, line.events)
    return rate(
        line.terms, line.quantity, before=before, events=line.events, share=line.share, closes_period=True,
        rounding=line.rounding,
    )  # fmt: skip


def differences(given: list[Line]) -> list[object]:
    """The lines that are not rated alike, each with both answers."""
    with asked(given) as con:
        found = {int(price_id[1:]): answer for price_id, *answer in con.execute(RATED).fetchall()}
    wrong = []
    for line in given:
        rating = reference(line)
        answer = [rating.amount, rating.problem, rating.commitment]
        if found[line.number] != answer:
            wrong.append((line, answer, found[line.number]))
    return wrong


def test_twenty_thousand_random_lines_over_every_model_are_rated_alike() -> None:
    given = lines(20_000, seed=2)
    assert differences(given) == []
    assert {line.price.model for line in given} == set(Model)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32))
def test_any_random_lines_are_rated_alike(seed: int) -> None:
    assert differences(lines(200, seed)) == []


def _mode(price: Price) -> Price:
    """The price with its tiers read in the other mode."""
    return replace(price, model={"graduated": "volume", "volume": "graduated"}[price.model])


def _shifted(price: Price, shift: int) -> Price:
    """The price with every tier bound moved."""
    return replace(price, tiers=tuple(replace(tier, up_to=tier.up_to and tier.up_to + shift) for tier in price.tiers))


def tiered(seed: int) -> list[Line]:
    """Lines under sound tiered prices whose bounds can be moved by one unit and still rise from 0."""

    def bounds(line: Line) -> list[Decimal]:
        return [Decimal(0), *(tier.up_to for tier in line.terms.tiers if tier.up_to is not None)]

    return [
        line
        for line in lines(6_000, seed)
        if line.terms.model in ("graduated", "volume") and line.terms.metered and reference(line).amount is not None
        and len(bounds(line)) > 1 and min(b - a for a, b in zip(bounds(line), bounds(line)[1:], strict=False)) > 1
    ]  # fmt: skip


def test_the_other_tier_mode_is_the_same_price_with_the_mode_changed() -> None:
    given = tiered(seed=5)
    with asked(given) as con:
        found = dict(con.execute("SELECT price_id, rate_other_mode(price, quantity, prior) FROM priced").fetchall())
    assert len(given) > 200
    for line in given:
        before = None if line.before is None else Before(line.before)
        assert (
            found[f"p{line.number}"]
            == rate(_mode(line.terms), line.quantity, before=before, rounding=line.rounding).amount
        ), line


@pytest.mark.parametrize("shift", [-1, 1])
def test_shifted_bounds_are_the_same_price_with_its_bounds_moved(shift: int) -> None:
    given = tiered(seed=6)
    with asked(given) as con:
        query = f"SELECT price_id, rate_shifted(price, quantity, prior, {shift}) FROM priced"
        found = dict(con.execute(query).fetchall())
    for line in given:
        before = None if line.before is None else Before(line.before)
        assert (
            found[f"p{line.number}"]
            == rate(_shifted(line.terms, shift), line.quantity, before=before, rounding=line.rounding).amount
        ), line


def test_what_exceeds_the_books_is_out_of_range_and_stops_nothing() -> None:
    sound = lines(1, seed=1)[0]
    huge = replace(
        sound, price=Price("per_unit", "USD", unit_amount=Decimal(10) ** 14), override=None, quantity=Decimal(10) ** 17
    )
    plain = replace(
        huge, number=1, price=Price("per_unit", "USD", unit_amount=Decimal(2)), quantity=Decimal(3), before=None
    )
    with asked([huge, plain]) as con:
        found = {price_id: (amount, problem) for price_id, amount, problem, _ in con.execute(RATED).fetchall()}
    assert found == {"p0": (None, "out_of_range"), "p1": (Decimal(6), None)}


def test_a_price_without_tiers_has_neither_another_mode_nor_bounds() -> None:
    line = replace(lines(1, seed=1)[0], price=Price("per_unit", "USD", unit_amount=Decimal(2)), override=None)
    query = "SELECT rate_other_mode(price, 5, NULL), rate_shifted(price, 5, NULL, 1) FROM priced"
    with asked([line]) as con:
        assert con.execute(query).fetchall() == [(None, None)]


def test_an_override_without_numbers_for_tiers_cannot_be_rated() -> None:
    """Tiers of an override are text in JSON: what is no number is missing, and says so."""
    tiers = (Tier(1, None, Decimal(1)),)
    line = replace(lines(1, seed=1)[0], price=Price("graduated", "USD", tiers=tiers), override=None)
    books = price_rows([line])
    books["price_overrides"] = [
        {"override_id": "o0", "customer_id": "c", "price_id": "p0", "valid_from": START, "integration": "files",
         "tiers": '[{"tier": 1, "unit_amount": "a lot"}]'}
    ]  # fmt: skip
    with closing(plain_books.open(books)) as con:
        derived.build(con, START, {"rate_cards"})
        found = con.execute("SELECT price.problem FROM rate_cards WHERE override_id = 'o0'").fetchall()
    assert found == [("missing_amount",)]
