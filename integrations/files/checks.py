"""How a value of a file becomes a value of the books, as SQL: the value, and every way in which it can be wrong.

The same description of the books (billing.books) that makes the tables decides here what parses. Nothing is
rounded: an amount with more places than its column has is a fault. A binary double is taken as the shortest decimal
that reads back as it, and only up to 15 digits, which every double holds exactly as written; beyond, it is a fault.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from zoneinfo import available_timezones

from billing.model import DECIMAL_PLACES, Column, Kind
from billing.money import MINOR_DIGITS

DEFAULT_INTEGRATION = "files"
"""What the books say about the source of a row that names none."""

TEXT = "VARCHAR"
"""The form of everything that csv and jsonl hold."""

_DATE_TIME = r"\d{4}-\d{2}-\d{2}[T ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?"
_OFFSET = r"(Z|[+-]([01]\d|2[0-3]):[0-5]\d)"
_DURATION = r"P(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(\d+H)?(\d+M)?(\d+S)?)?"
_THOUSAND_YEARS = 12_000 * 2_629_746  # as billing.periods has it: what lies beyond is a slip
_WHOLE_FORMS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?")
_DECIMAL_FORM = re.compile(r"DECIMAL\((\d+),(\d+)\)")
_TEXT_KINDS = frozenset({Kind.ID, Kind.TEXT, Kind.ENUM, Kind.CURRENCY, Kind.DURATION, Kind.JSON})
_INT = (19, 0)


@dataclass(frozen=True)
class Fault:
    """A condition under which a value is refused (never null-safe: null means no fault), and the reason, as SQL."""

    when: str
    reason: str


@dataclass(frozen=True)
class Checked:
    """One column read from a file.

    `raw` is its name in the file's relation, `value` the SQL of its value in the books' type; `parse`, where the value
    takes work, is what has to be put at hand under the name `value` once per row (see Reading). `quick`, where it is
    given, tells the refused values from the others at less cost than asking for every fault.
    """

    column: Column
    raw: str
    value: str
    faults: tuple[Fault, ...]
    parse: str | None = None
    quick: str | None = None

    @property
    def bad(self) -> str:
        """True where the value is refused, otherwise false or null."""
        return self.quick or " OR ".join(f"({fault.when})" for fault in self.faults) or "false"

    @property
    def reason(self) -> str:
        """Why the value is refused; null where it is not."""
        cases = " ".join(f"WHEN {fault.when} THEN {fault.reason}" for fault in self.faults)
        return f"CASE {cases} END" if cases else "NULL"


@dataclass(frozen=True)
class _Parsed:
    """What a kind of value makes of a column, before the rules that every column shares."""

    value: str
    faults: tuple[Fault, ...] = ()
    parse: str | None = None
    quick: str | None = None


def checked(column: Column, form: str) -> Checked:
    """How a column that a file holds as DuckDB type `form` is read."""
    raw = quoted(column.name)
    given = raw if form != TEXT or not column.optional else f"nullif({raw}, '')"
    read = _read(column, given, form, quoted(f"parsed {column.name}"))
    faults, quick = read.faults, read.quick
    if not column.optional:
        missing = f"{raw} IS NULL" + (f" OR {raw} = ''" if form == TEXT else "")
        faults = (Fault(missing, literal("is missing: the column may not be empty")), *faults)
        quick = f"{missing} OR {quick}" if quick else None
    default = f"coalesce({read.value}, {literal(DEFAULT_INTEGRATION)})"
    value = default if column.name == "integration" else read.value
    return Checked(column, raw, value, faults, read.parse, quick)


def sql_type(kind: Kind) -> str:
    """The DuckDB type in which the books take a kind of value."""
    if kind in DECIMAL_PLACES:
        return "DECIMAL({},{})".format(*DECIMAL_PLACES[kind])
    return {Kind.TS: "TIMESTAMP", Kind.INT: "BIGINT", Kind.BOOL: "BOOLEAN"}.get(kind, TEXT)


def _read(column: Column, given: str, form: str, parsed: str) -> _Parsed:
    kind = column.kind
    if kind is Kind.TS:
        return _instant(given, form, parsed)
    if kind in DECIMAL_PLACES or kind is Kind.INT:
        return _number(given, form, kind, parsed)
    if kind is Kind.BOOL:
        return _truth(given, form)
    if form == TEXT:
        return _Parsed(given, _text_faults(column, given))
    if kind in (Kind.ID, Kind.TEXT) and (_WHOLE_FORMS.fullmatch(form) or form == "UUID"):
        return _Parsed(f"{given}::VARCHAR")
    return _refused(given, form, kind, "text")


def _text_faults(column: Column, given: str) -> tuple[Fault, ...]:
    if column.kind is Kind.ENUM:
        return (Fault(f"{given} NOT IN ({_list(column.values)})", literal(f"is none of {', '.join(column.values)}")),)
    if column.kind is Kind.CURRENCY:
        reason = "is not an ISO 4217 currency in upper case, such as USD, EUR or JPY"
        return (Fault(f"{given} NOT IN ({_list(MINOR_DIGITS)})", literal(reason)),)
    if column.kind is Kind.DURATION:
        malformed = f"NOT regexp_full_match({given}, '{_DURATION}') OR suffix({given}, 'T')"
        beyond = f"NOT {_seconds(given)} BETWEEN 1 AND {_THOUSAND_YEARS}"
        reason = literal("is no ISO 8601 duration such as P1M, P1Y or P7D")
        return (Fault(f"{given} IS NOT NULL AND ({malformed} OR {beyond})", reason),)
    if column.kind is Kind.JSON:
        return (Fault(_no_json(given), literal("is not JSON text (RFC 8259)")),)
    if column.name == "timezone":
        zones = _list(sorted(available_timezones()))
        return (Fault(f"{given} NOT IN ({zones})", literal("is no IANA timezone such as Europe/Berlin")),)
    return ()


def _seconds(duration: str) -> str:
    """About how long a well-formed duration is; doubles serve, since only nothing and far too much are told by it."""
    date, time = f"split_part({duration}, 'T', 1)", f"split_part({duration}, 'T', 2)"
    parts = [(date, "Y", 31_556_952), (date, "M", 2_629_746), (date, "W", 604_800), (date, "D", 86_400)]
    parts += [(time, "H", 3600), (time, "M", 60), (time, "S", 1)]
    counted = (
        f"coalesce(TRY_CAST(regexp_extract({of}, '(\\d+){unit}', 1) AS DOUBLE), 0) * {s}" for of, unit, s in parts
    )
    return f"({' + '.join(counted)})"


def _no_json(given: str) -> str:
    """DuckDB's own check lets trailing commas, NaN and Infinity pass; outside strings they are not JSON."""
    outside = rf"""regexp_replace({given}, '"(?:[^"\\]|\\.)*"', '""', 'g')"""
    lax = r"(?i),\s*[}\]]|nan|inf"
    return (
        f"NOT json_valid({given}) OR CASE WHEN regexp_matches({given}, '{lax}') "
        f"THEN regexp_matches({outside}, '{lax}') ELSE false END"
    )


