"""What is peculiar to csv, jsonl and parquet is read as it was meant, or told."""

from __future__ import annotations

import json
import os
from decimal import Decimal, localcontext
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.books import BY_NAME
from billing.model import Column, Kind
from billing.periods import BadDurationError, parse_duration
from integrations import files
from integrations.files.checks import checked
from integrations.files.formats import TableFile, csv_rows
from integrations.files.lines import csv_records

HEADER = "meter_id,name,event_type,aggregation,unit\n"


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def meters(con: duckdb.DuckDBPyConnection, folder: Path, content: bytes | str, extension: str = "csv") -> files.Staged:
    raw = content if isinstance(content, bytes) else content.encode()
    (folder / f"meters.{extension}").write_bytes(raw)
    return files.read(folder, con)


def told(staged: files.Staged) -> list[str]:
    return [str(problem).removeprefix("meters.") for problem in staged.problems]


def names(con: duckdb.DuckDBPyConnection, staged: files.Staged) -> list[str]:
    return [row[0] for row in con.execute(f"SELECT name FROM {staged.tables['meters']} ORDER BY meter_id").fetchall()]


def test_csv_with_byte_order_mark_quotes_line_breaks_and_windows_line_ends(
    tmp_path: Path, con: duckdb.DuckDBPyConnection
) -> None:
    content = "\ufeff" + HEADER + '1,"two\nlines",t,sum,\n\n2,"a ""b"", c",t,sum,""\n3,é😀,t,sum,u\n'
    staged = meters(con, tmp_path, content.replace("\n", "\r\n"))
    assert told(staged) == []
    assert names(con, staged) == ["two\r\nlines", 'a "b", c', "é😀"]


def test_csv_lines_are_counted_as_an_editor_counts_them(tmp_path: Path, con: duckdb.DuckDBPyConnection) -> None:
    rows = (
        '1,"two\nlines",t,sum,|'
        + '|2,b,t,median,|3,c|4,d,t,sum,,,x|5,e"f,t,sum,|6,"g"h,t,sum,|8, "i",t,sum,|7,"open,t|8,i|'
    )
    content = HEADER + rows.replace("|", "\n")
    staged = meters(con, tmp_path, content)
    assert told(staged) == [
        "csv, line 5, column aggregation: 'median' is none of sum, count, unique_count, max, min, avg, latest",
        "csv, line 6: has 2 fields, but the header names 5",
        "csv, line 7: has 7 fields, but the header names 5",
        "csv, line 9: is no csv: ',' expected after '\"'",
        "csv, line 10, column name: ' \"i\"' has a space before its quote",
        "csv, line 11: a quote opens here and is never closed",
    ]
    assert names(con, staged) == ["two\nlines", 'e"f']
    assert (staged.rows["meters"], staged.good["meters"], staged.bad["meters"]) == (8, 2, 6)


def test_csv_that_is_not_utf8_is_told_by_line_and_column(tmp_path: Path, con: duckdb.DuckDBPyConnection) -> None:
    content = HEADER.encode() + b"1,caf\xe9,t,sum,\n2,ok,t,sum,\n"
    assert told(meters(con, tmp_path, content)) == ["csv, line 2, column name: 'caf\ufffd' is not UTF-8"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "csv: is empty: the first line must name the columns"),
        (b"meter_id,meter_id\n", "csv: names the column 'meter_id' twice in its first line"),
        (b"caf\xe9,b\n", "csv: has a first line that is no csv header in UTF-8: it names a column 'caf\\udce9'"),
        (b"meter_id,,name\n", "csv: has a first line that is no csv header in UTF-8: it names a column ''"),
    ],
)
def test_csv_without_a_proper_header_is_refused(
    content: bytes, reason: str, tmp_path: Path, con: duckdb.DuckDBPyConnection
) -> None:
    assert told(meters(con, tmp_path, content)) == [reason]


def test_very_long_lines_are_read(tmp_path: Path, con: duckdb.DuckDBPyConnection) -> None:
    long = "x" * 3_000_000
    assert names(con, meters(con, tmp_path, f"{HEADER}1,{long},t,sum,\n2,b,t,sum,\n")) == [long, "b"]
    (tmp_path / "meters.csv").unlink()
    line = json.dumps({"meter_id": "1", "name": long, "event_type": "t", "aggregation": "sum"})
    assert names(con, meters(con, tmp_path, line, "jsonl")) == [long]


