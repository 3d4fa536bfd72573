"""An invoice explained: its lines, where each parts, and its own sums; and which record an id means."""

import json
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest

from detector import plain_books
from detector.explain import Explanation
from detector.explain_invoice import InvoiceExplanation, explain_id
from detector.line_records import UnknownRecordError
from tests.detector.test_explain import AS_OF, Rows, company, day, explained, invoice, line, note, price


def explained_id(rows: Rows, id: str = "in1", **chosen: Any) -> Explanation | InvoiceExplanation:
    given = {table: [{"integration": "stripe", **row} for row in held] for table, held in rows.items()}
    with closing(plain_books.open(given)) as con:
        return explain_id(con, id, AS_OF, **chosen)


def of_invoice(rows: Rows) -> InvoiceExplanation:
    found = explained_id(rows)
    assert isinstance(found, InvoiceExplanation)
    return found


def two_lines(**changes: dict[str, Any]) -> Rows:
    """The company with a wrongly tiered usage line and a line that has no price: 600 and 100 USD."""
    rows = company(invoice_lines={"amount": Decimal(600)}, invoices=dict.fromkeys(("subtotal", "total"), Decimal(700)))
    rows["invoices"][0]["amount_due"] = Decimal(700)
    rows["invoice_lines"].append(line("il2", amount=100, quantity=None, kind="one_time", description="Setup"))
    for table, values in changes.items():
        rows[table][0] |= values
    return rows


TEXT = """\
Invoice 2026-0042 (in1), open, USD
Customer  Acme (c1)
Period    2026-09-01 04:00 to 2026-10-01 04:00 UTC

Line           kind      expected  billed     first part at
il1 API calls  usage     1,200.00  600.00  ≠  amount: billed 600.00, expected 1,200.00
il2 Setup      one_time         -  100.00     no expected amount: this kind of line has no price of its own

Lines after discounts and credit notes: billed 600.00 USD too little.
1 line without an expected amount.

            stated  comes to
subtotal    700.00    700.00    the amounts of 2 lines
discounts     0.00      0.00    the discounts of 2 lines
tax           0.00         -    no line states its tax
total       700.00    700.00    subtotal less discounts, plus tax
credits       0.00         -    credits spent on it
paid          0.00         -    what was paid
amount due  700.00    700.00    total less credits and what was paid

The invoice adds up.
"""


def test_the_text_reads_from_the_lines_to_what_is_due() -> None:
    assert of_invoice(two_lines()).as_text() == TEXT


def test_the_json_holds_every_line_as_it_is_explained_alone() -> None:
    found = json.loads(json.dumps(of_invoice(two_lines()).as_json()))
    assert found["lines"][0] == json.loads(json.dumps(explained(two_lines()).as_json()))
    assert (found["invoice_id"], found["under"], found["over"], found["unrated"]) == ("in1", "600.00", "0.00", ["il2"])
    assert found["sums"][3] == {
        "name": "total",
        "text": "subtotal less discounts, plus tax",
        "stated": "700.00",
        "worked_out": "700.00",
        "differs": False,
    }


@pytest.mark.parametrize(
    ("stated", "wrong"),
    [
        ({"subtotal": Decimal(1200), "total": Decimal(1200), "amount_due": Decimal(1200)}, "subtotal"),
        ({"discount_total": Decimal(50), "total": Decimal(650), "amount_due": Decimal(650)}, "discounts"),
        ({"total": Decimal(650), "amount_due": Decimal(650)}, "total"),
        ({"amount_paid": Decimal(100)}, "amount_due"),
        ({"credits_applied": Decimal(100)}, "amount_due"),
        ({"status": "void"}, "amount_due"),
    ],
)
def test_the_first_sum_that_does_not_come_out_is_named(stated: dict[str, Any], wrong: str) -> None:
    found = of_invoice(two_lines(invoices=stated))
    assert found.parts_at is not None and found.parts_at.name == wrong
    assert f"The invoice does not add up: its {wrong.replace('_', ' ')} is stated as" in found.as_text()


