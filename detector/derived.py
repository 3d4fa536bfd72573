"""Derived relations: from the books to usage, expected lines, billed lines and the three-way match, in SQL.

The SQL lies in `detector/derived/`, one file per relation, run in the order of the files' numbers. Each file's header
says what goes in, what comes out, the grain, and every column; this module reads it, so that the documentation,
the rule checker and the build go by the same words. Files without columns hold macros.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from pathlib import Path

import duckdb

from billing.books import TABLES
from billing.dialects import NAMED, Dialects, Settlement, dialect_of
from billing.model import Table
from billing.money import MINOR_DIGITS, Rounding
from billing.periods import UnknownTimezoneError, timezone_named
from detector import sources
from detector.beside import NOTHING, Beside
from detector.learned import HIGHER, OF_HOURS, REPEATS_FOR, Learned
from store.held import COPIED_KINDS, PREFIX

QUOTE = "'"
FOLDER = Path(__file__).parent / "derived"

_NAMED = re.compile(r"-- (?P<name>[a-z_]+): (?P<meaning>.+)")
_COLUMN = re.compile(r"--   (?P<name>[a-z_]+) (?P<type>[A-Z]\S*)\s+(?P<meaning>.+)")
_STEP = timedelta(days=7)
"""Clocks are sampled this often: no timezone changes and changes back within a week."""

READ_IN_PLACE = frozenset({"usage_events", "reported_usage", "invoice_lines", "payments", "credit_movements"})
"""Tables that grow with time are read where they lie once they have many rows. Opening a table of the lake costs more
than reading a small one, so each of the others that is needed is copied once."""

FEW = 1_000_000
"""A table of at most so many rows is copied in any case."""


@dataclass(frozen=True)
class DerivedColumn:
    """One column of a derived relation; `type` is DuckDB's, STRUCT and lists without their parts."""

    name: str
    type: str
    meaning: str


@dataclass(frozen=True)
class Derivation:
    """One SQL file: the relation that it makes, or macros when it has no columns."""

    path: Path
    name: str
    meaning: str
    grain: str
    inputs: tuple[str, ...]
    columns: tuple[DerivedColumn, ...]
    notes: tuple[str, ...]

    @property
    def sql(self) -> str:
        """The statements of the file."""
        return self.path.read_text(encoding="utf-8")


@cache
def derivations() -> tuple[Derivation, ...]:
    """Every SQL file, in the order in which they run."""
    return tuple(_read(path) for path in sorted(FOLDER.glob("*.sql")))


def derivation(name: str) -> Derivation:
    """The one that makes a relation. Raises KeyError for a relation that is not derived in SQL."""
    found = {each.name: each for each in derivations()}
    return found[name]


def _read(path: Path) -> Derivation:
    header = [
        line for line in path.read_text(encoding="utf-8").split("CREATE")[0].splitlines() if line.startswith("--")
    ]
    named = _NAMED.fullmatch(header[0])
    inputs = next((line.removeprefix("-- in: ") for line in header if line.startswith("-- in: ")), "")
    grain = next((line.removeprefix("-- grain: ") for line in header if line.startswith("-- grain: ")), "")
    columns = tuple(DerivedColumn(*found.groups()) for line in header if (found := _COLUMN.fullmatch(line)))
    notes = tuple(line.removeprefix("-- ") for line in header[1:] if not re.match(r"-- ( |in:|grain:|columns:)", line))
    return Derivation(
        path,
        named["name"] if named and columns else path.stem,
        named["meaning"] if named else header[0].removeprefix("-- "),
        grain,
        tuple(name.strip() for name in inputs.split(",")) if inputs and inputs != "nothing" else (),
        columns,
        notes,
    )


RELATIONS: dict[str, dict[str, str]] = {
    each.name: {column.name: column.type for column in each.columns} for each in derivations() if each.columns
}
"""The columns of every derived relation with their DuckDB types, by the relation's name."""


def build(
    con: duckdb.DuckDBPyConnection,
    as_of: datetime,
    tables: Collection[str] | None = None,
    dialects: Dialects = NAMED,
    replaced: Mapping[str, str] | None = None,
    beside: Beside = NOTHING,
    in_place: Collection[str] | None = None,
) -> None:
    """Makes the derived relations on `con`, as temporary tables and views, as the books were known at `as_of`.

    `books.<table>` must resolve on `con` for every table of the books. For each there is afterwards a view of the bare
    name that hides what was not known yet. `tables` names the relations that are needed (their inputs follow); None
    means all. `dialects` says how the integrations bill. `replaced` gives a query to read in place of a table of the
    books: other terms, or fewer rows, with the same columns. `beside` is what else is known: what unusual usage is
    judged by, and how sources are doing. `in_place`: the tables that are read where they lie; None: those that are
    large. Derives again what is there already. Raises duckdb.Error where the books do not have their tables.
    """
    instant = as_of.astimezone(UTC).replace(tzinfo=None)
    wanted = needed(RELATIONS if tables is None else tables)
    with _one_transaction(con):
        con.execute(f"CREATE OR REPLACE TEMP MACRO as_of() AS TIMESTAMP '{instant.isoformat(sep=' ')}'")
        copied = wanted - (large(con) if in_place is None else set(in_place))
        for table in TABLES:
            is_copied = table.name in copied
            _make_known(con, table, (replaced or {}).get(table.name), is_copied=is_copied)
        _make_currencies(con)
        if "integration_dialects" in wanted:
            _make_dialects(con, dialects)
        if "announced_days" in wanted:
            _make_announced(con, beside.learned)
        if "labelled_hours" in wanted:
            _make_labelled(con, beside.learned)
        if "zone_offsets" in wanted:
            _make_zone_offsets(con, instant)
        sources.put(con, beside.sources, wanted)
        for derivation in derivations():
            if not derivation.columns or derivation.name in wanted:
                con.execute(derivation.sql)
                if derivation.name == "repeated_events":
                    _count_events_once(con, "known_usage_events" if "usage_events" in copied else "books.usage_events")
                if derivation.name == "usage_changes" and "unusual_scores" in wanted:
                    _look_through(con, beside.learned)