def test_a_quote_left_open_never_hides_rows_even_on_one_thread(tmp_path: Path, con: duckdb.DuckDBPyConnection) -> None:
    con.execute("SET threads = 1")
    staged = meters(con, tmp_path, HEADER + '1,a,t,sum,\n2,"b,t,sum,\n')
    assert told(staged) == ["csv, line 3: a quote opens here and is never closed"]


PIECES = [
    "a",
    "b",
    "é",
    '"',
    '""',
    ",",
    ",",
    "\n",
    "\r\n",
    '"x"',
    "1,b,t,sum,\n",
    '2,"b",t,sum,u\n',
    '3,"x\ny",t,sum,\n',
]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=12), st.sampled_from([1, 2]))
def test_the_fast_and_the_careful_reader_of_csv_agree(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[str], threads: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "meters.csv"
    path.write_bytes((HEADER + "".join(pieces)).encode())
    columns = HEADER.strip().split(",")
    reading = csv_rows(TableFile(path, BY_NAME["meters"]), columns, "rejects")
    con = duckdb.connect()
    con.execute(f"SET threads = {threads}")
    try:
        fast = con.execute(f"SELECT {', '.join(columns)} FROM {reading.relation}").fetchall()
        torn = con.execute("SELECT count(*) FROM rejects").fetchall() != [(0,)]
    except duckdb.Error:
        torn = True
    careful = list(csv_records(path, columns))
    flawed = any(record.flaws for record in careful)
    assert torn or not flawed
    assert torn or fast == [tuple((record.values or {}).values()) for record in careful]


def test_jsonl_tells_every_broken_line(tmp_path: Path, con: duckdb.DuckDBPyConnection) -> None:
    good = b'{"meter_id":"m1","name":"a","event_type":"t","aggregation":"sum"}'
    lines = [
        b"\xef\xbb\xbf" + good,
        b"",
        b'{"meter_id": "m2", "name"',
        b"[1]",
        b"5",
        good.replace(b"m1", b"m3") + b"}",
        good.replace(b"m1", b"m4").replace(b"}", b",}"),
        good.replace(b'"a"', b"NaN"),
        good.replace(b'"a"', b'{"b":1}'),
        good.replace(b'"a"', b'"\xff"'),
        b"{}",
        b'{"meter_id":"m5","name":"a","name":"b","event_type":"t","aggregation":"sum"}',
    ]
    staged = meters(con, tmp_path, b"\n".join(lines), "jsonl")
    assert [(p.row, p.column, p.reason) for p in staged.problems] == [
        (3, None, "is not a JSON object: ':' is needed at character 26"),
        (4, None, "is not a JSON object: '{' is needed at character 1"),
        (5, None, "is not a JSON object: '{' is needed at character 1"),
        (6, None, "is not a JSON object: there is more after its end at character 66"),
        (7, None, "is not a JSON object: Expecting value at character 66"),
        (8, None, "is not a JSON object: NaN is no JSON number"),
        (9, "name", "is a JSON object or list, but the column needs text"),
        (10, None, "is not UTF-8"),
        (11, "meter_id", "is missing: the column may not be empty"),
        (11, "name", "is missing: the column may not be empty"),
        (11, "event_type", "is missing: the column may not be empty"),
        (11, "aggregation", "is missing: the column may not be empty"),
        (12, "name", "is given twice on the line"),
    ]
    assert names(con, staged) == ["a"]


LINE = b'{"meter_id":"m2","name":"a","event_type":"t","aggregation":"sum"}'


@pytest.mark.parametrize(
    "line",
    [
        LINE[:20],
        b"[]",
        b"{}",
        LINE + b"}",
        LINE.replace(b"}", b",}"),
        LINE.replace(b'"a"', b"NaN"),
        LINE.replace(b'"a"', b"-Infinity"),
        LINE.replace(b'"a"', b'["a"]'),
        LINE.replace(b'"a"', b'{"b":1}'),
        LINE.replace(b'"a"', b'"\xff"'),
        LINE.replace(b'"a"', b'"a","name":"b"'),
        LINE.replace(b'"a"', b'"a","nmae":"b"'),
        LINE.replace(b'"a"', b"null"),
    ],
)
def test_one_bad_line_among_good_ones_is_told_alone(
    line: bytes, tmp_path: Path, con: duckdb.DuckDBPyConnection
) -> None:
    good = [LINE.replace(b"m2", f"g{i}".encode()) for i in range(9)]
    staged = meters(con, tmp_path, b"\n".join([*good, line, good[0].replace(b"g0", b"g9")]), "jsonl")
    assert {problem.row for problem in staged.problems} == {10}
    assert len(names(con, staged)) == 10


NESTED = [
    ('{"a": [1, 2.5], "b": "x y"}', '{"a":[1,2.5],"b":"x y"}'),
    ('"{\\"a\\": 1}"', '{"a":1}'),
    ("null", None),
    ('""', None),
    ('{"b": "x, ]"}', '{"b":"x, ]"}'),
    ('{"n": 0.12345678901234567890}', '{"n": 0.12345678901234567890}'),  # more digits than a double has: as it stands
]


@pytest.mark.parametrize("many", [NESTED[:4], NESTED], ids=["fast", "line by line"])
def test_json_in_jsonl_may_be_nested_or_text(
    many: list[tuple[str, str | None]], tmp_path: Path, con: duckdb.DuckDBPyConnection
) -> None:
    event = (
        '{"event_id":"%s","source":"a","event_type":"t","subject":"s","time":"2026-01-01T00:00:00Z",'
        '"received_at":"2026-01-01T00:00:00Z","status":"accepted","properties":%s}\n'
    )
    lines = [event % (number, written) for number, (written, _) in enumerate(many)]
    (tmp_path / "usage_events.jsonl").write_text("".join(lines))
    staged = files.read(tmp_path, con)
    found = con.execute(f"SELECT properties FROM {staged.tables['usage_events']} ORDER BY event_id").fetchall()
    assert [row[0] for row in found] == [stored for _, stored in many]


REPORT = (
    '{{"record_id":"r{0}","item_id":"i","period_start":"2026-01-01T00:00:00Z","period_end":"2026-02-01T00:00:00Z",'
    '"quantity":{1},"recorded_at":"2026-02-01T00:00:00Z"}}\n'
)


def quantities(con: duckdb.DuckDBPyConnection, folder: Path, numbers: list[str]) -> list[Decimal]:
    (folder / "reported_usage.jsonl").write_text("".join(REPORT.format(i, n) for i, n in enumerate(numbers)))
    staged = files.read(folder, con)
    assert staged.problems == []
    relation = staged.tables["reported_usage"]
    return [row[0] for row in con.execute(f"SELECT quantity FROM {relation} ORDER BY record_id[2:]::INT").fetchall()]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.decimals(allow_nan=False, allow_infinity=False, places=9, min_value=-(10**17), max_value=10**17), min_size=1
    )
)
def test_json_numbers_are_exact_however_many_digits_they_have(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[Decimal]
) -> None:
    folder = tmp_path_factory.mktemp("exact")
    assert quantities(duckdb.connect(), folder, [f"{number:f}" for number in numbers]) == numbers


