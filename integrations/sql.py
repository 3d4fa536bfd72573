"""Any SQL database: queries or tables of the company's own, mapped to tables of the books in config.yaml.

Owns the reading over SQLAlchemy and the checks of the mapping; does not own storage. docs/integrations/sql.md has an
example. Nothing is written there, and a row that the books cannot hold is left out with its reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from billing.books import BY_NAME, TABLES
from billing.model import DECIMAL_PLACES, Column, Kind
from integrations.capabilities import Capabilities
from integrations.http import SourceError
from integrations.landed.reading import LAYOUTS, Landed
from integrations.landed.tables import Tables
from integrations.marks import bound, mark
from integrations.objects import Row
from integrations.pages import Lookup, Page, Remark
from integrations.values import UnreadableError, currency, fitting

CAPABILITIES = Capabilities(
    reads=tuple(table.name for table in TABLES),
    increments="by the column that the mapping names; without one, everything each time",
    secrets=("url",),
    settings=("tables", "layout", "schema"),
)
"""What the SQL source can do; `trueup integrations` shows it."""

ROWS = 5_000
"""Rows of one page."""


@dataclass(frozen=True)
class Mapped:
    """How one table of the books is filled.

    `source`: a table or a SELECT. `columns`: column of the books -> column of the source. `increments`: the column of
    the source that only grows, where there is one. `values`: columns of the books that are the same in every row.
    `in_place`: it is read where it lies and not copied; `unique`: then, that no row is there twice.
    """

    table: str
    source: str
    columns: Mapping[str, str]
    increments: str | None = None
    values: Mapping[str, object] = field(default_factory=dict)
    in_place: bool = False
    unique: bool = False


@dataclass(frozen=True)
class Sql:
    """One configured database. `engine`: None where all of it is read in place. `place`: its kind and address, then."""

    name: str
    engine: sa.Engine = field(repr=False)
    mappings: Sequence[Mapped]
    landed: Landed | None = None
    in_place: Mapped | None = None
    place: tuple[str, str] = field(default=("", ""), repr=False)

    def pull(self, cursor: Lookup, *, full: bool, now: datetime) -> Iterator[Page]:
        """Pages of what a loader landed and of every mapped table, in the order of the configuration."""
        if self.landed:
            try:
                yield from self.landed.pages(cursor, full=full, now=now)
            except SQLAlchemyError as error:
                raise SourceError(self._told("schema", error), permanent=False) from None
        for mapping in self.mappings:
            since = None if full else cursor(mapping.table)
            try:
                yield from self._table(mapping, since, now)
            except SQLAlchemyError as error:
                raise SourceError(self._said(mapping, error), permanent=False) from None

    def check(self) -> str | None:
        """Why the database cannot be read as it is mapped, with the key; None when all is well."""
        if self.landed and (lacking := self._lacking()):
            return lacking
        for mapping in self.mappings:
            try:
                with self.engine.connect() as con:
                    self._columns(mapping, con.execute(sa.select("*").select_from(_source(mapping)).limit(0)).keys())
            except SQLAlchemyError as error:
                return self._said(mapping, error)
            except SourceError as error:
                return str(error)
        return None

    def counts(self) -> Mapping[str, int]:
        """The rows of each mapped source."""
        with self.engine.connect() as con:
            return {
                each.table: int(con.execute(sa.select(sa.func.count()).select_from(_source(each))).scalar_one())
                for each in self.mappings
            }

    def _lacking(self) -> str | None:
        assert self.landed is not None
        try:
            missing = self.landed.missing()
        except SQLAlchemyError as error:
            return self._told("schema", error)
        where = f"schema {self.landed.tables.schema}" if self.landed.tables.schema else "the default schema"
        said = f"integrations.{self.name}.layout: {where} has no table {', '.join(missing)}"
        return said if missing else None

    def _table(self, mapping: Mapped, since: str | None, now: datetime) -> Iterator[Page]:
        query = sa.select("*").select_from(_source(mapping))
        if mapping.increments:
            by: sa.ColumnClause[Any] = sa.column(mapping.increments)
            query = query.order_by(by)
            if since is not None:
                query = query.where(by >= bound(since))  # rows with the last value may have come since
        with self.engine.connect() as con:
            found = con.execution_options(stream_results=True, max_row_buffer=ROWS).execute(query)
            self._columns(mapping, found.keys())
            for part in found.mappings().partitions(ROWS):
                yield self._page(mapping, part, since, now)

    def _page(self, mapping: Mapped, part: Sequence[Any], since: str | None, now: datetime) -> Page:
        rows: list[Row] = []
        remarks = []
        for held in part:
            try:
                rows.append(_row(mapping, held))
            except (UnreadableError, ValueError) as error:
                key = "/".join(_shown(mapping, held, part) for part in BY_NAME[mapping.table].key)
                remarks.append(Remark(mapping.table, key, str(error)))
        reached = [mark(held[mapping.increments]) for held in part if mapping.increments]
        last = next((mark for mark in reversed(reached) if mark is not None), None)
        cursors = {mapping.table: last} if last is not None and last != since else {}
        return Page(mapping.table, {mapping.table: rows}, now, cursors, tuple(remarks))

    def _columns(self, mapping: Mapped, there: Any) -> None:
        """Raises SourceError naming the key of a column that the source does not have."""
        known = set(there)
        wanted = {f"columns.{column}": source for column, source in mapping.columns.items()}
        wanted |= {"increments": mapping.increments} if mapping.increments else {}
        for key, source in wanted.items():
            if source not in known:
                said = f"the source has no column {source!r}; it has {', '.join(sorted(map(str, known)))}"
                raise SourceError(f"{_key(self.name, mapping.table)}.{key}: {said}", permanent=True)

    def _said(self, mapping: Mapped, error: SQLAlchemyError) -> str:
        return self._told(f"tables.{mapping.table}", error)

    def _told(self, key: str, error: SQLAlchemyError) -> str:
        """The database's own first line, without the address and its password."""
        told = str(getattr(error, "orig", None) or error).splitlines()[0]
        for secret in (self.engine.url.render_as_string(hide_password=False), self.engine.url.password):
            told = told.replace(str(secret), "...") if secret else told
        return f"integrations.{self.name}.{key}: {told}"


