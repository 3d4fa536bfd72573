"""Until when an answer holds on the same books: the next instant at which time alone may make a rule find another.

Time acts on a rule in three ways. Rows become known at the instant that their table names; derived relations that ask
as_of() have their turns among the times that they and their inputs hold; and the rule's own query compares something
with `$as_of`. For each such comparison the other side is read from the same FROM, without its conditions: the smallest
value to come is never later than the turn. What cannot be read so holds for no longer than its instant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import duckdb
import sqlglot
from sqlglot import exp

from billing.books import BY_NAME
from billing.model import Kind
from detector import derived
from detector.query import AS_OF
from detector.rules import Rule

NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""The answer holds whatever the time."""

_COMPARISONS = (exp.LT, exp.LTE, exp.GT, exp.GTE, exp.EQ, exp.NEQ)
_MARGIN = (
    " - CASE WHEN date_part('month', {length}) + date_part('year', {length}) <> 0 "
    "THEN INTERVAL 3 DAY ELSE INTERVAL 0 DAY END"
)
_NEXT = "(date_trunc('{unit}', {moved}) + INTERVAL 1 {unit}) - ({moved} - $as_of)"
_UNITS = ("DAY", "HOUR")


_LENGTH = re.compile(r"\+ (INTERVAL \d+ \w+) <= as_of\(\)")
"""How long after one of its times a derived relation waits."""


class _UnclearError(Exception):
    """Time acts on the query in a way that is not read."""


@dataclass
class Horizon:
    """The turns of one run's books; what relations have in common is read once."""

    con: duckdb.DuckDBPyConnection
    as_of: datetime
    _known: dict[str, datetime] = field(default_factory=dict)

    def until(self, rule: Rule, bound: Mapping[str, object]) -> datetime:
        """The first instant after `as_of` at which `rule`, bound so, may find something else; `as_of` for any."""
        try:
            own = list(self._own_turns(rule, bound))
        except (_UnclearError, duckdb.Error):
            return self.as_of
        shared = (self._turn(name) for name in derived.needed({*rule.relations, "invoices"}))
        return min((*own, *shared), default=NEVER)

    def _turn(self, relation: str) -> datetime:
        if relation not in self._known:
            self._known[relation] = self._next(_instants_of(relation))
        return self._known[relation]

    def _next(self, columns: Sequence[tuple[str, str]]) -> datetime:
        """The earliest value after as_of in any of the columns."""
        found = [
            self._value(f"SELECT min({column}) FROM {relation} WHERE {column} > $as_of", {})
            for relation, column in columns
        ]
        return min((each for each in found if each is not None), default=NEVER)

    def _own_turns(self, rule: Rule, bound: Mapping[str, object]) -> Iterator[datetime]:
        for sql in turns(rule.query):
            used = {name: value for name, value in bound.items() if f"${name}" in sql}
            value = self._value(sql, used)
            if value is not None:
                yield value

    def _value(self, sql: str, bound: Mapping[str, object]) -> datetime | None:
        row = self.con.execute(sql, {**bound, AS_OF: self.as_of.astimezone(UTC).replace(tzinfo=None)}).fetchone()
        value = row[0] if row else None
        if value is None:
            return None
        if not isinstance(value, date):
            raise _UnclearError
        moment = value if isinstance(value, datetime) else datetime.combine(value, datetime.min.time())
        return moment.replace(tzinfo=UTC) if moment.year < NEVER.year else None


def turns(query: str) -> list[str]:
    """One query for each place where a rule's query asks the time, giving the first turn after `$as_of`.

    Raises _UnclearError where the time is used otherwise than compared or cut to its day or hour.
    """
    tree = sqlglot.parse_one(query, read="duckdb")
    return [_turn(node) for node in tree.find_all(exp.Placeholder, exp.Parameter) if _is_as_of(node)]


def _is_as_of(node: exp.Expr) -> bool:
    return node.name == AS_OF


def _turn(node: exp.Expr) -> str:
    moved, offset = _moved(node)
    if unit := _cut_to(moved):
        cut = f"({moved.sql(dialect='duckdb')})"
        return f"SELECT {_NEXT.format(moved=cut, unit=unit)}"
    parent, other = _compared(moved)
    if any(_is_as_of(each) for each in other.find_all(exp.Placeholder, exp.Parameter)):
        raise _UnclearError
    return _earliest(parent, other, offset)


def _moved(node: exp.Expr) -> tuple[exp.Expr, list[tuple[str, exp.Expr]]]:
    """The largest `$as_of ± length ± ...` around the node, and the lengths with the sign that takes them away."""
    offset: list[tuple[str, exp.Expr]] = []
    while isinstance(node.parent, exp.Add | exp.Sub | exp.Paren):
        parent = node.parent
        if not isinstance(parent, exp.Paren):
            if parent.this is not node or not isinstance(parent.expression, exp.Placeholder | exp.Interval):
                raise _UnclearError
            offset.append(("-" if isinstance(parent, exp.Add) else "+", parent.expression))
        node = parent
    return node, offset


