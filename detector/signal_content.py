"""What a signal consists of in one run: its findings, the records they name, and its money per currency.

Worked out from the findings alone and compared by digest, so that a run on unchanged data has nothing to write.
A record named by several findings of a signal is listed once, with what the latest period says about it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from detector.findings import Entity, EntityType, Finding, Role

SEVERAL = "several"
"""In place of a currency: the money is in more than one."""

Money = tuple[Decimal, Decimal, Decimal]
"""Under, over and exposure in one currency."""

_ROLES = tuple(Role)
_TYPES = tuple(EntityType)
_NEVER = datetime.min.replace(tzinfo=UTC)
_SEARCH_CHARACTERS = 2000


def fingerprint(finding: Finding) -> str:
    """What findings of one signal share: rule, integration, cause and group (features.md A1.06)."""
    return sha256(finding.rule, finding.integration, str(finding.cause), finding.group)


@dataclass(frozen=True)
class Item:
    """One finding under its key within the signal, and the digest of everything it says."""

    key: str
    digest: str
    finding: Finding


@dataclass(frozen=True)
class Content:
    """The current findings of one signal, in the order of their periods."""

    items: tuple[Item, ...]

    @cached_property
    def digest(self) -> str:
        """Equal for two runs that found the same, in whatever order and by whatever text of the rule."""
        return sha256(*(item.key + item.digest for item in self.items))

    @cached_property
    def largest(self) -> Finding:
        """The finding with the most money in one figure; it gives the signal its title and its customer."""
        return max(self.items, key=lambda item: (_size(item.finding), item.key)).finding

    @property
    def title(self) -> str:
        """The largest finding's title, and how many more there are."""
        titles = {item.finding.title for item in self.items}
        return self.largest.title if len(titles) == 1 else f"{self.largest.title} and {len(titles) - 1} more"

    @property
    def period(self) -> tuple[datetime | None, datetime | None]:
        """From the first start to the last end of all findings."""
        starts = [item.finding.period_start for item in self.items if item.finding.period_start]
        ends = [item.finding.period_end for item in self.items if item.finding.period_end]
        return min(starts, default=None), max(ends, default=None)

    @cached_property
    def impacts(self) -> dict[str, Money]:
        """Under, over and exposure by currency, never netted; findings without a currency have no money."""
        sums: dict[str, Money] = {}
        for finding in (item.finding for item in self.items):
            if finding.currency:
                under, over, exposure = sums.get(finding.currency, (Decimal(0), Decimal(0), Decimal(0)))
                sums[finding.currency] = (under + finding.under, over + finding.over, exposure + finding.exposure)
        return sums

    @property
    def money(self) -> tuple[str | None, Money]:
        """The one currency of all money and its amounts, as `money_of` says."""
        return money_of(self.impacts)

    @cached_property
    def entities(self) -> dict[tuple[str, str, str], tuple[Entity, str]]:
        """Each record by type, id and role, with the key of the finding whose values it has."""
        merged: dict[tuple[str, str, str], tuple[Entity, str]] = {}
        for item in self.items:
            for entity in item.finding.entities:
                key = (str(entity.type), entity.id, str(entity.role))
                before = merged.get(key)
                merged[key] = (_latest(before[0], entity) if before else entity, item.key)
        return merged

    @cached_property
    def customers(self) -> dict[str, str | None]:
        """Every customer concerned with their name where a finding states it, those of the largest finding first."""
        found: dict[str, str | None] = {}
        for entity in (*self.largest.entities, *(entity for entity, _ in self.entities.values())):
            is_customer = entity.type == EntityType.CUSTOMER
            customer = entity.id if is_customer else entity.customer_id
            if customer:
                found[customer] = found.get(customer) or (entity.name if is_customer else None)
        return found

    def finalizes_at(self, drafts: Mapping[str, datetime]) -> datetime | None:
        """When the first of its draft invoices becomes final; `drafts` says when each one does, by invoice id."""
        invoices = {entity.id for entity, _ in self.entities.values() if entity.type == EntityType.INVOICE}
        return min((drafts[invoice] for invoice in invoices if invoice in drafts), default=None)

    def bill_run(self, runs: Mapping[str, str]) -> str | None:
        """The bill run of its draft invoices, the first by name where there are several; `runs`: run by draft."""
        invoices = {entity.id for entity, _ in self.entities.values() if entity.type == EntityType.INVOICE}
        return min((runs[invoice] for invoice in invoices if invoice in runs), default=None)

    def rank_amount(self, rates: Mapping[str, Decimal]) -> Decimal:
        """All money at the ranking rates, as `ranked` says."""
        return ranked(self.impacts, rates)

    def search_text(self, *words: str) -> str:
        """Lower-case text that the inbox searches: the title, the given words, customers by name and id."""
        people = [text for customer, name in self.customers.items() for text in (name, customer) if text]
        return " ".join([self.title, *words, *people]).lower()[:_SEARCH_CHARACTERS]