@contextmanager
def _one_transaction(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Everything within sees one state of the books, and the lake's catalog is asked once.

    The caller has no transaction open: DuckDB, asked to begin another, would abort that one.
    """
    con.begin()
    try:
        yield
    except BaseException:
        con.rollback()
        raise
    con.commit()


def needed(relations: Iterable[str]) -> set[str]:
    """The relations and, transitively, everything that they are made from, tables of the books included."""
    inputs = {derivation.name: derivation.inputs for derivation in derivations()}
    inputs["usage_events"] = ("repeated_events",)
    inputs["unusual_scores"] = ("usage_series", "usage_changes")
    found: set[str] = set()
    pending = list(relations)
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += inputs.get(name, ())
    return found


def _make_known(con: duckdb.DuckDBPyConnection, table: Table, replaced: str | None, *, is_copied: bool) -> None:
    """The view of a table's bare name: the rows that existed at as_of(), read from a copy or where they lie."""
    rows = f"SELECT * FROM ({replaced})" if replaced else f"SELECT * FROM books.{table.name}"
    if table.known_at:
        rows += f" WHERE {table.known_at} <= as_of()"
    elif table.known_with:
        parent, key = table.known_with
        rows += f" SEMI JOIN {parent} USING (integration, {key})"
    if is_copied:
        con.execute(f"CREATE OR REPLACE TEMP TABLE known_{table.name} AS {rows}")
        rows = f"SELECT * FROM known_{table.name}"
    con.execute(f"CREATE OR REPLACE TEMP VIEW {table.name} AS {rows}")


def large(con: duckdb.DuckDBPyConnection) -> set[str]:
    """The tables that are read where they lie.

    Of usage that stays in the company's own warehouse a run takes one copy, or reads it in place, by its kind.
    """
    tables = "SELECT table_name FROM duckdb_tables() WHERE estimated_size > ? AND NOT starts_with(database_name, ?)"
    found = {name for (name,) in con.execute(tables, [FEW, PREFIX]).fetchall()} & READ_IN_PLACE
    held = con.execute("SELECT DISTINCT type FROM duckdb_databases() WHERE starts_with(database_name, ?)", [PREFIX])
    kinds = {kind for (kind,) in held.fetchall()}
    if not kinds:
        return found
    return found - {"usage_events"} if kinds & set(COPIED_KINDS) else found | {"usage_events"}


def _count_events_once(con: duckdb.DuckDBPyConnection, lie: str) -> None:
    """Leaves repeated events out of the view usage_events; untouched, and cheaper to read, where there are none."""
    if con.execute("FROM repeated_events LIMIT 1").fetchone():
        rows = f"SELECT * FROM {lie} ANTI JOIN repeated_events USING (integration, source, event_id)"
        con.execute(f"CREATE OR REPLACE TEMP VIEW usage_events AS {rows} WHERE received_at <= as_of()")


def _look_through(con: duckdb.DuckDBPyConnection, learned: Learned) -> None:
    """Scores the series of usage, in Python."""
    from detector.unusual import company  # numpy and scikit-learn take a second, which no other command waits for

    company.look_through(con, learned)


def _make_currencies(con: duckdb.DuckDBPyConnection) -> None:
    rows = ", ".join(f"('{code}', {digits})" for code, digits in MINOR_DIGITS.items())
    con.execute(f"CREATE OR REPLACE TEMP TABLE currencies AS FROM (VALUES {rows}) AS iso (currency, exponent)")


def _make_dialects(con: duckdb.DuckDBPyConnection, dialects: Dialects) -> None:
    """The choices of every integration that has prices, as derived relations need them (billing.dialects)."""
    con.execute(
        "CREATE OR REPLACE TEMP TABLE integration_dialects (integration VARCHAR, days VARCHAR, share_places INTEGER, "
        "rounding INTEGER, converts_parts BOOLEAN, volume_on_last_line BOOLEAN, prorates_minimum BOOLEAN, "
        "lowest_latest DECIMAL(38, 9), credits_unused BOOLEAN)"
    )
    for (name,) in con.execute("SELECT DISTINCT integration FROM prices").fetchall():
        spoken = dialects.get(name) or dialect_of(name)
        choices = (
            spoken.days,
            spoken.share_places,
            list(Rounding).index(spoken.rounding),
            spoken.converts_parts,
            spoken.volume_on_last_line,
            spoken.prorates_minimum,
            spoken.lowest_latest,
            spoken.on_issued is Settlement.CREDIT,
        )
        con.execute("INSERT INTO integration_dialects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", [name, *choices])


def _make_announced(con: duckdb.DuckDBPyConnection, learned: Learned) -> None:
    con.execute(
        "CREATE OR REPLACE TEMP TABLE announced_days "
        "(first_day DATE, last_day DATE, is_outage BOOLEAN, meter_id VARCHAR, customer_id VARCHAR)"
    )
    for days in learned.announced:
        row = [days.first_day, days.last_day, days.is_outage, days.meter_id, days.customer_id]
        con.execute("INSERT INTO announced_days VALUES (?, ?, ?, ?, ?)", row)


def _make_labelled(con: duckdb.DuckDBPyConnection, learned: Learned) -> None:
    """What people said of hours: what is let pass, until when and below which score, and what comes off scores."""
    con.execute(
        "CREATE OR REPLACE TEMP TABLE labelled_hours (series VARCHAR, oddness VARCHAR, first_day DATE, last_day DATE, "
        "until_day DATE, below DOUBLE, said_at TIMESTAMP)"
    )
    for label in learned.hours_let_pass:
        said_at = label.said_at and label.said_at.astimezone(UTC).replace(tzinfo=None)
        until, below = label.last_day + REPEATS_FOR, label.score + HIGHER
        row = [label.series, label.oddness, label.first_day, label.last_day, until, below, said_at]
        con.execute("INSERT INTO labelled_hours VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    con.execute("CREATE OR REPLACE TEMP TABLE hour_segments (oddness VARCHAR, taken_off DOUBLE)")
    for oddness in OF_HOURS:
        con.execute("INSERT INTO hour_segments VALUES (?, ?)", [oddness, learned.taken_off(oddness)])


def _make_zone_offsets(con: duckdb.DuckDBPyConnection, as_of: datetime) -> None:
    """The clock of every timezone of the subscriptions: from when, in UTC and on the local clock, which offset holds.

    Made from the same time zone database as billing.periods, so that both put every boundary at the same instant.
    """
    zones = [zone for (zone,) in con.execute("SELECT DISTINCT timezone FROM subscriptions").fetchall()]
    (first,) = con.execute("SELECT min(least(billing_anchor, started_at)) FROM subscriptions").fetchone() or (None,)
    since = min((first or as_of).year, as_of.year) - 2
    con.execute(
        "CREATE OR REPLACE TEMP TABLE zone_offsets "
        "(timezone VARCHAR, from_utc TIMESTAMP, from_local TIMESTAMP, utc_offset INTERVAL)"
    )
    rows = [
        f"('{zone.replace(QUOTE, 2 * QUOTE)}', TIMESTAMP '{utc}', TIMESTAMP '{local}', to_seconds({offset}))"
        for zone in zones
        for utc, local, offset in _clock_changes(zone, max(since, 1900), as_of.year + 12)
    ]
    if rows:
        con.execute(f"INSERT INTO zone_offsets VALUES {', '.join(rows)}")


@lru_cache(maxsize=512)
def _clock_changes(zone: str, first_year: int, last_year: int) -> tuple[tuple[str, str, int], ...]:
    """(from_utc, from_local, offset in seconds) for the offset before the first year and every change up to the last.

    A local time that occurs twice belongs to the offset before the change, one that is skipped too: so a new offset
    holds from the later of the two local readings of the change (PEP 495, fold=0). Empty for an unknown zone.
    """
    try:
        tz = timezone_named(zone)
    except UnknownTimezoneError:
        return ()

    def offset(instant: datetime) -> timedelta:
        """How far the zone's clock is ahead of UTC."""
        return instant.astimezone(tz).utcoffset() or timedelta(0)

    at, end = datetime(first_year, 1, 1, tzinfo=UTC), datetime(last_year, 1, 1, tzinfo=UTC)
    held = offset(at)
    changes = [("-infinity", "-infinity", int(held.total_seconds()))]
    while at < end:
        if (after := offset(at + _STEP)) != held:
            change = _moment_of_change(offset, at, at + _STEP)
            local = (change + max(held, after)).replace(tzinfo=None)
            changes.append((change.replace(tzinfo=None).isoformat(), local.isoformat(), int(after.total_seconds())))
            held = after
        at += _STEP
    return tuple(changes)


def _moment_of_change(offset: Callable[[datetime], timedelta], before: datetime, after: datetime) -> datetime:
    """The first second between two instants at which the offset is no longer the one before."""
    held = offset(before)
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        before, after = (middle, after) if offset(middle) == held else (before, middle)
    return after