def from_config(name: str, settings: Mapping[str, object]) -> Sql:
    """The integration from its part of the configuration.

    Settings: `url`, SQLAlchemy's address of the database, or `duckdb:FILE`, `parquet:FOLDER` where all of it is read in
    place; `tables`, a map from tables of the books to their mapping;
    `layout` and `schema`, of tables that a loader landed there (docs/integrations/landed.md); one of the two at least.
    Raises ValueError naming every key that is missing or wrong.
    """
    problems: list[str] = []
    mapped, layout, schema = settings.get("tables") or {}, settings.get("layout"), settings.get("schema")
    if not isinstance(mapped, dict) or not (mapped or layout):
        raise ValueError(f"integrations.{name}.tables: map at least one table of the books.")
    if layout is not None and layout not in LAYOUTS:
        problems.append(f"integrations.{name}.layout: {layout!r} is none of {', '.join(LAYOUTS)}")
    found = [one for table, given in mapped.items() if (one := _mapping(name, table, given, problems))]
    mappings, left = [one for one in found if not one.in_place], [one for one in found if one.in_place]
    address = str(settings.get("url"))
    place = _place(name, address, problems) if left else ("", "")
    if problems:
        raise ValueError("; ".join(problems))
    own = next((scheme for scheme in ("duckdb", "parquet") if address.startswith(f"{scheme}:")), None)
    if own and (mappings or layout):
        raise ValueError(f"integrations.{name}.url_env: of {own} only usage_events are read, in_place: true.")
    try:
        engine = sa.create_engine("sqlite://" if own else address, pool_pre_ping=True)
    except (SQLAlchemyError, ImportError) as error:
        said = type(error).__name__ if isinstance(error, SQLAlchemyError) else error
        raise ValueError(
            f"integrations.{name}.url_env: this is no address that SQLAlchemy can open ({said})."
        ) from None
    tables = Tables(engine, None if schema is None else str(schema))
    landed = Landed(LAYOUTS[str(layout)], tables) if layout else None
    return Sql(name, engine, mappings, landed, left[0] if left else None, place)


def _place(name: str, address: str, problems: list[str]) -> tuple[str, str]:
    """The kind and the plain address of what is read in place; what cannot be is added to the problems."""
    scheme, _, rest = address.partition(":")
    kind = scheme.partition("+")[0]
    where = re.sub(r"^//(?=/)", "", rest)
    if kind in ("postgresql", "postgres"):
        return "postgres", f"postgresql:{rest}"
    if kind == "sqlite":
        return "sqlite", where.removeprefix("/") if where.startswith("//") else where.removeprefix("//")
    if kind in ("duckdb", "parquet") and "://" not in where:
        return kind, where.rstrip("/")
    problems.append(
        f"integrations.{name}.url_env: usage is read in place from postgresql://, sqlite:///FILE, duckdb:FILE and "
        f"parquet:FOLDER, not from {kind}:// - an object store or another engine needs a DuckDB extension that is not "
        "at hand; mount the files, or leave in_place out, so that they are copied"
    )
    return "", ""


