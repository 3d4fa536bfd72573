"""What of the open signals' money falls on one customer or on some invoices, finding by finding.

A signal may concern a thousand customers; a page of one of them shows what its findings say about that one. Kinds of
money stay apart and so do currencies; a finding that names several invoices counts on each of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Select, func, select, type_coerce
from sqlalchemy.orm import Session

from store.among import among
from store.finding_tables import FindingInvoice
from store.operational_tables import Signal, SignalEntity, StoredFinding
from store.operational_types import PLACES
from store.unindexed import unindexed

_INVOICE = "invoice:"


@dataclass(frozen=True)
class Share:
    """One current finding of an open signal: its money, its period's start, and the invoices that it names."""

    signal: int
    finding: int
    period_start: datetime | None
    currency: str
    under: Decimal
    over: Decimal
    exposure: Decimal
    invoices: frozenset[str]


@dataclass(frozen=True)
class Sums:
    """Money of one currency by kind, and the signals that it comes from, by their numbers."""

    currency: str
    under: Decimal
    over: Decimal
    exposure: Decimal
    signals: tuple[int, ...]

    @property
    def at_risk(self) -> Decimal:
        """Every kind in full, as signals rank it."""
        return self.under + self.over + self.exposure


def of_customer(session: Session, customer: str) -> list[Share]:
    """The findings whose subject is the customer's, oldest period first."""
    named = select(SignalEntity.signal_id).where(SignalEntity.customer_id == customer)
    own = select(SignalEntity.id).where(
        SignalEntity.signal_id == StoredFinding.signal_id,
        SignalEntity.type == StoredFinding.subject_type,
        SignalEntity.entity_id == StoredFinding.subject_id,
        SignalEntity.customer_id == customer,
    )
    return _read(session, _current().where(StoredFinding.signal_id.in_(named), own.exists()))


def on_all(
    session: Session, invoices: Collection[str]
) -> tuple[list[Sums], Mapping[int, Sequence[tuple[str, Decimal]]]]:
    """The money on many invoices together by currency, and what of it each signal puts at risk; each finding once.

    There may be thousands of signals: their money is added up as the whole numbers that the store keeps.
    """
    money = [type_coerce(column, BigInteger) for column in _KINDS]
    columns = (FindingInvoice.finding_id, FindingInvoice.signal_id, FindingInvoice.currency, *money)
    known, sums, at_risk = set[int](), dict[str, list[int]](), dict[int, dict[str, int]]()
    for finding, signal, currency, under, over, exposed in session.execute(_on(invoices, *columns)):
        if finding in known:
            continue
        known.add(finding)
        every = sums.setdefault(currency, [0, 0, 0])
        every[0], every[1], every[2] = every[0] + under, every[1] + over, every[2] + exposed
        own = at_risk.setdefault(signal, {})
        own[currency] = own.get(currency, 0) + under + over + exposed
    return (
        [
            Sums(currency, _amount(under), _amount(over), _amount(exposed), ())
            for currency, (under, over, exposed) in sorted(sums.items())
        ],
        {signal: [(currency, _amount(one)) for currency, one in own.items()] for signal, own in at_risk.items()},
    )


def _amount(stored: int) -> Decimal:
    return Decimal(stored).scaleb(-PLACES)


def on_each(session: Session, invoices: Collection[str]) -> dict[tuple[int, str], list[Sums]]:
    """The money by signal and invoice, as (12, `in_1`), and currency."""
    keys = (FindingInvoice.signal_id, FindingInvoice.invoice_id, FindingInvoice.currency)
    query = _on(invoices, *keys, *(func.sum(column) for column in _KINDS)).group_by(*keys).order_by(*keys)
    found: dict[tuple[int, str], list[Sums]] = {}
    for signal, invoice, currency, under, over, exposed in session.execute(query):
        found.setdefault((signal, invoice), []).append(Sums(currency, under, over, exposed, (signal,)))
    return found


def by_month(shares: Iterable[Share]) -> Mapping[tuple[str, str], Sums]:
    """Money by currency and month of the period's start, as (`USD`, `2026-10`); what has no period is under ``""``."""
    return _sums(
        (share.currency, f"{share.period_start:%Y-%m}" if share.period_start else "", share) for share in shares
    )


def by_invoice(shares: Iterable[Share]) -> Mapping[tuple[str, str], Sums]:
    """Money by currency and invoice, as (`USD`, `in_1`)."""
    return _sums((share.currency, invoice, share) for share in shares for invoice in sorted(share.invoices))


def by_currency(shares: Iterable[Share]) -> list[Sums]:
    """Money by currency, each finding once."""
    return list(_sums((share.currency, "", share) for share in shares).values())


_KINDS = (FindingInvoice.under, FindingInvoice.over, FindingInvoice.exposure)


def _on(invoices: Collection[str], *columns: Any) -> Any:
    """What current findings of open signals say of the invoices."""
    return select(*columns).where(among(FindingInvoice.invoice_id, invoices))


def _current() -> Select[Signal, StoredFinding]:
    return (
        select(Signal, StoredFinding)
        .join(StoredFinding, StoredFinding.signal_id == Signal.id)
        .where(
            unindexed(Signal.is_open).is_(True), StoredFinding.gone_since.is_(None), StoredFinding.currency.is_not(None)
        )
        .order_by(StoredFinding.period_start, StoredFinding.id)
    )


def _read(session: Session, query: Select[Signal, StoredFinding]) -> list[Share]:
    columns = (
        StoredFinding.signal_id,
        StoredFinding.id,
        StoredFinding.period_start,
        StoredFinding.currency,
        StoredFinding.under,
        StoredFinding.over,
        StoredFinding.exposure,
        StoredFinding.records,
    )
    return [
        Share(signal, finding, start, currency or "", under, over, exposure, _invoices(records or ()))
        for signal, finding, start, currency, under, over, exposure, records in session.execute(
            query.with_only_columns(*columns)
        )
    ]


def _invoices(records: Collection[str]) -> frozenset[str]:
    return frozenset(one.removeprefix(_INVOICE) for one in records if one.startswith(_INVOICE))


def _sums(parts: Iterable[tuple[str, str, Share]]) -> Mapping[tuple[str, str], Sums]:
    kept: dict[tuple[str, str], list[Share]] = {}
    for currency, key, share in parts:
        kept.setdefault((currency, key), []).append(share)
    return {(currency, key): _sum(currency, shares) for (currency, key), shares in kept.items()}


def _sum(currency: str, shares: Sequence[Share]) -> Sums:
    under, over, exposure = (
        sum((getattr(share, kind) for share in shares), Decimal(0)) for kind in ("under", "over", "exposure")
    )
    return Sums(currency, under, over, exposure, tuple(sorted({share.signal for share in shares})))
