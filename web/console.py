"""What every page of the console works with, handed in once when the app is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import duckdb
from flask import current_app, g
from sqlalchemy import Engine

from detector import derived
from detector.beside import Beside
from detector.connections import Configured
from detector.learned import Learned
from detector.live_rules import LiveRules
from detector.operator_settings import Stated
from detector.rules import Rule
from remediation.life import Approvals
from store.warehouse import Warehouse
from web.shelf import Shelf

KEY = "trueup"


@dataclass(frozen=True)
class Console:
    """The stores, the rules and the clock. `ranking_rates` only orders currencies and is never shown."""

    engine: Engine
    warehouse: Warehouse
    live: LiveRules
    clock: Callable[[], datetime]
    ranking_rates: Mapping[str, Decimal] = field(default_factory=dict)
    shelf: Shelf = field(default_factory=Shelf)
    approvals: Approvals = field(default_factory=Approvals)
    advisor: str | None = None  # the language model that may be asked; a worker does the asking
    integrations: Sequence[Configured] = ()
    stated: Sequence[Stated] = ()
    ways: Sequence[str] = ()  # how people can be told of something outside the console: mail, chat

    @property
    def limits(self) -> Mapping[str, timedelta | None]:
        """How old the data of each configured integration may be."""
        return {each.name: each.stale_after for each in self.integrations}

    @property
    def rules(self) -> Mapping[str, Rule]:
        """The rules that run, by name; read once per page."""
        if "rules" not in g:
            g.rules = {rule.name: rule for rule in self.live()}
        return cast("Mapping[str, Rule]", g.rules)

    @contextmanager
    def books(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection on which `books.<table>` is the newest snapshot, one and the same for the whole page.

        A page reads single records by many small queries, so it reads the copy that is near, on one thread: that costs
        them less than waking a thread per core. Raises LakeError when the lake cannot be reached.
        """
        with closing(self.warehouse.near.connect()) as books:
            books.execute("SET threads = 1")
            books.begin()
            try:
                yield books
            finally:
                books.rollback()

    @contextmanager
    def derived(self, as_of: datetime, relation: str, learned: Learned) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection of its own on which a derived relation and its inputs are made, in one transaction.

        Raises LakeError when the lake cannot be reached.
        """
        with closing(self.warehouse.near.connect()) as books:
            derived.build(books, as_of, {relation}, self.warehouse.dialects, beside=Beside(learned))
            yield books

    def weight(self, currency: str, amount: Decimal) -> Decimal:
        """The amount for ordering across currencies."""
        return amount * self.ranking_rates.get(currency, Decimal(1))


def console() -> Console:
    """The console of the running app."""
    return cast(Console, current_app.extensions[KEY])


def now() -> datetime:
    """The instant of this request, read once, so that every number of a page is of one moment."""
    if "now" not in g:
        g.now = console().clock()
    return cast(datetime, g.now)


def rows(books: duckdb.DuckDBPyConnection, query: str, values: Any = None) -> list[dict[str, Any]]:
    """The rows of a query as dictionaries."""
    result = books.execute(query, values)
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
