"""What `trueup doctor` looks at: each part of a home, whether it is well, and when it is not, why and what helps."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Protocol

from sqlalchemy import Engine, func, select, text

from detector.cycle import Setting
from detector.freshness import freshness
from detector.rules import Rule, RuleProblem
from store import operational
from store.held import Held
from store.operational_tables import Load, Run
from store.warehouse import Warehouse

LEAST_FREE = 1 << 30
"""Bytes that should be free where the home lies."""

CLOCKS_APART = timedelta(minutes=2)


@dataclass(frozen=True)
class Checked:
    """One thing that was looked at."""

    name: str
    well: bool
    said: str


class Opened(Protocol):
    """What the command line opened; a part that cannot be opened raises when it is asked for."""

    @property
    def engine(self) -> Engine: ...
    @property
    def warehouse(self) -> Warehouse: ...
    @property
    def catalogue(self) -> tuple[list[Rule], list[RuleProblem]]: ...
    @property
    def setting(self) -> Setting: ...


def everything(opened: Opened, place: Path, integrations: Mapping[str, Callable[[], str | None]]) -> Iterator[Checked]:
    """Every part in turn. Each of `integrations` says why it cannot be read; None when it can."""
    yield home(place)
    yield guarded("operational store", lambda: store(opened.engine))
    yield guarded("warehouse", lambda: warehouse(opened.warehouse))
    for each in _held(opened):
        yield guarded(f"usage of {each.integration}", partial(usage, each))
    yield guarded("rules", lambda: rules(*opened.catalogue))
    yield guarded("clock", lambda: clock(opened.engine, opened.setting.clock()))
    for name, check in integrations.items():
        yield guarded(f"integration {name}", partial(integration, name, check))
    try:
        yield from data(opened.engine, opened.setting.limits, opened.setting.clock())
    except Exception as error:  # said already where the store was looked at
        yield Checked("data", False, (str(error) or type(error).__name__).splitlines()[0])


def integration(name: str, check: Callable[[], str | None]) -> Checked:
    """Whether the outside system answers and may be read."""
    reason = check()
    return Checked(f"integration {name}", reason is None, reason or "answers, and may be read")


def home(place: Path) -> Checked:
    """Whether there is room where the home lies."""
    existing = next(folder for folder in (place, *place.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    said = f"{place}, {free / (1 << 30):.1f} GiB free"
    return Checked("home", free >= LEAST_FREE, said if free >= LEAST_FREE else f"{said}: make room on that disk")


def store(engine: Engine) -> Checked:
    """Whether the operational store answers and has the schema that this version needs."""
    version = operational.schema_version(engine)
    kind = engine.dialect.name
    if version == operational.HEAD:
        return Checked("operational store", True, f"{kind}, schema {version}")
    said = (
        f"{kind}, schema {version or 'none'}, needs {operational.HEAD}: run any trueup command to bring it up to date"
    )
    return Checked("operational store", False, said)


def warehouse(books: Warehouse) -> Checked:
    """Whether the lake opens, and what it holds."""
    with closing(books.connect(read_only=True)) as con:
        version = con.execute("SELECT version()").fetchone()
    rows = sum(books.counts().values())
    engine = f"DuckDB {version[0] if version else '?'}"
    return Checked("warehouse", True, f"{engine}, snapshot {books.snapshot()}, {rows:,} rows of books")


def usage(held: Held) -> Checked:
    """Whether usage that stays in the company's own warehouse can be read there."""
    held.try_out()
    said = f"read where it lies: {held.source} ({held.kind}), no copy of it is kept"
    return Checked(f"usage of {held.integration}", True, said)


def _held(opened: Opened) -> Sequence[Held]:
    try:
        return opened.warehouse.held
    except Exception:  # said already where the warehouse was looked at
        return ()


def rules(found: Sequence[Rule], problems: Sequence[RuleProblem]) -> Checked:
    """Whether every rule file can be read."""
    if problems:
        said = f"{len(found)} sound, {len(problems)} mistakes, the first is {problems[0]}: see trueup rules list"
        return Checked("rules", False, said)
    return Checked(
        "rules", bool(found), f"{len(found)} rules" if found else "no rule was found in the configured folder"
    )


def clock(engine: Engine, now: datetime) -> Checked:
    """Whether this machine's clock agrees with the database's, and is not behind what was recorded before."""
    with operational.reading(engine) as session:
        moments = [session.scalar(select(func.max(column))) for column in (Run.started_at, Load.started_at)]
        if engine.dialect.name == "postgresql":
            theirs = session.scalar(text("SELECT now()"))
            if theirs is not None and abs(theirs - now) > CLOCKS_APART:
                return Checked(
                    "clock", False, f"{now:%Y-%m-%d %H:%M:%S} UTC here, {theirs} in PostgreSQL: set one right"
                )
    latest = max((moment for moment in moments if moment), default=now)
    if latest > now + CLOCKS_APART:
        said = f"it is {now:%Y-%m-%d %H:%M} UTC here, but {latest:%Y-%m-%d %H:%M} was recorded: set this clock right"
        return Checked("clock", False, said)
    return Checked("clock", True, f"{now:%Y-%m-%d %H:%M:%S} UTC")


def data(engine: Engine, limits: Mapping[str, timedelta | None], now: datetime) -> list[Checked]:
    """Whether each integration's data is recent enough."""
    with operational.reading(engine) as session:
        found = freshness(session, limits, now)
    return [
        Checked(
            f"data of {each.integration}",
            each.stale is None,
            each.stale or (f"last came in {each.last_ok_at:%Y-%m-%d %H:%M} UTC" if each.last_ok_at else "fresh"),
        )
        for each in found
    ]


def guarded(name: str, check: Callable[[], Checked]) -> Checked:
    """The check, or the reason why it could not even be made."""
    try:
        return check()
    except Exception as error:  # the drivers' errors have no common ancestor
        return Checked(name, False, (str(error) or type(error).__name__).splitlines()[0])