def _mapping(name: str, table: str, given: object, problems: list[str]) -> Mapped | None:
    """One table's mapping; what is wrong with it is added to the problems."""
    before, key = len(problems), _key(name, table)
    if table not in BY_NAME:
        problems.append(f"{key}: the books have no table {table}")
        return None
    if not isinstance(given, dict) or not isinstance(given.get("source"), str):
        problems.append(f"{key}.source: name a table, or write a SELECT")
        return None
    columns, values = given.get("columns") or {}, given.get("values") or {}
    known = BY_NAME[table].by_name
    for part, held in (("columns", columns), ("values", values)):
        problems += [f"{key}.{part}.{each}: {table} has no column {each}" for each in held if each not in known]
    for column in BY_NAME[table].columns:
        if not column.optional and column.name not in columns and column.name not in values:
            problems.append(f"{key}.columns.{column.name}: {table} needs it")
    problems += [
        f"{key}.{each}: there is no such setting"
        for each in given
        if each not in {"source", "columns", "values", "increments", "in_place", "unique"}
    ]
    in_place = bool(given.get("in_place"))
    if in_place and table != "usage_events":
        problems.append(f"{key}.in_place: only usage_events are read in place; leave it out")
    if in_place and _is_query(given["source"]):
        problems.append(f"{key}.source: what is read in place is a table or a view; make a view of this SELECT there")
    if len(problems) > before:
        return None
    fixed = {each: _value(known[each], value) for each, value in values.items()}
    unique = bool(given.get("unique"))
    return Mapped(table, given["source"], columns, given.get("increments"), fixed, in_place, unique)


def _key(name: str, table: str) -> str:
    return f"integrations.{name}.tables.{table}"


def _source(mapping: Mapped) -> sa.FromClause:
    text = mapping.source.strip().rstrip(";")
    if _is_query(text):
        return sa.text(text).columns().subquery("source")
    return sa.table(text) if "." not in text else sa.table(text.split(".", 1)[1], schema=text.split(".", 1)[0])


def _is_query(source: str) -> bool:
    return source.strip().lower().startswith(("select ", "select\n", "with "))


def _row(mapping: Mapped, held: Mapping[str, Any]) -> Row:
    columns = BY_NAME[mapping.table].by_name
    row: Row = dict(mapping.values)
    for name, source in mapping.columns.items():
        try:
            row[name] = _value(columns[name], held[source])
        except ValueError as error:
            raise UnreadableError(f"{mapping.table}.{name} from column {source}: {error}") from error
        if row[name] is None and not columns[name].optional:
            raise UnreadableError(f"{mapping.table}.{name} from column {source}: it is null")
    return row


def _value(column: Column, value: object) -> object:
    """A value of the source as the column holds it. A float counts by its shortest digits. Raises UnreadableError."""
    if value is None:
        return None
    if column.kind in DECIMAL_PLACES:
        return fitting(_number(value), column.kind)
    if column.kind is Kind.TS:
        return _instant(value)
    if column.kind is Kind.BOOL:
        return _truth(value)
    if column.kind is Kind.INT:
        return int(_number(value))
    if column.kind is Kind.JSON:
        return json.loads(value, parse_float=Decimal) if isinstance(value, str) else value
    if column.kind is Kind.CURRENCY:
        return currency(value)
    text = str(value)
    if column.kind is Kind.ENUM and text.lower() not in column.values:
        raise UnreadableError(f"{text!r} is none of {', '.join(column.values)}")
    return text.lower() if column.kind is Kind.ENUM else text


def _number(value: object) -> Decimal:
    try:
        number = value if isinstance(value, Decimal) else Decimal(str(value))
    except InvalidOperation as error:
        raise UnreadableError(f"{value!r} is not a number") from error
    if not number.is_finite() or isinstance(value, bool):
        raise UnreadableError(f"{value!r} is not a number")
    return number


def _instant(value: object) -> datetime:
    """An instant; one without an offset is UTC, a date is its first moment."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise UnreadableError(f"{value!r} is no instant") from error
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if not isinstance(value, datetime):
        raise UnreadableError(f"{value!r} is no instant")
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def _truth(value: object) -> bool:
    found = {"true": True, "t": True, "1": True, "yes": True, "false": False, "f": False, "0": False, "no": False}
    if str(value).lower() not in found:
        raise UnreadableError(f"{value!r} is neither true nor false")
    return found[str(value).lower()]


def _shown(mapping: Mapped, held: Mapping[str, Any], column: str) -> str:
    """A part of a row's key, for a remark."""
    return str(mapping.values.get(column, held.get(mapping.columns.get(column, ""))))