def _instant(given: str, form: str, parsed: str) -> _Parsed:
    if form == TEXT:
        return _instant_text(given, parsed)
    if form.startswith("TIMESTAMP"):
        value = f"CAST({given} AS TIMESTAMP)"  # the session's timezone is UTC; finer than microseconds is cut off
        return _Parsed(value, (Fault(_out_of_calendar(value), literal("lies outside of the years 1 to 9999")),))
    return _refused(given, form, Kind.TS, "a timestamp or RFC 3339 text")


def _instant_text(given: str, parsed: str) -> _Parsed:
    with_offset = f"CAST(TRY_CAST({given} AS TIMESTAMPTZ) AS TIMESTAMP)"
    parse = f"CASE WHEN suffix({given}, 'Z') THEN TRY_CAST({given} AS TIMESTAMP) ELSE {with_offset} END"
    naive = f"regexp_full_match({given}, '{_DATE_TIME}')"
    malformed = (
        f"CASE WHEN {naive} THEN {literal('has no offset: write Z for UTC, or one such as +02:00, after the time')} "
        f"ELSE {literal('is no RFC 3339 instant such as 2026-01-31T12:00:00Z')} END"
    )
    nowhere = f"{given} IS NOT NULL AND ({parsed} IS NULL OR {_out_of_calendar(parsed)})"
    faults = (
        Fault(f"NOT regexp_full_match({given}, '{_DATE_TIME}{_OFFSET}')", malformed),
        Fault(nowhere, literal("is a date or time that the calendar does not have")),
    )
    return _Parsed(parsed, faults, parse)


def _out_of_calendar(value: str) -> str:
    return f"{value} < TIMESTAMP '0001-01-01' OR {value} >= TIMESTAMP '10000-01-01'"


def _truth(given: str, form: str) -> _Parsed:
    if form == "BOOLEAN":
        return _Parsed(given)
    if form == TEXT:
        wrong = Fault(f"lower({given}) NOT IN ('true', 'false')", literal("is neither true nor false"))
        return _Parsed(f"lower({given}) = 'true'", (wrong,))
    return _refused(given, form, Kind.BOOL, "true or false")