def test_json_numbers_may_have_exponents(tmp_path: Path, con: duckdb.DuckDBPyConnection) -> None:
    found = quantities(con, tmp_path, ["1e2", "5E-7", "-0.0", "1.5e+3", "100000000000000000"])
    assert found == [Decimal(100), Decimal("5e-7"), Decimal(0), Decimal(1500), Decimal(10**17)]


TEXTS = st.from_regex(r"[+-]?[0-9]{1,20}(\.[0-9]{1,16})?([eE][+-]?[0-9]{1,2})?", fullmatch=True)


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.sampled_from([Kind.MONEY, Kind.PRICE, Kind.QTY]))
def test_a_number_in_text_is_taken_exactly_or_refused(text: str, kind: Kind) -> None:
    digits, places = {Kind.MONEY: (18, 4), Kind.PRICE: (27, 12), Kind.QTY: (27, 9)}[kind]
    with localcontext(prec=200):
        number = Decimal(text)
        fits = number == round(number, places) and abs(number) < 10 ** (digits - places)
    column = checked(Column("v", kind), "VARCHAR")
    bad, value = EXACT.execute(
        f"SELECT coalesce({column.bad}, false), {column.value} "
        f"FROM (SELECT *, {column.parse} AS {column.value} FROM (SELECT ? AS v))",
        [text],
    ).fetchone() or (None, None)
    assert bad is not fits
    assert value == number or not fits


EXACT = duckdb.connect()


@settings(max_examples=100, deadline=None)
@given(st.from_regex(r"P?[0-9]{0,2}[YMWD]?[0-9]{0,2}[MWD]?T?[0-9]{0,2}[HMS]?", fullmatch=True))
def test_durations_are_those_that_periods_can_be_made_of(text: str) -> None:
    try:
        parse_duration(text)
        good = True
    except BadDurationError:
        good = False
    column = checked(Column("v", Kind.DURATION), "VARCHAR")
    assert EXACT.execute(f"SELECT coalesce({column.bad}, false) FROM (SELECT ? AS v)", [text]).fetchone() == (not good,)