@pytest.mark.parametrize(("behavior", "total"), [("exclusive", 819), ("inclusive", 700)])
def test_tax_comes_on_top_unless_the_prices_include_it(behavior: str, total: int) -> None:
    taxed = {"tax_total": Decimal(119), "total": Decimal(total), "amount_due": Decimal(total)}
    rows = two_lines(invoices=taxed, prices={"tax_behavior": behavior})
    for place, tax in enumerate((100, 19)):
        rows["invoice_lines"][place] |= {"tax_amount": Decimal(tax), "price_id": "p1"}
    assert of_invoice(rows).parts_at is None
    rows["invoices"][0]["tax_total"] = Decimal(118)
    wrong = of_invoice(rows).parts_at
    assert wrong is not None and wrong.name == "tax"


def test_credit_notes_lower_what_is_due_and_never_below_zero() -> None:
    rows = two_lines(invoices={"amount_due": Decimal(0)})
    rows["credit_notes"] = [note(800, line_id="il1")]
    found = of_invoice(rows)
    assert found.parts_at is None
    assert [each.worked_out for each in found.sums if each.name == "credit_notes"] == [800]


def test_too_little_and_too_much_are_never_netted() -> None:
    rows = two_lines()
    rows["invoice_lines"].append(line("il3", amount=1300, quantity=6000))
    found = of_invoice(rows)
    assert (found.under, found.over) == (600, 100)


def test_credit_notes_for_the_invoice_fall_on_its_lines_as_they_do_for_each_alone() -> None:
    rows = company(invoice_lines={"amount": Decimal(1500)}, invoices={"total": Decimal(2700)})
    rows["invoice_lines"].append(line("il2", amount=1200, quantity=6000))
    rows["credit_notes"] = [note(250)]
    alone = [explained(rows, line_id).credited for line_id in ("il1", "il2")]
    assert [each.credited for each in of_invoice(rows).lines] == alone == [250, 0]


def test_an_id_means_the_record_that_has_it() -> None:
    assert isinstance(explained_id(company(), "il1"), Explanation)
    assert isinstance(explained_id(company(), "in1"), InvoiceExplanation)


def test_an_id_of_both_a_line_and_an_invoice_needs_to_be_told_apart() -> None:
    rows = company(invoice_lines={"line_id": "in1"})
    with pytest.raises(UnknownRecordError, match=r"an invoice line and an invoice.*--of line or --of invoice"):
        explained_id(rows, "in1")
    assert isinstance(explained_id(rows, "in1", of="line"), Explanation)
    assert isinstance(explained_id(rows, "in1", of="invoice"), InvoiceExplanation)


def test_an_id_of_neither_says_so_with_what_to_do() -> None:
    with pytest.raises(UnknownRecordError, match=r"neither an invoice line nor an invoice 'x1'.*import or sync"):
        explained_id(company(), "x1")


def test_an_invoice_id_of_two_integrations_needs_the_integration() -> None:
    rows = company()
    rows["invoices"].append({**invoice("in1", 5), "integration": "files"})
    with pytest.raises(UnknownRecordError, match="files, stripe"):
        explained_id(rows)
    found = explained_id(rows, integration="files")
    assert isinstance(found, InvoiceExplanation) and found.invoice.total == 5 and found.lines == ()
    assert "It has no lines." in found.as_text()


def test_a_line_that_cannot_be_rated_does_not_stop_the_others() -> None:
    rows = two_lines()
    rows["prices"].append(price("p2", "graduated"))
    rows["subscription_items"].append({**rows["subscription_items"][0], "item_id": "i2", "price_id": "p2"})
    rows["invoice_lines"].append(line("il3", amount=9, quantity=1, item_id="i2", period_start=day(2)))
    text = of_invoice(rows).as_text()
    assert "no expected amount: the price has no tiers" in text
    assert "billed 600.00 USD too little" in text
