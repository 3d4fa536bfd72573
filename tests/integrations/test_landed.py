"""What dlt, Airbyte and Fivetran land of Stripe gives the books that Stripe itself gives, but for what they lack."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from integrations.sql import Sql, from_config
from tests.integrations import landing
from tests.integrations.pulling import pulled
from tests.integrations.stripe_company import cursors_of, differences, rows_of
from tests.peers.stripe.account import Account
from tests.peers.stripe.sample import company

LOADERS: dict[str, Callable[[str, Account], None]] = {
    "airbyte_stripe": landing.airbyte,
    "dlt_stripe": landing.dlt,
    "fivetran_stripe": landing.fivetran,
}

LACKING = {
    "all": (
        r"customers .* (tax_ids|payment_method):",  # in no table of theirs
        r"meters .* is missing",
        r"credit_grants .* is missing",
        r"credit_movements \('cbtxn_\d',\) is missing",  # of billing credits
        r"discounts \('di_item',\)",  # of one item
        r"reported_usage .* is missing",  # meters say what they counted, and no table of theirs holds it
        r"invoice_lines .* unit_amount: None became",  # the price's, which the line names
    ),
    "airbyte_stripe": (r"finalizes_at:", r"il_paid_3.* Decimal\('1500'\)"),
    "dlt_stripe": (r"(prices|price_tiers) .*price_(tokens|volume).* is missing", r"credit_movements .* is missing"),
    "fivetran_stripe": (
        r"finalizes_at:",
        r"il_paid_3.* Decimal\('1500'\)",
        r"prices .* tax_behavior:",
        r"invoices .* (tax_status|error):",
        r"invoice_lines .* (discount_amount|tax_amount):",
        r"credit_notes .* line_id:",
    ),
}
"""What a loader does not land, as the differences say it; docs/integrations/landed.md tells the same."""


@pytest.fixture(scope="module", params=list(LOADERS))
def landed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The layout and the address of a database in which its loader has put the sample company."""
    url = f"sqlite:///{tmp_path_factory.mktemp('landed') / 'theirs.sqlite'}"
    LOADERS[request.param](url, landing.account())
    return request.param, url


def connected(layout: str, url: str, **more: object) -> Sql:
    return from_config("warehouse", {"url": url, "layout": layout, **more})


def run(url: str, statement: str, **values: object) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as con:
        con.execute(sa.text(statement), values)
    engine.dispose()


def test_the_company_that_was_landed_is_in_the_books_but_for_what_the_loader_lacks(landed: tuple[str, str]) -> None:
    layout, url = landed
    pages = pulled(connected(layout, url))
    told = differences(company(), rows_of(pages))
    lacking = (*LACKING["all"], *LACKING[layout])
    assert [each for each in told if not any(re.search(reason, each) for reason in lacking)] == []
    assert [reason for reason in lacking if not any(re.search(reason, each) for each in told)] == []
    remarks = {remark.id: remark.reason for page in pages for remark in page.remarks}
    assert set(remarks) == ({"price_tokens", "price_volume"} if layout == "dlt_stripe" else set())


def test_a_later_pull_reads_what_was_loaded_since(landed: tuple[str, str]) -> None:
    layout, url = landed
    source = connected(layout, url)
    cursors = cursors_of(pulled(source))
    table, at = (
        ("customer", "_fivetran_synced") if layout == "fivetran_stripe" else ("customers", "_airbyte_extracted_at")
    )
    table, at = ("customer", "_dlt_load_id") if layout == "dlt_stripe" else (table, at)
    later: object = (
        "1795200000.5" if layout == "dlt_stripe" else (landing.LOADED + timedelta(hours=1)).replace(tzinfo=None)
    )
    run(url, f"UPDATE {table} SET name = 'Acme & Sons', {at} = :later WHERE id = 'cus_acme'", later=later)
    pages = pulled(source, cursors)
    assert "Acme & Sons" in [row["name"] for row in rows_of(pages)["customers"].values()]
    again = pulled(source, cursors | cursors_of(pages))
    assert [row["customer_id"] for page in again for row in page.rows.get("customers", [])] == ["cus_acme"]


@pytest.mark.parametrize("layout", ["airbyte_stripe", "fivetran_stripe"])
def test_a_refund_that_is_loaded_without_its_payment_is_found(layout: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'theirs.sqlite'}"
    LOADERS[layout](url, landing.account())
    source = connected(layout, url)
    cursors = cursors_of(pulled(source))
    table, at = ("charge", "_fivetran_synced") if layout == "fivetran_stripe" else ("charges", "_airbyte_extracted_at")
    later = datetime(2026, 11, 21)  # noqa: DTZ001 (as a database without timezones has it)
    run(url, f"UPDATE {table} SET amount_refunded = 1000, {at} = :later WHERE id = 'ch_pi_part'", later=later)
    payment = rows_of(pulled(source, cursors))["payments"]["pi_part",]
    assert payment["amount_refunded"] == Decimal("10.00")


def test_tables_of_the_companys_own_come_beside_those_of_the_loader(landed: tuple[str, str]) -> None:
    """What no loader lands: meters, for one."""
    layout, url = landed
    meters = {
        "source": "SELECT 'mtr_calls' AS id, 'api.call' AS kind",
        "columns": {"meter_id": "id", "name": "id", "event_type": "kind"},
        "values": {"aggregation": "count"},
    }
    held = rows_of(pulled(connected(layout, url, tables={"meters": meters})))
    assert list(held["meters"]) == [("mtr_calls",)]
    assert held["prices"]["price_calls",]["meter_id"] == "mtr_calls"


def test_what_is_wrong_with_a_layout_is_named(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'empty.sqlite'}"
    with pytest.raises(
        ValueError, match=r"integrations.warehouse.layout: 'stitch' is none of airbyte_stripe, dlt_stripe"
    ):
        connected("stitch", url)
    assert connected("dlt_stripe", url).check() == (
        "integrations.warehouse.layout: the default schema has no table price, customer, subscription, invoice"
    )
