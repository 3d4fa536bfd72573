"""Prepaid credit of one customer: packages bought, consumed by invoices, topped up, expired; one unbroken ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from billing.money import round_to
from integrations.example.catalogue import in_dollars
from integrations.example.company import Company
from integrations.example.credit_records import AlertSent, Grant, Movement, TopupRule
from integrations.example.records import Invoice, Payment

ZERO = Decimal(0)
_LIFE = timedelta(days=270)


@dataclass
class _Open:
    """A grant with what is left of it."""

    grant: Grant
    left: Decimal


class Wallet:
    """The customer's credits while its invoices are settled, oldest first."""

    def __init__(self, company: Company, customer_id: str, invoices: list[Invoice]) -> None:
        """Buy a first package that lasts for some invoices; half of the customers have it topped up by itself."""
        self.company = company
        self.customer = company.customers[customer_id]
        self.open: list[_Open] = []
        self.balance, self.sequence = ZERO, 0
        typical = sum((invoice.total for invoice in invoices), ZERO) / max(len(invoices), 1)
        self.package = self._round(max(typical, Decimal(1)) * 3)
        self.rule = self._topup_rule() if int(company.rng(customer_id).integers(2)) else None
        self._buy(invoices[0].created_at - timedelta(hours=2) if invoices else self.customer.created_at)

    def pay(self, invoice: Invoice) -> Decimal:
        """Consume credit for the invoice's total when it is made; what was consumed."""
        at = invoice.created_at + timedelta(seconds=1)
        self._expire(at)
        owed = min(self.balance, invoice.total)
        largest = max(self.company.lines_of(invoice.invoice_id), key=lambda line: line.amount)
        left = owed
        for each in sorted(self.open, key=lambda each: (each.grant.priority, each.grant.expires_at or at)):
            part = min(each.left, left)
            if part > 0:
                each.left -= part
                left -= part
                self._move("consumed", -part, each.grant, at, "billing", largest.line_id)
        self._watch(at, self.balance + owed)
        return owed

    def close(self) -> None:
        """Expire what has ended by `as_of`, and let the billing system state the balance."""
        self._expire(self.company.as_of)
        self.customer.credit_balance = self.balance

    def _round(self, amount: Decimal) -> Decimal:
        """A round sum of the currency: hundreds of yen, whole units of the others."""
        step = 100 if self.customer.currency == "JPY" else 1
        return round_to(amount / step, 0) * step

    def _topup_rule(self) -> TopupRule:
        rule = TopupRule(
            self.company.new_id("tr"),
            self.customer.customer_id,
            self.customer.currency,
            self._round(self.package * Decimal("0.3")),
            self.package,
        )
        self.company.topup_rules.append(rule)
        return rule

    def _watch(self, at: datetime, before: Decimal) -> None:
        """Warn and top up when the balance has just fallen below the threshold."""
        threshold = self.rule.threshold if self.rule else self._round(self.package * Decimal("0.2"))
        if not self.balance < threshold <= before:
            return
        customer_id = self.customer.customer_id
        sent = at + timedelta(seconds=20)
        self.company.alerts.append(AlertSent(self.company.new_id("al"), customer_id, "credit.low", sent, threshold))
        if self.rule:
            self._buy(at + timedelta(seconds=40))

    def _buy(self, at: datetime) -> None:
        """Pay for a package; large ones come with a tenth more credit than they cost."""
        company, customer = self.company, self.customer
        bonus = in_dollars(self.package, customer.currency) > 2000
        price = self._round(self.package / Decimal("1.1")) if bonus else self.package
        payment = Payment(
            company.new_id("py"),
            None,
            customer.customer_id,
            customer.currency,
            price,
            "succeeded",
            at,
            purpose="credits",
        )
        payment.idempotency_key = f"credits/{payment.payment_id}"
        grant = Grant(
            company.new_id("cg"),
            customer.customer_id,
            customer.currency,
            self.package,
            at + timedelta(seconds=3),
            at + timedelta(seconds=3),
            at + _LIFE,
            payment_id=payment.payment_id,
            package_amount=self.package,
            idempotency_key=payment.idempotency_key,
        )
        company.payments.append(payment)
        company.grants[grant.grant_id] = grant
        self.open.append(_Open(grant, self.package))
        self._move("funded", self.package, grant, grant.created_at, "payments")

    def _expire(self, now: datetime) -> None:
        for each in sorted(self.open, key=lambda each: each.grant.expires_at or now):
            ends = each.grant.expires_at
            if ends is not None and ends <= now and each.grant.status == "active":
                each.grant.status = "expired"
                if each.left > 0:
                    self._move("expired", -each.left, each.grant, ends, "expiry")
                each.left = ZERO

    def _move(
        self, kind: str, amount: Decimal, grant: Grant, at: datetime, actor: str, line_id: str | None = None
    ) -> None:
        self.sequence += 1
        self.company.movements.append(
            Movement(
                self.company.new_id("cm"),
                self.customer.customer_id,
                self.customer.currency,
                grant.grant_id,
                kind,
                amount,
                self.balance,
                self.balance + amount,
                self.sequence,
                actor,
                at,
                line_id,
            )
        )
        self.balance += amount
