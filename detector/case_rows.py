"""The rows behind a case: the little company of rules/cases/company.yaml, with what the case says differently.

A row of a case that has the key of one of the company's rows changes that row, any other is added. Columns that are
left out come from the company's defaults for the table. `repeat: 30` with `every: P1D` writes a row that many times,
`{n}` in its texts counting from 1 and its instants moving on; `remove: true` takes the company's row away.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from billing.books import BY_NAME
from billing.model import DECIMAL_PLACES, Column, Kind, Table
from billing.money import is_currency
from billing.periods import add, parse_duration
from detector import rule_text, sources
from detector.rule_format import Case

Row = dict[str, Any]
Rows = dict[str, list[Row]]

TABLES = {**BY_NAME, **{name: sources.TOLD[told] for name, told in sources.RELATIONS.items()}}
"""What a case may give rows of: the tables of the books, and how its sources are doing."""

COMPANY = Path("cases") / "company.yaml"
"""Where the company stands, from the folder of the rules."""

MAX_REPEAT = 5_000
_DIRECTIVES = frozenset({"repeat", "every", "remove"})


class CaseProblem(ValueError):  # noqa: N818 (a mistake in a file, not in the program)
    """A row that a case cannot have: where in the file, and why."""

    def __init__(self, place: rule_text.Path, message: str) -> None:
        super().__init__(message)
        self.place = place


@dataclass(frozen=True)
class Company:
    """The shared company: typed rows by table, defaults by table, and the instant at which it is looked at."""

    as_of: datetime
    defaults: Mapping[str, Row]
    rows: Mapping[str, tuple[Row, ...]]

    @cached_property
    def books(self) -> Mapping[str, tuple[Row, ...]]:
        """Its rows of the books alone."""
        return {table: rows for table, rows in self.rows.items() if table in BY_NAME}


@lru_cache(maxsize=8)
def company(path: Path) -> Company:
    """The company of a file. Raises ValueError with file and line when it cannot be read."""
    content = rule_text.read(path.read_text(encoding="utf-8"))
    if content.problems:
        raise ValueError(f"{path}:{content.problems[0].line}: {content.problems[0].message}")
    try:
        defaults = {name: dict(row) for name, row in content.values["defaults"].items()}
        rows = {
            table: tuple(
                _complete(table, row, defaults, ("rows", table, index)) for index, row in _expanded(table, given)
            )
            for table, given in content.values["rows"].items()
        }
    except CaseProblem as problem:
        raise ValueError(f"{path}:{content.line(problem.place)}: {problem}") from None
    return Company(_instant(content.values["as_of"]), defaults, rows)


def beside(rule_path: Path) -> Company:
    """The company for a rule file: of the nearest folder above it that has one, else Trueup's own."""
    own = Path(__file__).parent.parent / "rules"
    for folder in (*rule_path.absolute().parents, own):
        if (folder / COMPANY).is_file():
            return company(folder / COMPANY)
    raise FileNotFoundError(f"there is no {COMPANY} beside {rule_path}")


def rows(case: Case, base: Company) -> Rows:
    """Every row of the books as the case has them, typed. Raises CaseProblem."""
    merged = {table: {_key(table, row): row for row in given} for table, given in base.rows.items()}
    for table, given in case.given.items():
        held = merged.setdefault(table, {})
        for index, row in _expanded(table, given):
            _put(held, table, row, base, ("given", table, index))
    return {table: list(held.values()) for table, held in merged.items()}


def problems(cases: Iterable[Case]) -> Iterator[tuple[rule_text.Path, str]]:
    """What is wrong with the rows of cases by themselves: unknown tables and columns, values that do not parse."""
    for number, case in enumerate(cases):
        for table, given in case.given.items():
            if table not in TABLES:
                yield (number, "given", table), f"{table} is not a table of the books"
                continue
            for index, row in enumerate(given):
                yield from _row_problems(table, row, (number, "given", table, index))


def _row_problems(table: str, row: Row, place: rule_text.Path) -> Iterator[tuple[rule_text.Path, str]]:
    for name, value in row.items():
        try:
            _typed(table, name, value, (*place, name))
        except CaseProblem as problem:
            yield problem.place, str(problem)


