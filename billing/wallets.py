"""Wallets: money paid ahead that covers the charges of an invoice, and the rules that top it up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from billing.money import round_money

ZERO = Decimal(0)


@dataclass(frozen=True)
class Wallet:
    """A balance of `currency`. `kinds` and `features` limit which charges it may pay for; None: any."""

    wallet_id: str
    balance: Decimal
    currency: str
    priority: int = 50
    kinds: frozenset[str] | None = None
    features: frozenset[str] | None = None

    def pays_for(self, charge: Charge) -> bool:
        """True when no limit of the wallet excludes the charge. One limit that fits is enough."""
        if self.kinds is None and self.features is None:
            return True
        return charge.kind in (self.kinds or ()) or charge.feature in (self.features or ())


@dataclass(frozen=True)
class Charge:
    """What is owed for one line, tax included: its kind (`subscription`, `charge`, ...) and what it is for."""

    kind: str
    amount: Decimal
    feature: str | None = None


@dataclass(frozen=True)
class TopUpRule:
    """When and by how much a balance is topped up: `fixed` adds `amount`, `target` fills up to it."""

    threshold: Decimal
    mode: str
    amount: Decimal
    enabled: bool = True
    max_per_day: int | None = None


@dataclass(frozen=True)
class TopUp:
    """A top-up that is due, or why none is: `reason` is always set."""

    amount: Decimal
    reason: str


def allocate(wallets: Sequence[Wallet], charges: Sequence[Charge], currency: str, total: Decimal) -> dict[str, Decimal]:
    """What each wallet pays, by wallet id, at most `total` in all; wallets in `currency` only.

    Wallets pay by priority, equal ones in the order given; each pays the charges in the order given, every charge up to
    its amount rounded to the currency, so that a fully covered invoice is covered to its rounded total.
    """
    owed = [round_money(charge.amount, currency) for charge in charges]
    paid: dict[str, Decimal] = {}
    for wallet in sorted(wallets, key=lambda each: each.priority):
        left = min(wallet.balance, total - sum(paid.values(), ZERO)) if wallet.currency == currency else ZERO
        for index, charge in enumerate(charges):
            if left > 0 and wallet.pays_for(charge):
                part = min(left, owed[index])
                owed[index] -= part
                left -= part
                paid[wallet.wallet_id] = paid.get(wallet.wallet_id, ZERO) + part
    return {wallet_id: amount for wallet_id, amount in paid.items() if amount}


def top_up(
    rule: TopUpRule, balance: Decimal, *, pending: Decimal, topped_up_at: Sequence[datetime], now: datetime
) -> TopUp:
    """What `rule` asks for at `now`. `pending` top-ups count as there already; `topped_up_at` are the earlier ones."""
    if not rule.enabled:
        return TopUp(ZERO, "disabled")
    if balance + pending >= rule.threshold:
        return TopUp(ZERO, "pending_covers" if balance < rule.threshold else "above_threshold")
    if rule.max_per_day is not None and sum(at > now - timedelta(days=1) for at in topped_up_at) >= rule.max_per_day:
        return TopUp(ZERO, "daily_cap")
    if rule.mode == "fixed":
        return TopUp(rule.amount, "below_threshold")
    return TopUp(max(rule.amount - balance - pending, ZERO), "below_threshold")
