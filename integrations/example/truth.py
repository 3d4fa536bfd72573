"""What the example company knows about itself: every planted fault, and every correct thing that looks like one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

ZERO = Decimal(0)

Reference = tuple[str, str]
"""An entity's type and id, the types as in `spec/cli.md`."""

Window = tuple[str, datetime, datetime]
"""An item and a stretch of its time: its lines there belong to the fault, however they come to be billed."""


@dataclass
class Fault:
    """One planted fault with its exact impact, amounts in major units of `currency` and before tax.

    `windows` name lines that do not exist yet when the fault is planted, and `overbilled` subscriptions of which every
    line, whenever made, is billed too much; `integrations.example.ending` finds them.
    """

    code: str
    cause: Reference
    customer_id: str | None
    currency: str
    note: str
    period_start: datetime | None = None
    period_end: datetime | None = None
    under: Decimal = ZERO
    over: Decimal = ZERO
    exposure: Decimal = ZERO
    entities: dict[Reference, str] = field(default_factory=dict)
    windows: list[Window] = field(default_factory=list)
    overbilled: list[str] = field(default_factory=list)
    fault_id: str = ""

    def affects(self, kind: str, ids: Iterable[str]) -> None:
        """Add records that are wrong because of the fault."""
        self._add(kind, ids, "affected")

    def shows(self, kind: str, ids: Iterable[str]) -> None:
        """Add records that show the fault without being wrong."""
        self._add(kind, ids, "evidence")

    def _add(self, kind: str, ids: Iterable[str], role: str) -> None:
        for each in ids:
            self.entities.setdefault((kind, each), role)


@dataclass(frozen=True)
class Lookalike:
    """Something correct that a careless rule takes for a fault: what it is, its records, and why it is right.

    `codes` are the faults that it resembles; they are not planted on the same customer.
    """

    what: str
    customer_id: str
    codes: tuple[str, ...]
    entities: tuple[Reference, ...]
    why: str