def invoice_lines(**columns: pa.Array) -> pa.Table:
    whole = {
        "line_id": pa.array(["l1", "l2"]),
        "invoice_id": pa.array(["i1", "i1"]),
        "kind": pa.array(["usage", "usage"]).dictionary_encode(),
        "amount": pa.array([Decimal("1.50"), Decimal("2.5")]),
        "discount_amount": pa.array([0, 0], pa.int32()),
        "tax_amount": pa.array([Decimal(0), Decimal(0)], pa.decimal128(38, 10)),
        "proration": pa.array([True, False]),
    }
    return pa.table(whole | columns)


def parquet(con: duckdb.DuckDBPyConnection, folder: Path, table: pa.Table, **options: object) -> files.Staged:
    pq.write_table(table, folder / "invoice_lines.parquet", **options)
    return files.read(folder, con)


def line_values(con: duckdb.DuckDBPyConnection, staged: files.Staged, column: str) -> list[object]:
    relation = staged.tables["invoice_lines"]
    return [row[0] for row in con.execute(f"SELECT {column}::VARCHAR FROM {relation} ORDER BY line_id").fetchall()]


EPOCH = "1970-01-01 00:00:00"


@pytest.mark.parametrize(
    ("column", "values", "wanted"),
    [
        ("amount", pa.array([1.1, -19.99]), ["1.1000", "-19.9900"]),  # doubles of up to 15 digits
        ("quantity", pa.array([3.0, None]), ["3.000000000", None]),
        ("quantity", pa.array([2**53, 1], pa.int64()), ["9007199254740992.000000000", "1.000000000"]),
        ("unit_amount", pa.array([5e-7, 0.0]), ["0.000000500000", "0.000000000000"]),
        ("item_id", pa.array([17, 18]), ["17", "18"]),
        ("item_id", pa.array([None, None], pa.null()), [None, None]),
        ("period_start", pa.array([None, None], pa.null()), [None, None]),
        ("period_start", pa.array([0, 1], pa.timestamp("s")), [EPOCH, "1970-01-01 00:00:01"]),
        ("period_start", pa.array([1999, 1], pa.timestamp("ns")), ["1970-01-01 00:00:00.000001", EPOCH]),
        ("period_start", pa.array([0, 0], pa.timestamp("us", "Asia/Tokyo")), [EPOCH, EPOCH]),
        ("description", pa.array([b"raw", b"bytes"]), ["raw", "bytes"]),
        ("description", pa.array(["", "x"], pa.large_string()), [None, "x"]),
    ],
)  # fmt: skip
def test_parquet_types_that_say_the_same_are_taken(
    column: str, values: pa.Array, wanted: list[str | None], tmp_path: Path, con: duckdb.DuckDBPyConnection
) -> None:
    staged = parquet(con, tmp_path, invoice_lines(**{column: values}))
    assert staged.problems == []
    assert line_values(con, staged, column) == wanted


TOO_FINE = "has more than 4 decimal places; nothing is rounded on import"
TOO_LARGE = "has more than 14 digits before the decimal point"
NO_INSTANT = "is of type {}, but the column needs a timestamp or RFC 3339 text"
INEXACT = "is a double with more digits than a double holds exactly: store decimals"


@pytest.mark.parametrize(
    ("column", "values", "reason"),
    [
        ("amount", pa.array([1.0, 0.1 + 0.2]), INEXACT),
        ("amount", pa.array([1.0, 1.23456]), TOO_FINE),
        ("amount", pa.array([1.0, float("nan")]), "is not a number"),
        ("amount", pa.array([Decimal("1"), Decimal("1.00001")]), TOO_FINE),
        ("amount", pa.array([Decimal("1"), Decimal("1e15")], pa.decimal128(38, 2)), TOO_LARGE),
        ("amount", pa.array([1, 10**15]), TOO_LARGE),
        ("amount", pa.array([1.0, 2.0], pa.float32()), "is of type FLOAT, but the column needs a number"),
        ("period_start", pa.array([None, 1767225600]), NO_INSTANT.format("BIGINT")),
        ("period_start", pa.array([None, 0], pa.date32()), NO_INSTANT.format("DATE")),
        ("proration", pa.array([1, 1], pa.int8()), "is of type TINYINT, but the column needs true or false"),
        ("kind", pa.array(["usage", "Usage"]), "is none of usage, recurring, one_time, commitment, adjustment, credit"),
        ("description", pa.array([None, ["a"]]), "is of type VARCHAR[], but the column needs text"),
        ("line_id", pa.array(["l1", None]), "is missing: the column may not be empty"),
        ("line_id", pa.array(["l1", ""]), "is missing: the column may not be empty"),
    ],
)  # fmt: skip
def test_parquet_values_that_would_change_are_refused(
    column: str, values: pa.Array, reason: str, tmp_path: Path, con: duckdb.DuckDBPyConnection
) -> None:
    staged = parquet(con, tmp_path, invoice_lines(**{column: values}))
    assert [(p.column, p.reason) for p in staged.problems][-1] == (column, reason)
    assert (staged.problems[-1].row, staged.problems[-1].place) == (2, "row")


