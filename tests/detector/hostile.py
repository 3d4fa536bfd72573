"""Hostile rule files and queries from a seed: what somebody who wants to read, write, wait or break would try."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

RULES = Path(__file__).parents[2] / "rules"
SOUND = [path.read_text() for path in sorted(RULES.rglob("*.yaml")) if path.parent.name != "cases"]
TABLES = ("invoices", "invoice_lines", "usage_events", "three_way", "periods", "books.invoices", "sqlite_master")
FILES = ("{out}/secret.csv", "/etc/passwd", "{out}/*.csv", "https://example.com/x.parquet", "s3://bucket/x")
READERS = ("read_csv", "read_csv_auto", "read_text", "read_blob", "read_parquet", "read_json", "glob", "sniff_csv",
           "parquet_scan", "sqlite_scan", "postgres_scan", "query", "query_table", "duckdb_settings", "getenv",
           "pragma_database_list", "json_execute_serialized_sql", "load_extension", "current_setting")  # fmt: skip
STATEMENTS = (
    "COPY invoices TO '{out}/stolen.csv'", "COPY (SELECT 1) TO '{out}/stolen.parquet'", "ATTACH '{out}/new.db'",
    "EXPORT DATABASE '{out}'", "IMPORT DATABASE '{out}'", "INSTALL httpfs", "LOAD '{out}/x.duckdb_extension'",
    "SET enable_external_access = true", "RESET lock_configuration", "PRAGMA database_list", "CALL pragma_version()",
    "CREATE TABLE x AS SELECT 1", "CREATE OR REPLACE MACRO as_of() AS 1", "DROP VIEW invoices", "VACUUM", "CHECKPOINT",
    "DELETE FROM books.invoices", "UPDATE books.invoices SET total = 0", "INSERT INTO invoices VALUES (1)",
    "DETACH books",
    "USE books", "BEGIN", "EXPLAIN ANALYZE SELECT 1", "PREPARE p AS SELECT 1", "EXECUTE p", "SUMMARIZE invoices",
)  # fmt: skip
ENDLESS = ("count(*)", "sum(a.total)", "list(a.invoice_id)", "string_agg(a.invoice_id)", "max(hash(a.invoice_id))")


def hostile(chance: random.Random, out: Path) -> tuple[str, str]:
    """What it is, and the text of one rule file; `out` is a folder that nothing may touch."""
    kind = chance.choice(list(MAKERS))
    return kind, MAKERS[kind](chance, out)


HOST = """\
name: hostile_query
code: ACME-1
title: "{invoice_id} ({impact})"
why: Somebody wants something.
category: collection
severity: low
schedule: {every: PT60M}
query: |
%s
subject: invoice
cause: customer
period: null
impact: {exposure: x}
entities: [invoice]
playbook:
  root_cause:
    - {system: crm, change: Ask., outcome: Known.}
cases:
  - name: fires
    expect: [{cause: "customer:c", exposure: 1}]
  - name: quiet
    expect: quiet