def content(findings: Iterable[Finding]) -> Content:
    """The findings of one signal, ordered by period and key; findings alike in subject and start are numbered."""
    seen: dict[str, int] = {}
    items = []
    for key, digest, finding in sorted(((_key(f), _digest(f), f) for f in findings), key=lambda row: row[:2]):
        seen[key] = seen.get(key, 0) + 1
        items.append(Item(key if seen[key] == 1 else f"{key}-{seen[key]}", digest, finding))
    return Content(tuple(sorted(items, key=lambda item: (item.finding.period_end or _NEVER, item.key))))


def money_of(impacts: Mapping[str, Money]) -> tuple[str | None, Money]:
    """The one currency of all money and its amounts; "several" or None, and zeros, where there is no one."""
    if len(impacts) == 1:
        return next(iter(impacts.items()))
    return (SEVERAL if impacts else None), (Decimal(0), Decimal(0), Decimal(0))


def ranked(impacts: Mapping[str, Money], rates: Mapping[str, Decimal]) -> Decimal:
    """All money at the ranking rates: for order only, never shown. A currency without a rate counts as one."""
    worth = (sum(money) * rates.get(currency, Decimal(1)) for currency, money in impacts.items())
    return Decimal(sum(worth)).quantize(Decimal("0.0001"))


def position(entity: Entity) -> int:
    """Where the record stands in the signal's list: causes, affected, evidence; within these by type."""
    return _ROLES.index(entity.role) * 100 + _TYPES.index(entity.type)


def sha256(*parts: str) -> str:
    """The digest of the parts, each kept apart from the next."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def digits(value: Decimal) -> str:
    """The decimal's digits without exponent and without trailing zeros, however long it is."""
    text = f"{value:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def plain(value: Any) -> Any:
    """The value as JSON holds it: decimals as digits without trailing zeros, instants in UTC, mappings by key."""
    if isinstance(value, Decimal):
        return digits(value)
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).isoformat()
    if isinstance(value, Mapping):
        return {str(key): plain(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, str | bool | int | None):
        return value
    if isinstance(value, float):
        return float(f"{value:.9g}")  # parallel sums differ in their last digits from run to run
    if isinstance(value, Sequence | set | frozenset):
        return [plain(part) for part in value]
    return str(value)


def _key(finding: Finding) -> str:
    """Subject, currency and where the period begins; what is still going on ends later in every run."""
    return sha256(str(finding.subject), plain(finding.period_start) or "", finding.currency or "")


def _digest(finding: Finding) -> str:
    """Everything the finding says, apart from the rule's text."""
    said = {field.name: getattr(finding, field.name) for field in fields(Finding) if field.name != "rule_hash"}
    said["entities"] = sorted(json.dumps(_plain_entity(entity)) for entity in finding.entities)
    return sha256(json.dumps({name: _said(value) for name, value in said.items()}, sort_keys=True))


def _said(value: Any) -> Any:
    return str(value) if hasattr(value, "type") else plain(value)


def _plain_entity(entity: Entity) -> list[Any]:
    return [plain(getattr(entity, field.name)) for field in fields(Entity)]


def _latest(before: Entity, after: Entity) -> Entity:
    """The later statement, with the earlier one's words where the later is silent."""
    if after.expected is None and after.actual is None:
        after = replace(after, expected=before.expected, actual=before.actual, unit=before.unit)
    kept = {
        name: getattr(before, name)
        for name in ("customer_id", "name", "target_date", "execution_date", "status")
        if getattr(after, name) is None
    }
    return replace(after, **kept)


def _size(finding: Finding) -> Decimal:
    return max(finding.under, finding.over, finding.exposure)