def _put(held: dict[tuple[Any, ...], Row], table: str, row: Row, base: Company, place: rule_text.Path) -> None:
    typed = {name: _typed(table, name, value, (*place, name)) for name, value in row.items()}
    removed = typed.pop("remove", False)
    defaults = base.defaults.get(table, {})
    usual = {name: _typed(table, name, defaults[name], place) for name in TABLES[table].primary_key if name in defaults}
    key = _key(table, usual | typed)
    if removed and key not in held:
        raise CaseProblem(place, f"the company has no such row of {table} to remove")
    if removed:
        del held[key]
    elif key in held:
        held[key] = {**held[key], **typed}
    else:
        held[key] = _complete(table, row, base.defaults, place)


def _key(table: str, row: Row) -> tuple[Any, ...]:
    return tuple(row.get(column) for column in TABLES[table].primary_key)


def _expanded(table: str, given: Iterable[Row]) -> Iterator[tuple[int, Row]]:
    """The rows with `repeat` written out, each with its place in the file."""
    for index, row in enumerate(given):
        times = row.get("repeat", 1)
        if not isinstance(times, int) or not 1 <= times <= MAX_REPEAT:
            raise CaseProblem(("given", table, index), f"repeat has to be a number from 1 to {MAX_REPEAT}")
        plain = {name: value for name, value in row.items() if name not in ("repeat", "every")}
        for count in range(times):
            yield index, _repeated(table, plain, str(row.get("every", "PT1S")), count) if "repeat" in row else plain


def _repeated(table: str, row: Row, every: str, count: int) -> Row:
    def moved(name: str, value: Any) -> Any:
        """The value so many periods later: instants move, texts count on."""
        column = TABLES[table].by_name.get(name)
        if column and column.kind is Kind.TS and isinstance(value, str):
            return add(_instant(value), parse_duration(every), "UTC", count)
        return value.replace("{n}", str(count + 1)) if isinstance(value, str) else value

    return {name: moved(name, value) for name, value in row.items()}


def _complete(table: str, row: Row, defaults: Mapping[str, Row], place: rule_text.Path) -> Row:
    """A new row with the table's defaults, and zero, false or the first of the choices where a value is required."""
    description = TABLES[table]
    full = {**defaults.get(table, {}), **row}
    typed = {name: _typed(table, name, value, (*place, name)) for name, value in full.items()}
    for column in description.columns:
        if not column.optional and typed.get(column.name) is None:
            typed[column.name] = _plainest(description, column, place)
    return typed


def _plainest(table: Table, column: Column, place: rule_text.Path) -> Any:
    if column.kind in DECIMAL_PLACES:
        return Decimal(0)
    if column.kind in (Kind.BOOL, Kind.ENUM):
        return False if column.kind is Kind.BOOL else column.values[0]
    raise CaseProblem(place, f"a new row of {table.name} needs {column.name}")


def _typed(table: str, name: str, value: Any, place: rule_text.Path) -> Any:
    """A value of the file as the Python value of its column. Raises CaseProblem."""
    if name in _DIRECTIVES:
        return value
    column = TABLES[table].by_name.get(name)
    if column is None:
        raise CaseProblem(place, f"{table} has no column {name}")
    if value is None:
        return None
    try:
        return _value(column, value)
    except (ValueError, TypeError, ArithmeticError):
        raise CaseProblem(place, f"{table}.{name}: {value!r} is not {_wanted(column)}") from None


def _value(column: Column, value: Any) -> Any:
    if column.kind is Kind.TS:
        return _instant(value)
    if column.kind in DECIMAL_PLACES:
        return _decimal(value)
    if column.kind is Kind.JSON:
        return value if isinstance(value, str) else json.dumps(value, default=str, sort_keys=True)
    if column.kind in (Kind.BOOL, Kind.INT):
        return _exactly(value, bool if column.kind is Kind.BOOL else int)
    if column.kind is Kind.ENUM and value not in column.values:
        raise ValueError
    if column.kind is Kind.CURRENCY and not is_currency(value):
        raise ValueError
    return str(value)


def _exactly(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError
    return value


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool):
        raise TypeError
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError
    return number


def _instant(value: Any) -> datetime:
    instant = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return instant.replace(tzinfo=instant.tzinfo or UTC).astimezone(UTC)


def _wanted(column: Column) -> str:
    if column.kind is Kind.ENUM:
        return "one of " + ", ".join(column.values)
    return {Kind.TS: "an instant such as 2026-10-01T00:00:00Z", Kind.CURRENCY: "an ISO 4217 currency"}.get(
        column.kind, f"of kind {column.kind}"
    )