"""


def _with_query(sql: str) -> str:
    """A sound rule around the query."""
    return HOST % "\n".join(f"  {line}" for line in sql.splitlines())


def _row(chance: random.Random, more: str) -> str:
    """A query that returns what most rules need, with something more in it."""
    needed = (
        "'b' AS integration, 'c' AS customer_id, 'i' AS invoice_id, 'l' AS line_id, 'p' AS price_id, 'USD' AS currency"
    )
    return f"SELECT {needed}, {more} AS x FROM {chance.choice(TABLES)} AS a"


def _reader(chance: random.Random, out: Path) -> str:
    file = chance.choice(FILES).format(out=out)
    call = f"{chance.choice(READERS)}('{file}')"
    forms = (f"SELECT * FROM {call}", f"SELECT {call}", _row(chance, f"(SELECT count(*) FROM {call})"),
             f"SELECT * FROM '{file}'", f"FROM '{file}'", f'WITH "{file}" AS (SELECT 1) SELECT * FROM "{file}"',
             f"SELECT * FROM invoices UNION ALL SELECT * FROM {call}")  # fmt: skip
    return _with_query(chance.choice(forms))


def _statement(chance: random.Random, out: Path) -> str:
    one = chance.choice(STATEMENTS).format(out=out)
    forms = (one, f"SELECT 1; {one}", f"WITH x AS ({one}) SELECT * FROM x", f"SELECT ({one})", f"/* */ {one} --",
             f"SELECT 1 /*; */ ; {one}")  # fmt: skip
    return _with_query(chance.choice(forms))


def _deep(chance: random.Random, out: Path) -> str:
    depth = chance.choice((30, 45, 300, 3000))
    forms = ("SELECT " + "(" * depth + "1" + ")" * depth, "SELECT " + "NOT " * depth + "TRUE",
             "SELECT * FROM " + "(SELECT * FROM " * depth + "invoices" + ")" * depth,
             "SELECT " + "[" * depth + "]" * depth, "SELECT " + "-" * depth + "1", "SELECT 1" + "+1" * depth,
             "SELECT " + "CASE WHEN TRUE THEN " * depth + "1" + " END" * depth,
             "WITH " + ", ".join(f"t{n} AS (SELECT 1 AS x)" for n in range(depth)) + " SELECT 1")  # fmt: skip
    return _with_query(chance.choice(forms))


def _recursive(chance: random.Random, out: Path) -> str:
    step = chance.choice(("n + 1", "n", "hash(n)"))
    word = chance.choice(("RECURSIVE", "recursive", "RECURSIVE /* no */"))
    return _with_query(f"WITH {word} a AS (SELECT 1 AS n UNION ALL SELECT {step} FROM a) SELECT n FROM a")


def _cross(chance: random.Random, out: Path) -> str:
    tables = ", ".join(f"invoice_lines AS t{n}" for n in range(chance.randint(5, 12)))
    spread = f"hash(a.invoice_id || t0.line_id || t4.line_id) % {chance.choice((2, 3, 11))} = 1"
    amount = f"CAST(length(CAST({chance.choice(ENDLESS)} AS VARCHAR)) AS DECIMAL(18, 4))"
    named = _row(chance, amount).partition(" FROM ")[0]
    return _with_query(f"{named} FROM invoices AS a, {tables} WHERE {spread} GROUP BY ALL")


def _huge(chance: random.Random, out: Path) -> str:
    size = chance.choice((300, 5_000, 50_000, 300_000))
    forms = (f"SELECT '{'x' * size}'", f"SELECT {'9' * size}", f"SELECT 1 AS {'c' * size}",
             f"SELECT * FROM invoices WHERE invoice_id IN ({','.join('1' for _ in range(size // 3))})",
             f"SELECT replace(replace(number, '0', '{'y' * (size // 9)}'), 'y', '{'z' * 200}') FROM invoices",
             f"SELECT printf('%{size}d', 1)", f"SELECT format('{{:>{size}}}', 1)", f"SELECT repeat('x', {size}000000)",
             f"SELECT unnest(range({size}00000))", f"SELECT 1e{size}", f"SELECT INTERVAL {size}000 YEAR")  # fmt: skip
    return _with_query(chance.choice(forms))


def _mutated(chance: random.Random, out: Path) -> str:
    """A sound rule with some bytes, words or lines changed."""
    text = chance.choice(SOUND)
    for _ in range(chance.randint(1, 6)):
        place = chance.randrange(len(text))
        text = chance.choice((
            lambda t, p: t[:p] + t[p + chance.randint(1, 30):],
            lambda t, p: t[:p] + chance.choice("{}[]()'\"|>&*!%@`\x00\ufeff\u202e,:-#$") + t[p:],
            lambda t, p: t[:p] + t[p:p + 200] + t[p:],
            lambda t, p: t.replace(chance.choice(("SELECT", "FROM", "JOIN", "WHERE", "GROUP BY")), "", 1),
            lambda t, p: t.replace(chance.choice(("invoice_id", "currency", "integration", "item_id")), "x", 1),
        ))(text, place)  # fmt: skip
    return text


def _yaml(chance: random.Random, out: Path) -> str:
    deep = chance.choice((15, 40, 2_000))
    return chance.choice(
        ("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "[" * deep + "]" * deep, "{a: " * deep + "1" + "}" * deep,
         f"!!python/object/apply:os.system ['touch {out}/touched']", "a: 1\n---\nb: 2\n", "- " * deep + "x",
         "x" * chance.choice((10, 300_000)), "", "\t", "name: [\n", "? a\n: b\n", "a: 1\na: 2\n", "\x00\x01\x02",
         "".join(chr(chance.randrange(32, 0x2FFF)) for _ in range(500)))
    )  # fmt: skip


MAKERS: dict[str, Callable[[random.Random, Path], str]] = {
    "a reader": _reader,
    "a statement": _statement,
    "deep": _deep,
    "recursive": _recursive,
    "a cross join": _cross,
    "huge": _huge,
    "mutated": _mutated,
    "yaml": _yaml,
}
