"""The sentence of a finding is one of its rule's own, and says only what the finding has."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from markupsafe import Markup

from store.operational_tables import StoredFinding
from web.story import why

STORY = (
    "{customer_name} was billed {billed:money} for {quantity:units} {unit} since {since:day}.",
    "{customer_name} owes {under} for {period}.",
)


def finding(**evidence: Any) -> StoredFinding:
    return StoredFinding(
        title="Acme is billed wrongly",
        currency="USD",
        under=Decimal("12.5"),
        over=Decimal(0),
        exposure=Decimal(0),
        period_start=datetime(2026, 10, 1, tzinfo=UTC),
        period_end=datetime(2026, 11, 1, tzinfo=UTC),
        evidence={"customer_name": "Acme & <b>Sons</b>", **evidence},
    )


def said(**evidence: Any) -> str:
    return str(why(STORY, finding(**evidence), "calls"))


def test_every_value_is_said_in_its_kind_and_as_text() -> None:
    told = said(billed="1234.5", quantity="41234.000000000", since="2026-10-07T00:00:00Z")
    assert told.startswith("Acme &amp; &lt;b&gt;Sons&lt;/b&gt; was billed <strong>")
    assert Markup(told).striptags().endswith("was billed 1,234.50 USD for 41,234 calls since 7 Oct 2026.")


def test_the_next_sentence_is_said_where_a_value_is_missing() -> None:
    assert Markup(said(billed="1234.5", quantity=None)).striptags().endswith("owes 12.50 USD for 1–31 Oct 2026.")


def test_the_title_is_said_where_no_sentence_fits() -> None:
    assert str(why((), finding(), "calls")) == "Acme is billed wrongly."


@pytest.mark.parametrize("odd", ["{0.__class__}", "many", ""])
def test_a_value_that_is_not_of_its_kind_is_not_said(odd: str) -> None:
    assert "owes" in said(billed=odd, quantity="1", since="2026-10-07")
