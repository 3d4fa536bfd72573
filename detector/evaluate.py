"""Runs a rule's query on a connection that has the derived relations, and turns its rows into findings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from detector import query
from detector.findings import UNITS, Entity, Finding, Reference, Role
from detector.limits import Watch, watched
from detector.parameters import ParameterError, bind, settle
from detector.records import Descriptions, describe
from detector.rule_format import EntityColumns, Subject
from detector.rule_text import read
from detector.rules import Rule

MAX_ROWS = 50_000
"""A rule that finds more than this is broken or far too eager; it fails instead of flooding the inbox."""

Row = Mapping[str, Any]


class RuleFailed(RuntimeError):  # noqa: N818 (named for what happened)
    """A rule could not be evaluated: which one, where in its file, and why. Nothing of it was kept."""

    def __init__(self, rule: str, path: Path, line: int, reason: str) -> None:
        super().__init__(f"rule {rule} failed at {path}:{line}: {reason}")
        self.rule = rule
        self.path = path
        self.line = line
        self.reason = reason


def evaluate(
    con: duckdb.DuckDBPyConnection,
    rule: Rule,
    as_of: datetime,
    params: Mapping[str, object] | None = None,
    *,
    max_rows: int = MAX_ROWS,
    limit: timedelta | None = None,
    watch: Watch | None = None,
) -> list[Finding]:
    """The findings of `rule` on the books that `con` sees, ordered by subject and period.

    `derived.build` has run on `con` for at least the relations that the rule reads. `as_of` is aware;
    `params` replaces defaults. `limit` stops it by a watch of its own, `watch` is one that somebody keeps already.
    Raises RuleFailed, never anything of DuckDB's own.
    """
    if limit is not None:
        with watched(con, limit) as own:
            return evaluate(con, rule, as_of, params, max_rows=max_rows, watch=own)
    rows = _rows(con, rule, bound(rule, as_of, params or {}), max_rows, watch)
    drafts = [_Draft(rule, row) for row in rows]
    try:
        known = describe(con, (record for draft in drafts for record in draft.records()))
    except duckdb.Error as error:
        raise _failed(rule, f"its records cannot be looked up: {error}") from error
    findings = [draft.finding(known) for draft in drafts]
    return sorted(findings, key=lambda finding: (str(finding.subject), str(finding.period_start), finding.title))


def bound(rule: Rule, as_of: datetime, params: Mapping[str, object]) -> dict[str, object]:
    """The values of `$as_of` and the parameters that the rule's query uses. Raises RuleFailed."""
    try:
        values = bind(settle(rule.params, params))
    except ParameterError as error:
        raise _failed(rule, str(error)) from None
    values[query.AS_OF] = as_of.astimezone(UTC).replace(tzinfo=None)
    return {name: value for name, value in values.items() if name in rule.uses}


def _rows(
    con: duckdb.DuckDBPyConnection, rule: Rule, values: dict[str, object], limit: int, watch: Watch | None
) -> list[dict[str, Any]]:
    try:
        result = con.execute(rule.query, values)
        names = [column[0] for column in result.description]
        rows = result.fetchmany(limit + 1)
    except duckdb.Error as error:
        if watch is not None and watch.why:
            raise _failed(rule, f"{watch.why}; narrow the query, or let it start from a derived relation") from error
        if isinstance(error, duckdb.OutOfMemoryException):
            raise _failed(rule, "it needs more memory than a rule may take; narrow the query") from error
        said = str(error).partition("\n\nLINE")[0].strip()
        raise _failed(rule, said, *query.position(str(error))) from error
    if len(rows) > limit:
        raise _failed(rule, f"it returned more than {limit} rows; narrow the query or raise a threshold")
    return [dict(zip(names, map(_aware, row), strict=True)) for row in rows]


def _failed(rule: Rule, reason: str, line: int | None = None, column: int | None = None) -> RuleFailed:
    """The failure at its line of the rule's text; the text is read again for that only here."""
    place = read(rule.text).position(("query",), line, column)[0]
    return RuleFailed(rule.name, rule.path, place, reason)