def _number(given: str, form: str, kind: Kind, parsed: str) -> _Parsed:
    if form == TEXT:
        return _number_text(given, kind, parsed)
    if form == "DOUBLE":
        return _double(f"CAST({given} AS VARCHAR)", kind, parsed)
    decimal = _DECIMAL_FORM.fullmatch(form)
    if not decimal and not _WHOLE_FORMS.fullmatch(form):
        return _refused(given, form, kind, "a number")
    digits, places = DECIMAL_PLACES.get(kind, _INT)
    if decimal and int(decimal[2]) <= places and int(decimal[1]) - int(decimal[2]) <= digits - places:
        return _Parsed(f"CAST({given} AS {sql_type(kind)})")
    too_fine = Fault(f"{given} <> round({given}, {places})", _too_fine(places))
    too_large = Fault(f"{given} IS NOT NULL AND {parsed} IS NULL", _too_large(digits - places))
    faults = (too_fine, too_large) if decimal and int(decimal[2]) > places else (too_large,)
    return _Parsed(parsed, faults, f"TRY_CAST({given} AS {sql_type(kind)})")


def _double(text: str, kind: Kind, parsed: str) -> _Parsed:
    read = _number_text(text, kind, parsed)
    mantissa = f"ltrim(regexp_replace(split_part({text}, 'e', 1), '[+.-]', '', 'g'), '0')"
    inexact = f"length(rtrim({mantissa}, '0')) > 15"
    why = literal("is a double with more digits than a double holds exactly: store decimals")
    return _Parsed(parsed, (Fault(inexact, why), *read.faults), read.parse)


def _number_text(given: str, kind: Kind, parsed: str) -> _Parsed:
    """Digits, a point, digits; an exponent too. Reading 18 digits first is a hundred times faster than 27 at once."""
    digits, places = DECIMAL_PLACES.get(kind, _INT)
    wide = f"TRY_CAST({given} AS DECIMAL({digits},{places}))"
    parse = f"coalesce(TRY_CAST({given} AS DECIMAL(18,{places}))::DECIMAL({digits},{places}), {wide})"
    if kind is Kind.INT:
        parse = f"TRY_CAST({parse} AS BIGINT)"
    fraction = rf"(\.\d{{1,{places}}}0*)?" if places else r"(\.0+)?"
    plain = f"regexp_full_match({given}, '[+-]?\\d+{fraction}')"
    faults = (
        Fault(f"NOT {plain} AND NOT {_scientific(given)}", literal("is not a number")),
        Fault(f"NOT {plain} AND {_places(given)} > {places}", _too_fine(places)),
        Fault(f"{given} IS NOT NULL AND {parsed} IS NULL", _too_large(digits - places)),
    )
    every = " OR ".join(f"({fault.when})" for fault in faults)
    return _Parsed(parsed, faults, parse, f"CASE WHEN {plain} THEN {parsed} IS NULL ELSE {every} END")


def _scientific(given: str) -> str:
    return rf"regexp_full_match({given}, '[+-]?\d+(\.\d+)?([eE][+-]?\d{{1,3}})?')"


def _places(given: str) -> str:
    """How many places a number in text has, exponent considered; of 1200 it is -2, of zero nothing."""
    digits = f"regexp_replace({given}, '[eE].*|[+-]', '', 'g')"
    fraction = f"split_part({digits}, '.', 2)"
    zeros = f"(length(replace({digits}, '.', '')) - length(rtrim(replace({digits}, '.', ''), '0')))"
    exponent = f"coalesce(TRY_CAST(regexp_extract({given}, '[eE](.*)', 1) AS INTEGER), 0)"
    return f"CASE WHEN regexp_matches({digits}, '[1-9]') THEN length({fraction}) - {zeros} - {exponent} END"


def _too_fine(places: int) -> str:
    allowed = f"more than {places} decimal places" if places else "a fraction"
    return literal(f"has {allowed}; nothing is rounded on import")


def _too_large(whole_digits: int) -> str:
    return literal(f"has more than {whole_digits} digits before the decimal point")


def _refused(given: str, form: str, kind: Kind, wanted: str) -> _Parsed:
    reason = literal(f"is of type {form}, but the column needs {wanted}")
    return _Parsed(f"NULL::{sql_type(kind)}", (Fault(f"{given} IS NOT NULL", reason),))


def _list(values: object) -> str:
    assert isinstance(values, dict | list | tuple)
    return ", ".join(literal(value) for value in values)


def literal(value: str) -> str:
    """A string as a SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def quoted(identifier: str) -> str:
    """An identifier, quoted for SQL."""
    return '"' + identifier.replace('"', '""') + '"'
