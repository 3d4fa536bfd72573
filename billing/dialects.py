"""Dialects: what billing systems decide differently, each rightly.

A dialect is a set of choices, named for the system that makes them. The arithmetic takes the choices as arguments
(billing.proration, billing.splits, billing.invoicing ...); a difference of dialect is never an error on an invoice.
docs/dialects.md lists every choice with its source.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from billing.money import Rounding, as_decimal, round_money, round_to
from billing.periods import Period
from billing.proration import share_of_period


class Moment(StrEnum):
    """When an amount is rounded to the currency."""

    LINE = "line"  # each line alone; the invoice adds rounded amounts
    LATE = "late"  # once, after exact amounts were added


class Settlement(StrEnum):
    """What becomes of a charge in advance whose item ends before the period that was paid for."""

    CREDIT = "credit"  # a line of its own gives the unused part back
    SHORTEN = "shorten"  # the line itself is cut to what was used
    STAND = "stand"  # nothing: the charge stands as it was


@dataclass(frozen=True, slots=True)
class Dialect:
    """The choices of one billing system. The defaults are those of rating.md.

    days: how a price that is prorated by the day counts days: `day`, `day_inclusive` or `month_30`
        (billing.proration). By the second, or not at all, is what the price says in every dialect.
    share_places: digits of a share, rounded half up; None keeps it exact.
    rounding, moment: how, and when, an amount becomes money.
    unit_places: digits that prorated units are rounded up to; None keeps them exact.
    converts_parts: each line of a split period converts its own quantity; otherwise the period's quantity so far is
        converted, and what earlier lines hold is taken off.
    volume_on_last_line: a volume price is charged on the period's last line only.
    prorates_minimum: the minimum of a partial period is due in part.
    event_fee_at_zero: the fee per event is due even where the units add up to nothing.
    lowest_latest: what a `latest` meter is raised to; None leaves it.
    on_draft, on_issued: the settlement where the charge is still a draft, and where it is issued.
    change_due_at_period_start: what replaces an item mid-period is due from the period's start; otherwise at once.
    bills_zero: a recurring line of no amount is still a line.
    """

    name: str
    days: str = "day"
    share_places: int | None = None
    rounding: Rounding = Rounding.HALF_UP
    moment: Moment = Moment.LINE
    unit_places: int | None = None
    converts_parts: bool = False
    volume_on_last_line: bool = False
    prorates_minimum: bool = True
    event_fee_at_zero: bool = False
    lowest_latest: Decimal | None = None
    on_draft: Settlement = Settlement.CREDIT
    on_issued: Settlement = Settlement.CREDIT
    change_due_at_period_start: bool = False
    bills_zero: bool = True

    def basis(self, price_basis: str | None) -> str | None:
        """The proration basis of a price in this dialect: `price_basis` is books `prices.proration`."""
        return self.days if price_basis == "day" else price_basis

    def share(self, active: Period, full: Period, price_basis: str | None, timezone: str) -> Fraction | None:
        """The part of `full` that is due for `active`; None when the full period has no length."""
        return share_of_period(active, full, self.basis(price_basis), timezone, self.share_places)

    def units(self, exact: Fraction) -> Decimal:
        """Prorated units as this system counts them."""
        return as_decimal(exact) if self.unit_places is None else round_to(exact, self.unit_places, Rounding.CEILING)

    def total(self, amounts: Iterable[Fraction], currency: str) -> Decimal:
        """What exact amounts add up to as money. Raises UnknownCurrencyError."""
        if self.moment is Moment.LATE:
            return round_money(sum(amounts, Fraction(0)), currency, self.rounding)
        return sum((round_money(amount, currency, self.rounding) for amount in amounts), Decimal(0))


BOOKS = Dialect("books")
"""rating.md itself: every choice that the books state (`prices.proration`) is taken from them."""

STRIPE = Dialect("stripe")
"""docs.stripe.com/billing/subscriptions/prorations: to the second, which is what its prices say
(`integrations/stripe`), an item for unused time and one for remaining."""

CHARGEBEE = Dialect("chargebee")
"""www.chargebee.com/docs/2.0/proration.html: to the millisecond or to the day,
as the site is set, so as the price says."""

ZUORA = Dialect("zuora")
"""docs.zuora.com, "When prorating a month": actual days; a tenant may assume 30 (`ZUORA_30`)."""

ZUORA_30 = Dialect("zuora_30", days="month_30")
"""docs.zuora.com, "When prorating a month": Assume 30 days, Strict 30/360."""

LAGO = Dialect(
    "lago",
    days="day_inclusive",
    moment=Moment.LATE,
    unit_places=5,
    lowest_latest=Decimal(0),
)
"""Whole days in the customer's timezone, both ends billed; the day of an upgrade goes to the new plan. Fees keep exact
amounts and are rounded once, prorated units are rounded up. Source: lago-api, spec/services/fees and spec/scenarios."""

LAGO_ESTIMATE = Dialect("lago", days="day_inclusive", moment=Moment.LATE, unit_places=5, event_fee_at_zero=True)
"""Lago's instant estimate of one event (lago-api, spec/services/charges/estimate_instant)."""

OPENMETER = Dialect(
    "openmeter",
    converts_parts=True,
    volume_on_last_line=True,
    prorates_minimum=False,
    on_draft=Settlement.SHORTEN,
    on_issued=Settlement.STAND,
    change_due_at_period_start=True,
    bills_zero=False,
)
"""By the second of the full period, which is what its prices say. Drafts are edited in place, issued invoices never
changed. Source: openmeter,
openmeter/billing/rating/service and openmeter/billing/worker/subscriptionsync."""

KILLBILL = Dialect("killbill", share_places=9)
"""Local dates, the end exclusive; cycles to nine places, half up. Source: killbill, InvoiceDateUtils."""

KILLBILL_30 = Dialect("killbill_30", days="month_30", share_places=9)
"""Kill Bill with org.killbill.invoice.proration.fixed.days=30."""

DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect
    for dialect in (BOOKS, STRIPE, CHARGEBEE, ZUORA, ZUORA_30, LAGO, OPENMETER, KILLBILL, KILLBILL_30)
}
"""The dialect of an integration, by the system's name; `books` where the system is none of them."""

Dialects = Mapping[str, Dialect]
"""The dialects of integrations, by their configured names; one that is left out speaks that of its name."""

NAMED: Dialects = {}
"""Every integration speaks the dialect of its name."""


def dialect_of(system: str) -> Dialect:
    """The dialect of a billing system; rating.md itself (`BOOKS`) for one that is not listed."""
    return DIALECTS.get(system, BOOKS)
