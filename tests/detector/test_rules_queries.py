"""What a rule's query may not do, and how it says so."""

import pytest

from detector import vocabulary
from detector.query import MAX_CHARACTERS, inspect


def refusals(sql: str, parameters=("grace",)) -> list[str]:
    return [problem.message for problem in inspect(sql, vocabulary.known(), parameters).problems]


HOSTILE = {
    "a file as a table": ("SELECT * FROM 'x.csv'", "there is no relation 'x.csv'"),
    "a file without SELECT": ("FROM '/etc/passwd.parquet'", "there is no relation"),
    "a file by the name of a part elsewhere": (
        'SELECT * FROM (WITH "a.csv" AS (SELECT 1) SELECT * FROM "a.csv"), "a.csv"',
        "there is no relation 'a.csv'",
    ),
    "read_csv": ("SELECT * FROM read_csv('x')", "the table function read_csv() is not allowed"),
    "read_text in an expression": ("SELECT (SELECT content FROM read_text('x'))", "the table function read_text()"),
    "glob": ("SELECT * FROM glob('*')", "the table function glob() is not allowed"),
    "query": ("SELECT * FROM query('DROP TABLE invoices')", "the table function query() is not allowed"),
    "serialized query": ("SELECT json_execute_serialized_sql('x')", "json_execute_serialized_sql() is not allowed"),
    "endless rows": ("SELECT * FROM range(1000000000000)", "the table function range() is not allowed"),
    "endless list": ("SELECT unnest(range(1000000000000))", "the function range() is not allowed"),
    "a huge text": ("SELECT repeat('x', 1000000000)", "the function repeat() is not allowed"),
    "a wide number": ("SELECT printf('%999999999d', 1)", "may not fill up to a width of more than two digits"),
    "a width from the data": ("SELECT format('{:{}}', 1, total) FROM invoices", "may not fill up to a width"),
    "a format from the data": ("SELECT format(number, 1) FROM invoices", "needs its format written out"),
    "growing replacements": (
        f"SELECT replace(replace('x', 'x', '{'y' * 200}'), 'y', '{'z' * 200}')",
        "its replacements may make a text too long",
    ),
    "waiting": ("SELECT sleep_ms(100000)", "the function sleep_ms() is not allowed"),
    "recursion": (
        "WITH RECURSIVE a AS (SELECT 1 AS n UNION ALL SELECT n FROM a) SELECT n FROM a",
        "WITH RECURSIVE is not allowed, because it may never end",
    ),
    "environment": ("SELECT getenv('HOME')", "the function getenv() is not allowed"),
    "settings": ("SELECT current_setting('temp_directory')", "the function current_setting() is not allowed"),
    "settings table": ("SELECT * FROM duckdb_settings()", "the table function duckdb_settings() is not allowed"),
    "system tables": ("SELECT * FROM sqlite_master", "there is no relation 'sqlite_master'"),
    "information schema": ("SELECT * FROM information_schema.tables", "write the bare name of a documented relation"),
    "the lake behind the view": ("SELECT * FROM books.invoices", "write the bare name of a documented relation"),
    "another schema's function": ("SELECT system.main.getenv('x')", "getenv() is not allowed with a schema"),
    "COPY": ("COPY invoices TO 'x'", "only SELECT is allowed, because a rule can only read; this is COPY"),
    "ATTACH": ("ATTACH 'x'", "this is ATTACH"),
    "PRAGMA": ("PRAGMA database_list", "this is PRAGMA"),
    "INSTALL": ("INSTALL httpfs", "this is INSTALL"),
    "LOAD": ("LOAD httpfs", "this is LOAD"),
    "SET": ("SET memory_limit = '1TB'", "this is SET"),
    "CALL": ("CALL pragma_version()", "this is CALL"),
    "UPDATE": ("UPDATE invoices SET total = 0", "this is UPDATE"),
    "DELETE": ("DELETE FROM invoices", "this is DELETE"),
    "INSERT": ("INSERT INTO invoices SELECT * FROM invoices", "this is INSERT"),
    "CREATE": ("CREATE TABLE x AS SELECT 1", "this is CREATE"),
    "EXPLAIN": ("EXPLAIN ANALYZE SELECT 1", "this is EXPLAIN"),
    "SHOW": ("SHOW TABLES", "this is SHOW"),
    "PIVOT": ("PIVOT invoices ON status", "this is PIVOT"),
    "writing inside WITH": (
        "WITH x AS (DELETE FROM invoices RETURNING *) SELECT * FROM x",
        "only SELECT is allowed, because a rule can only read; this is DELETE",
    ),
    "two statements": ("SELECT 1; DROP TABLE invoices", "here are 2 statements"),
    "two selects": ("SELECT 1; SELECT 2", "one SELECT is allowed; here are 2 statements"),
    "the clock": ("SELECT now()", "now() is not allowed; use $as_of"),
    "the date": ("SELECT current_date FROM invoices", "current_date is not allowed; use $as_of"),
    "the user": ("SELECT current_user", "current_user is not allowed"),
    "chance": ("SELECT random() FROM invoices", "random() is not allowed, because two runs would differ"),
    "sampling": ("SELECT * FROM invoices USING SAMPLE 3", "sampling is not allowed"),
    "table sampling": ("SELECT * FROM invoices TABLESAMPLE 3%", "sampling and AT are not allowed"),
    "another snapshot": ("SELECT * FROM invoices AT (VERSION => 3)", "sampling and AT are not allowed"),
    "a part that hides a relation": ("WITH invoices AS (SELECT 1) SELECT * FROM invoices", "hides the relation"),
    "an unknown parameter": ("SELECT $garce FROM invoices", "$garce is not declared under params; did you mean grace?"),
    "a parameter without a name": ("SELECT ? FROM invoices", "$1 is not declared under params"),
    "an unknown relation": ("SELECT * FROM invoces", "there is no relation 'invoces'; did you mean invoices?"),
    "an unknown function": ("SELECT sume(total) FROM invoices", "sume() is not allowed; did you mean sum?"),
    "deep brackets": ("SELECT " + "(" * 500 + "1" + ")" * 500, "nested more than 40 deep"),
    "deep subqueries": ("SELECT * FROM " + "(SELECT * FROM " * 60 + "invoices" + ")" * 60, "nested more than 40 deep"),
    "deep CASE": ("SELECT " + "CASE WHEN TRUE THEN " * 500 + "1", "nested more than 40 deep"),
    "deep NOT": ("SELECT " + "NOT " * 2000 + "TRUE", "nested too deeply"),
    "deep minus": ("SELECT " + "- " * 2000 + "1", "nested too deeply"),
    "a long sum": ("SELECT " + "1+" * 2500 + "1", "DuckDB refuses the query: Max expression depth"),
    "a long query": ("SELECT '" + "x" * MAX_CHARACTERS + "'", "at most 30000 are allowed"),
    "many words": ("SELECT " + "1," * 5000 + "1", "at most 6000 are allowed"),
    "an open text": ("SELECT 'x", "the query cannot be read"),
    "nothing": ("  -- nothing\n", "the query is empty"),
    "half a query": ("SELECT 1 FROM invoices WHERE", "the query cannot be parsed at 'WHERE'"),
}


