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

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from store.among import among
from store.finding_tables import FindingInvoice
from store.operational_tables import Signal, SignalEntity, StoredFinding
from store.unindexed import unindexed

CHUNK = 500
"""How many ids one statement names at most."""

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


def of_invoices(session: Session, invoices: Sequence[str]) -> list[Share]:
    """The findings that name one of the invoices as their subject or as affected."""
    wanted, numbers = set(invoices), set[int]()
    for start in range(0, len(invoices), CHUNK):
        some = SignalEntity.entity_id.in_(invoices[start : start + CHUNK])
        numbers.update(session.scalars(select(SignalEntity.signal_id).where(some, SignalEntity.type == "invoice")))
    found = []
    for start in range(0, len(numbers), CHUNK):
        found += _read(session, _current().where(StoredFinding.signal_id.in_(sorted(numbers)[start : start + CHUNK])))
    return [share for share in found if share.invoices & wanted]


def on_all(session: Session, invoices: Collection[str]) -> dict[int, list[Sums]]:
    """The money on many invoices together by signal and currency, each finding once."""
    columns = (FindingInvoice.finding_id, FindingInvoice.signal_id, FindingInvoice.currency, *_KINDS)
    found: dict[int, list[Sums]] = {}
    for _, signal, currency, under, over, exposed in set(session.execute(_on(invoices, *columns)).tuples()):
        found.setdefault(signal, []).append(Sums(currency, under, over, exposed, (signal,)))
    return {signal: sums if len(sums) == 1 else together(sums) for signal, sums in found.items()}


def on_each(session: Session, invoices: Collection[str]) -> dict[tuple[int, str], list[Sums]]:
    """The money by signal and invoice, as (12, `in_1`), and currency."""
    keys = (FindingInvoice.signal_id, FindingInvoice.invoice_id, FindingInvoice.currency)
    query = _on(invoices, *keys, *(func.sum(column) for column in _KINDS)).group_by(*keys).order_by(*keys)
    found: dict[tuple[int, str], list[Sums]] = {}
    for signal, invoice, currency, under, over, exposed in session.execute(query):
        found.setdefault((signal, invoice), []).append(Sums(currency, under, over, exposed, (signal,)))
    return found


def together(sums: Iterable[Sums]) -> list[Sums]:
    """The sums by currency, as they come."""
    found: dict[str, list[Sums]] = {}
    for each in sums:
        found.setdefault(each.currency, []).append(each)
    return [
        _sum(currency, own, (one for each in own for one in each.signals)) for currency, own in sorted(found.items())
    ]


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
    return {
        (currency, key): _sum(currency, shares, (share.signal for share in shares))
        for (currency, key), shares in kept.items()
    }


def _sum(currency: str, parts: Sequence[Share | Sums], signals: Iterable[int]) -> Sums:
    under, over, exposure = (
        sum((getattr(part, kind) for part in parts), Decimal(0)) for kind in ("under", "over", "exposure")
    )
    return Sums(currency, under, over, exposure, tuple(sorted(set(signals))))
