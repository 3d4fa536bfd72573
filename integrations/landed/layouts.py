"""What a layout is: where a loader puts the lists of Stripe, and how its rows become Stripe's objects again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from integrations.landed.tables import Record, Tables
from integrations.stripe.objects import Object


class Made(Protocol):
    """Makes the objects of a stream from rows of its table, with everything that they contain."""

    def __call__(self, tables: Tables, stream: str, rows: Sequence[Record]) -> list[Object]: ...


@dataclass(frozen=True)
class Layout:
    """How one loader lands Stripe.

    `tables`: for each list of Stripe the names that its table may have. `increments`: the column that says when a row
    was loaded. `follows`: for a list the tables of parts that may be loaded without their whole, each with its column
    of the whole's id. `ledger`: the table of customer balance transactions with its column of the customer.
    """

    tables: Mapping[str, tuple[str, ...]]
    increments: str
    made: Made
    follows: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    ledger: tuple[str, str] | None = None


NEEDED = ("prices", "customers", "subscriptions", "invoices")
"""Lists without which there is nothing to compare."""
