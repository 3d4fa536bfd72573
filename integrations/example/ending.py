"""The last step: the faults' truth is completed with the lines and invoices that their windows came to be billed on."""

from __future__ import annotations

from integrations.example.company import Company
from integrations.example.records import Item, Line
from integrations.example.settlement import number_invoices
from integrations.example.truth import Fault


def involve(company: Company, fault: Fault, item: Item) -> None:
    """List the records that an item belongs to: customer, subscription, item, price and meter."""
    price = company.price_of(item)
    fault.shows("customer", [company.customer_of(item).customer_id])
    fault.shows("subscription", [item.subscription_id])
    fault.shows("item", [item.item_id])
    fault.shows("price", [price.price_id])
    fault.shows("meter", [price.meter_id] if price.meter_id else [])


def involve_line(company: Company, fault: Fault, line: Line) -> None:
    """List a wrong line with its invoice and what it belongs to."""
    fault.affects("invoice_line", [line.line_id])
    fault.affects("invoice", [line.invoice_id])
    if line.item_id is not None:
        involve(company, fault, company.items[line.item_id])


def complete(company: Company) -> None:
    """Number the faults, and add to each what its windows and overbilled subscriptions were billed on."""
    number_invoices(company)  # a fault may have taken an invoice out of the order
    by_item: dict[str, list[Line]] = {}
    for line in company.lines.values():
        if line.item_id is not None and company.invoices[line.invoice_id].status != "void":
            by_item.setdefault(line.item_id, []).append(line)
    for number, fault in enumerate(company.faults, start=1):
        fault.fault_id = f"fault_{number:03d}"
        fault.entities[fault.cause] = "cause"
        for item_id, start, end in fault.windows:
            involve(company, fault, company.items[item_id])
            for line in by_item.get(item_id, []):
                if line.kind in {"usage", "adjustment"} and start <= line.period_start and line.period_end <= end:
                    involve_line(company, fault, line)
        _overbill(company, fault)


def _overbill(company: Company, fault: Fault) -> None:
    for line in company.lines.values():
        if line.subscription_id in fault.overbilled and company.invoices[line.invoice_id].status != "void":
            notes = company.notes_on(line.invoice_id)
            fault.over += line.net - sum(note.amount for note in notes if note.line_id == line.line_id)
            involve_line(company, fault, line)