def _aware(value: Any) -> Any:
    """Instants of a row, also inside lists and structs, as aware UTC."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC)
    if isinstance(value, dict):
        return {key: _aware(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_aware(part) for part in value]
    return value


class _Draft:
    """One row on its way to a finding: its records are known before they are described."""

    def __init__(self, rule: Rule, row: dict[str, Any]) -> None:
        self.rule = rule
        self.row = row
        self.subject = _reference(rule, rule.subject, row)
        self.cause = _reference(rule, rule.cause, row)
        self.stated = list(_distinct(self._entities()))

    def records(self) -> Iterator[Reference]:
        """Every record of the finding: subject and cause, and what the rule lists."""
        yield self.subject
        yield self.cause
        yield from (entity.reference for entity in self.stated)

    def finding(self, known: Descriptions) -> Finding:
        """The row as a finding, with what the books know of its records."""
        columns, row = self.rule.impact, self.row
        difference = _money(row, columns.difference)
        under = _money(row, columns.under) + max(difference, Decimal(0))
        over = _money(row, columns.over) + max(-difference, Decimal(0))
        exposure = _money(row, columns.exposure)
        currency = row[columns.currency]
        start, end = self._period()
        return Finding(
            rule=self.rule.name,
            rule_hash=self.rule.content_hash,
            subject=self.subject,
            integration=str(row["integration"]),
            cause=self.cause,
            group="|".join(str(row[column]) for column in self.rule.group),
            period_start=start,
            period_end=end,
            currency=currency,
            under=under,
            over=over,
            exposure=exposure,
            title=_title(self.rule.title, row, _impact(under + over + exposure, currency)),
            entities=tuple(_described(entity, known, str(row["integration"])) for entity in self.stated),
            evidence={name: value for name, value in row.items() if not isinstance(value, list | dict)},
        )

    def _period(self) -> tuple[datetime | None, datetime | None]:
        columns = self.rule.period
        return (self.row[columns.start], self.row[columns.end]) if columns else (None, None)

    def _entities(self) -> Iterator[Entity]:
        """Subject first, then the rule's list in its order, then the cause if it was not among them."""
        listed = [entity for columns in self.rule.entities for entity in _listed(columns, self.row)]
        yield from (entity for entity in listed if entity.reference == self.subject)
        yield from listed
        customer = self.row.get("customer_id")
        yield Entity(self.subject.type, self.subject.id, Role.AFFECTED, customer)
        yield Entity(self.cause.type, self.cause.id, Role.CAUSE, customer)

    def __repr__(self) -> str:
        return f"{self.rule.name}: {self.subject}"


def _distinct(entities: Iterable[Entity]) -> Iterator[Entity]:
    seen = set()
    for entity in entities:
        if entity.reference not in seen:
            seen.add(entity.reference)
            yield entity


def _reference(rule: Rule, subject: Subject, row: Row) -> Reference:
    if row[subject.id] is None:
        raise _failed(rule, f"a row has no {subject.id}, which names its {subject.type}")
    return Reference(subject.type, str(row[subject.id]))


def _listed(columns: EntityColumns, row: Row) -> Iterator[Entity]:
    """The entities of one entry: one, one per id of a list, or one per struct of `each`; none where the id is null."""
    for part in [row] if columns.each is None else (row[columns.each] or []):
        ids = part[columns.id]
        for id_ in ids if isinstance(ids, list) else [ids]:
            if id_ is not None:
                yield _entity(columns, str(id_), part, row)


def _entity(columns: EntityColumns, id_: str, part: Row, row: Row) -> Entity:
    def value(column: str | None) -> Any:
        """What the part says under the column, else what the whole row says."""
        return part.get(column, row.get(column)) if column else None

    return Entity(
        type=columns.type,
        id=id_,
        role=columns.role,
        customer_id=value("customer_id"),
        name=value(columns.name),
        target_date=value(columns.target_date),
        execution_date=value(columns.execution_date),
        status=value(columns.status),
        expected=value(columns.expected),
        actual=value(columns.actual),
        unit=UNITS if columns.unit == UNITS else value(columns.unit),
    )


def _described(entity: Entity, known: Descriptions, integration: str) -> Entity:
    """The entity with what the rule left out taken from the books."""
    found = known.of(entity.reference, integration)
    return Entity(
        type=entity.type,
        id=entity.id,
        role=entity.role,
        customer_id=found.customer_id or entity.customer_id,
        name=entity.name or found.name,
        target_date=entity.target_date or found.target_date,
        execution_date=entity.execution_date or found.execution_date,
        status=entity.status or found.status,
        expected=entity.expected,
        actual=entity.actual,
        unit=entity.unit,
    )


def _money(row: Row, column: str | None) -> Decimal:
    value = row[column] if column else None
    return Decimal(0) if value is None else Decimal(value)


def _impact(amount: Decimal, currency: str | None) -> str:
    return f"{currency or ''} {amount.normalize():,f}".strip()


_COUNTED = re.compile(r"([\d,.]+) ([a-z]+)\(s\)")
"""`3 day(s)` in a title, which is told as `3 days`."""


def _title(template: str, row: Row, impact: str) -> str:
    title = template.format_map({name: _shown(value) for name, value in row.items()} | {"impact": impact})
    return _COUNTED.sub(lambda found: f"{found[1]} {found[2]}{'' if found[1] == '1' else 's'}", title)


def _shown(value: Any) -> str:
    """A value as a title shows it: days without the time, numbers without trailing zeros."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d}"
    if isinstance(value, Decimal):
        return f"{value.normalize():,f}"
    return "?" if value is None else str(value)