def _cut_to(moved: exp.Expr) -> str | None:
    """The unit that the time is cut to: DAY or HOUR."""
    parent = moved.parent
    if isinstance(parent, exp.Cast):
        return "DAY" if parent.to.this == exp.DType.DATE else None
    unit = parent.text("unit").upper() if isinstance(parent, exp.TimestampTrunc | exp.DateTrunc) else None
    return unit if unit in _UNITS else None


def _compared(moved: exp.Expr) -> tuple[exp.Expr, exp.Expr]:
    """The comparison that the time is one side of, and its other side."""
    parent = moved.parent
    if isinstance(parent, exp.Between) and parent.this is not moved:
        return parent, parent.this
    if isinstance(parent, _COMPARISONS):
        return parent, parent.expression if parent.this is moved else parent.this
    raise _UnclearError


def _earliest(comparison: exp.Expr, other: exp.Expr, offset: list[tuple[str, exp.Expr]]) -> str:
    """The smallest value to come of the other side, over everything that its FROM holds.

    Months are of different lengths: where they are counted from the other end, three days are taken off.
    """
    select = comparison.find_ancestor(exp.Select)
    if select is None or not select.args.get("from_"):
        raise _UnclearError
    value = f"({other.sql(dialect='duckdb')})"
    for sign, length in offset:
        value = f"({value} {sign} {length.sql(dialect='duckdb')})"
    source = _one_table(select, other) if _is_in_a_join(comparison, select) else _everything(select)
    parts = ", ".join(part.sql(dialect="duckdb") for part in _visible(select))
    margin = "".join(_MARGIN.format(length=length.sql(dialect="duckdb")) for _, length in offset)
    least = f"SELECT min({value}){margin} {source} WHERE {value} > $as_of"
    return f"WITH {parts} {least}" if parts else least


def _everything(select: exp.Select) -> str:
    sources = [select.args["from_"], *(select.args.get("joins") or ()), *(select.args.get("laterals") or ())]
    return " ".join(part.sql(dialect="duckdb") for part in sources)


def _one_table(select: exp.Select, other: exp.Expr) -> str:
    """The one table that the other side is read from: it holds what is to come, whatever it is joined with."""
    names = {column.table for column in other.find_all(exp.Column)}
    tables = [part.this for part in (select.args["from_"], *(select.args.get("joins") or ()))]
    found = [table for table in tables if isinstance(table, exp.Table) and {table.alias_or_name} == names]
    if len(found) != 1:
        raise _UnclearError
    return f"FROM {found[0].sql(dialect='duckdb')}"


def _is_in_a_join(node: exp.Expr, select: exp.Select) -> bool:
    """Whether the comparison chooses what is joined: then the FROM does not hold what is to come."""
    inner = [each for each in _ancestors(node) if any(above is select for above in _ancestors(each))]
    return any(isinstance(each, exp.Join) for each in inner)


def _visible(select: exp.Select) -> list[exp.Expr]:
    """The WITH parts that the SELECT can name, in order."""
    parts: list[exp.Expr] = []
    node: exp.Expr | None = select
    while node is not None:
        within = node.args.get("with_")
        if within is not None:
            before = []
            for part in within.expressions:
                if any(part is above for above in _ancestors(select)):
                    break
                before.append(part)
            parts = before + parts
        node = node.parent
    return parts


def _ancestors(node: exp.Expr) -> Iterable[exp.Expr]:
    parent = node.parent
    while parent is not None:
        yield parent
        parent = parent.parent


def _instants_of(relation: str) -> list[tuple[str, str]]:
    """Where time acts on a relation: when rows become known, and the times by which a derived one asks as_of()."""
    if table := BY_NAME.get(relation):
        return [(f"books.{relation}", table.known_at)] if table.known_at else []
    derivation = next((each for each in derived.derivations() if each.name == relation), None)
    if derivation is None or "as_of()" not in derivation.sql:
        return []
    found = [(relation, column) for column, kind in derived.RELATIONS[relation].items() if kind == "TIMESTAMP"]
    for name in derivation.inputs:
        if name in derived.RELATIONS:
            found += [(name, column) for column, kind in derived.RELATIONS[name].items() if kind == "TIMESTAMP"]
        elif name in BY_NAME:
            found += [(name, column.name) for column in BY_NAME[name].columns if column.kind is Kind.TS]
    lengths = sorted(set(_LENGTH.findall(derivation.sql)))
    return found + [(name, f"{column} + {length}") for name, column in found for length in lengths]