@pytest.mark.parametrize(("sql", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_refused_with_a_reason(sql, reason):
    found = refusals(sql)
    assert found
    assert any(reason in message for message in found), found


SOUND = {
    "parts, joins, windows": """
        WITH lines AS (
            SELECT *, row_number() OVER (PARTITION BY invoice_id ORDER BY line_id) AS place FROM invoice_lines
        )
        SELECT i.integration, i.invoice_id, sum(l.amount) FILTER (l.place > 1) AS rest
        FROM invoices AS i LEFT JOIN lines AS l USING (integration, invoice_id)
        WHERE i.created_at + $grace <= $as_of GROUP BY ALL HAVING count(*) > 1
        QUALIFY rank() OVER (ORDER BY i.invoice_id) < 9 LIMIT 5""",
    "lists and structs": "SELECT [x.total FOR x IN list(i) IF x.total > 0], {'a': 1}.a FROM invoices AS i",
    "rating": "SELECT rate(price, metered, NULL), price.exponent FROM three_way WHERE $grace IS NOT NULL",
    "a part within a part": "WITH a AS (WITH b AS (SELECT 1 AS x) SELECT x FROM b) SELECT x FROM a UNION SELECT 2",
    "thousands and blanks": "SELECT format('{:,}', 1000), replace(replace(number, ' ', '_'), '-', '') FROM invoices",
    "unnest": "SELECT unnest(line_ids) FROM three_way",
}


@pytest.mark.parametrize("sql", SOUND.values(), ids=SOUND)
def test_allowed(sql):
    assert refusals(sql) == []


def test_a_query_names_what_it_reads_and_needs():
    found = inspect(
        "SELECT $as_of FROM invoices JOIN (SELECT * FROM Three_Way) USING (customer_id)", vocabulary.known()
    )
    assert found.relations == {"invoices", "three_way"}
    assert found.parameters == {"as_of"}


def test_a_problem_has_its_place():
    (problem,) = inspect("SELECT -- üö\n  total,\n  bad_fn(total)\nFROM invoices", vocabulary.known()).problems
    assert (problem.line, problem.column) == (3, 3)
