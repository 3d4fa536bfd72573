"""TU-48, an invoice that is stuck: a draft that names an error, or one that a bill run could not post."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from integrations.example.candidates import plain_invoices, spread
from integrations.example.company import Company
from integrations.example.picking import planned
from integrations.example.rebilling import age
from integrations.example.records import ZERO, BillRun, Customer, Invoice
from integrations.example.stages import Stage
from integrations.example.truth import Fault

CODE = "TU-48"
STAGE = Stage.BOOKS
ANYWHERE = True

_ERRORS = ("tax engine: not authorised", "the invoice number is taken", "the customer has no billing address")


def plant(company: Company, rng: np.random.Generator) -> Sequence[Fault]:
    """Leave some invoices drafts, each for a reason of its own or because its bill run failed for the customer."""
    count = planned(company)
    runs = spread(company, rng, CODE, _fail_in_run, count // 2)
    return [*runs, *spread(company, rng, CODE, _stop, count - len(runs))]


def _stop(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    invoices = _issued(company, customer)
    run = _run_of(company, invoices[-1]) if invoices else None
    if run is None or run.invoices_failed:
        return None
    invoice = invoices[-1]
    invoice.error = _ERRORS[place % len(_ERRORS)]
    fault = _fault(company, invoice, ("integration", "stripe"), f"the draft names an error: {invoice.error}")
    fault.period_start, fault.period_end = invoice.period_start, invoice.period_end
    return fault


def _fail_in_run(company: Company, customer: Customer, place: int, rng: np.random.Generator) -> Fault | None:
    invoices = _issued(company, customer)
    run = _run_of(company, invoices[-1]) if invoices else None
    if run is None or run.invoices_failed:
        return None
    invoice = invoices[-1]
    run.status, run.invoices_ok, run.invoices_failed = "completed", run.invoices_ok - 1, 1
    fault = _fault(company, invoice, ("bill_run", run.bill_run_id), "the bill run failed for one customer")
    fault.period_start, fault.period_end = run.started_at, run.completed_at
    return fault


def _issued(company: Company, customer: Customer) -> list[Invoice]:
    """Invoices that were issued in the last weeks, have no history yet, and are not the customer's first."""
    found = []
    for invoice in plain_invoices(company, customer):
        recent = timedelta(days=2) < age(company, invoice) < timedelta(days=33)
        plain = invoice.attempt_count <= 1 and not invoice.credits_applied and invoice.total > 0
        if recent and invoice.status in {"paid", "open"} and plain:
            found.append(invoice)
    return found


def _run_of(company: Company, invoice: Invoice) -> BillRun | None:
    return next((run for run in company.bill_runs.values() if run.bill_run_id == invoice.bill_run_id), None)


def _fault(company: Company, invoice: Invoice, cause: tuple[str, str], note: str) -> Fault:
    company.payments = [payment for payment in company.payments if payment.invoice_id != invoice.invoice_id]
    invoice.status, invoice.number, invoice.issued_at, invoice.due_at, invoice.paid_at = "draft", None, None, None, None
    invoice.attempt_count, invoice.amount_paid, invoice.amount_due = 0, ZERO, invoice.total
    fault = Fault(CODE, cause, invoice.customer_id, invoice.currency, note, exposure=invoice.total)
    fault.affects("invoice", [invoice.invoice_id])
    fault.shows("customer", [invoice.customer_id])
    fault.shows("subscription", [invoice.subscription_id])
    for line in company.lines_of(invoice.invoice_id):
        fault.shows("invoice_line", [line.line_id])
        fault.shows("item", [line.item_id or ""])
    return fault