def test_rows_are_numbered_through_row_groups(tmp_path: Path, con: duckdb.DuckDBPyConnection) -> None:
    many = pa.concat_tables([invoice_lines()] * 5).set_column(
        0, "line_id", pa.array([f"l{i}" for i in range(9)] + ["l3"])
    )
    staged = parquet(con, tmp_path, many, row_group_size=3)
    assert [str(p) for p in staged.problems] == [
        "invoice_lines.parquet, row 10, column line_id: 'l3' is the key of a row before it (row 4)"
    ]


def test_a_damaged_parquet_file_is_told_and_harms_no_other_table(
    tmp_path: Path, con: duckdb.DuckDBPyConnection
) -> None:
    many = pa.concat_tables([invoice_lines()] * 500).set_column(
        0, "line_id", pa.array([f"line{i}" for i in range(1000)])
    )
    pq.write_table(many, tmp_path / "invoice_lines.parquet", compression="gzip")
    damaged = bytearray((tmp_path / "invoice_lines.parquet").read_bytes())
    damaged[20:1500] = os.urandom(1480)
    (tmp_path / "invoice_lines.parquet").write_bytes(damaged)
    (tmp_path / "plans.parquet").write_bytes(b"PAR1")
    staged = meters(con, tmp_path, HEADER + "1,a,t,sum,\n")
    assert [(p.file, p.row) for p in staged.problems] == [("plans.parquet", None), ("invoice_lines.parquet", None)]
    assert "is not a parquet file that can be read" in staged.problems[0].reason
    assert "cannot be read" in staged.problems[1].reason
    assert list(staged.tables) == ["meters"]


def test_a_folder_whose_name_looks_like_a_pattern_is_read_alone(tmp_path: Path, con: duckdb.DuckDBPyConnection) -> None:
    for name in ("books [1]*'", "books [1]X'"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "meters.csv").write_text(f"{HEADER}{name},a,t,sum,\n")
    staged = files.read(tmp_path / "books [1]*'", con)
    assert con.execute(f"SELECT meter_id FROM {staged.tables['meters']}").fetchall() == [("books [1]*'",)]


def test_bad_rows_are_saved_as_they_were_beside_a_report(tmp_path: Path, con: duckdb.DuckDBPyConnection) -> None:
    folder, saved = tmp_path / "books", tmp_path / "saved"
    folder.mkdir()
    bad = b'2,"two\nlines",t,median,\n3,caf\xe9,t,sum,\n1,again,t,sum,'
    (folder / "plans.csv").write_text("plan_id,colour\np,red\n")
    line = '{"meter_id":"m","name":"a"}'
    (folder / "topup_rules.jsonl").write_text(f"{line}\n")
    pq.write_table(invoice_lines(kind=pa.array(["usage", "?"])), folder / "invoice_lines.parquet")
    staged = meters(con, folder, HEADER.encode() + b"1,a,t,sum,\n\n" + bad)
    report = json.loads(files.save_bad(staged, con, saved).read_text())
    assert (saved / "meters.csv").read_bytes() == HEADER.encode() + bad + b"\n"
    assert (saved / "plans.csv").read_text() == "plan_id,colour\np,red\n"
    assert (saved / "topup_rules.jsonl").read_text() == f"{line}\n"
    assert pq.read_table(saved / "invoice_lines.parquet")["line_id"].to_pylist() == ["l2"]
    assert report["files"]["meters.csv"] == {"read": 4, "good": 1, "bad": 3, "repeated": 0, "conflicts": 0}
    assert report["problem_count"] == len(report["problems"]) == staged.problem_count
    assert names(con, staged) == ["a"]
