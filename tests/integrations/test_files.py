"""A folder of files becomes rows of the books, and everything wrong with it is told with its place."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from billing.books import BY_NAME
from integrations import files
from integrations.files.problems import KEPT

METER = {"meter_id": "m1", "name": "Requests", "event_type": "api.request", "aggregation": "sum"}
EVENT = {
    "event_id": "e1",
    "source": "app",
    "event_type": "api.request",
    "subject": "s1",
    "time": "2026-03-01T00:00:00Z",
    "value": "1.5",
    "properties": '{"region":"eu"}',
    "received_at": "2026-03-01T00:00:05Z",
    "status": "accepted",
}


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def csv_text(*rows: dict[str, str]) -> str:
    names = list(rows[0])
    quoted = [",".join('"' + row[name].replace('"', '""') + '"' for name in names) for row in rows]
    return "\n".join([",".join(names), *quoted]) + "\n"


def jsonl_text(*rows: dict[str, object]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def write(folder: Path, **texts: str | bytes) -> Path:
    for name, text in texts.items():
        stem, extension = name.rsplit("_", 1)
        content = text if isinstance(text, bytes) else text.encode()
        (folder / f"{stem}.{extension}").write_bytes(content)
    return folder


def rows(con: duckdb.DuckDBPyConnection, staged: files.Staged, table: str) -> list[dict[str, object]]:
    cursor = con.execute(f"SELECT * FROM {staged.tables[table]} ORDER BY ALL")
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def told(staged: files.Staged) -> list[str]:
    return [str(problem) for problem in staged.problems]


def test_the_three_formats_give_the_same_rows(tmp_path: Path, con: duckdb.DuckDBPyConnection) -> None:
    read = {}
    for extension in ("csv", "jsonl", "parquet"):
        folder = tmp_path / extension
        folder.mkdir()
        if extension == "parquet":
            con.sql(
                """SELECT 'e1' AS event_id, 'app' AS source, 'api.request' AS event_type, 's1' AS subject,
                          TIMESTAMP '2026-03-01' AS time, 1.5::DECIMAL(10,2) AS value, '{"region":"eu"}' AS properties,
                          TIMESTAMPTZ '2026-03-01 01:00:05+01' AS received_at, 'accepted' AS status"""
            ).write_parquet(str(folder / "usage_events.parquet"))
        else:
            text = csv_text(EVENT) if extension == "csv" else jsonl_text(EVENT)
            (folder / f"usage_events.{extension}").write_text(text)
        staged = files.read(folder, con)
        assert told(staged) == []
        read[extension] = [{k: v for k, v in row.items() if v is not None} for row in rows(con, staged, "usage_events")]
    assert read["csv"] == read["jsonl"] == read["parquet"]
    assert read["csv"] == [
        {
            **EVENT,
            "time": datetime.fromisoformat("2026-03-01T00:00:00"),
            "value": Decimal("1.500000000"),
            "received_at": datetime.fromisoformat("2026-03-01T00:00:05"),
            "integration": "files",
        }
    ]


def test_a_table_without_a_file_is_absent_and_an_empty_one_has_no_rows(
    tmp_path: Path, con: duckdb.DuckDBPyConnection
) -> None:
    staged = files.read(write(tmp_path, meters_csv="meter_id,name,event_type,aggregation\n", plans_jsonl=""), con)
    assert told(staged) == []
    assert staged.rows == {"meters": 0, "plans": 0}
    assert rows(con, staged, "meters") == rows(con, staged, "plans") == []


def test_what_accompanies_the_tables_is_left_alone(tmp_path: Path, con: duckdb.DuckDBPyConnection) -> None:
    for name in ("truth.jsonl", "lookalikes.jsonl", "README.md", ".DS_Store"):
        (tmp_path / name).write_text("not a table")
    assert told(files.read(write(tmp_path, meters_jsonl=jsonl_text(METER)), con)) == []


def test_a_file_that_is_no_table_is_named_with_the_tables_there_are(
    tmp_path: Path, con: duckdb.DuckDBPyConnection
) -> None:
    folder = write(tmp_path, invoicelines_csv="a\n", meters_xlsx="", meters_jsonl=jsonl_text(METER), meters_csv="x\n")
    told_of = {problem.file: problem.reason for problem in files.read(folder, con).problems}
    assert "invoice_lines" in told_of["invoicelines.csv"]
    assert told_of["meters.xlsx"] == "cannot be read: write meters.parquet, meters.csv or meters.jsonl"
    assert told_of["meters.jsonl"] == "holds the same table as meters.csv: leave one of them"


def test_a_folder_without_tables_is_a_problem_and_no_folder_an_error(
    tmp_path: Path, con: duckdb.DuckDBPyConnection
) -> None:
    assert "holds no table of the books" in told(files.read(tmp_path, con))[0]
    with pytest.raises(NotADirectoryError, match="There is no folder"):
        files.read(tmp_path / "absent", con)


def test_unknown_and_missing_columns_are_told_with_the_likely_name(
    tmp_path: Path, con: duckdb.DuckDBPyConnection
) -> None:
    folder = write(
        tmp_path,
        meters_csv="meterid,name,event_type,aggregation\nm1,R,t,sum\n",
        plans_csv="plan_id;plan_key;version\np;k;1\n",
        topup_rules_jsonl='{"topup_rule_id":"t","colour":"red"}\n',
    )
    staged = files.read(folder, con)
    assert told(staged)[:4] == [
        "meters.csv, column meterid: is not a column of meters; did you mean meter_id?",
        "meters.csv, column meter_id: is missing: meters needs this column",
        "plans.csv, column plan_id;plan_key;version: is not a column of plans: columns are separated by commas",
        "topup_rules.jsonl, line 1, column colour: '\"red\"' is not a column of topup_rules",
    ]
    assert "meters" not in staged.tables
    assert staged.problem_count == len(staged.problems) == 4 + 6  # and the six columns that the top-up rule lacks


BAD_VALUES = [
    ("customers", "currency", "usd", "is not an ISO 4217 currency in upper case, such as USD, EUR or JPY"),
    ("customers", "currency", "ZZZ", "is not an ISO 4217 currency in upper case, such as USD, EUR or JPY"),
    ("customers", "status", "gone", "is none of active, deleted"),
    ("customers", "is_business", "1", "is neither true nor false"),
    ("customers", "tax_ids", "{a}", "is not JSON text (RFC 8259)"),
    ("customers", "tax_ids", "[1,]", "is not JSON text (RFC 8259)"),
    ("customers", "tax_ids", '{"a":NaN}', "is not JSON text (RFC 8259)"),
    ("customers", "credit_balance", "1.23456", "has more than 4 decimal places; nothing is rounded on import"),
    ("customers", "credit_balance", "1e-5", "has more than 4 decimal places; nothing is rounded on import"),
    ("customers", "credit_balance", "123456789012345", "has more than 14 digits before the decimal point"),
    ("customers", "credit_balance", "1,5", "is not a number"),
    ("customers", "credit_balance", "$5", "is not a number"),
    ("customers", "credit_balance", "NaN", "is not a number"),
    ("customers", "credit_balance", "0x10", "is not a number"),
    (
        "customers",
        "created_at",
        "2026-01-01T00:00:00",
        "has no offset: write Z for UTC, or one such as +02:00, after the time",
    ),
    ("customers", "created_at", "2026-01-01", "is no RFC 3339 instant such as 2026-01-31T12:00:00Z"),
    ("customers", "created_at", "1767225600", "is no RFC 3339 instant such as 2026-01-31T12:00:00Z"),
    ("customers", "created_at", "2026-01-01T24:00:00Z", "is no RFC 3339 instant such as 2026-01-31T12:00:00Z"),
    ("customers", "created_at", "2026-02-30T00:00:00Z", "is a date or time that the calendar does not have"),
    ("customers", "created_at", "9999-12-31T23:00:00-02:00", "is a date or time that the calendar does not have"),
    ("subscriptions", "cadence", "1 month", "is no ISO 8601 duration such as P1M, P1Y or P7D"),
    ("subscriptions", "cadence", "P0M", "is no ISO 8601 duration such as P1M, P1Y or P7D"),
    ("subscriptions", "cadence", "PT", "is no ISO 8601 duration such as P1M, P1Y or P7D"),
    ("subscriptions", "timezone", "Berlin", "is no IANA timezone such as Europe/Berlin"),
    ("bill_runs", "invoices_ok", "1.5", "has a fraction; nothing is rounded on import"),
    ("bill_runs", "invoices_ok", "99999999999999999999", "has more than 19 digits before the decimal point"),
]

WHOLE = {
    "customers": {
        "customer_id": "c1",
        "name": "Acme",
        "currency": "USD",
        "is_business": "true",
        "tax_ids": '[{"type": "eu_vat", "value": "a, ]"}]',
        "credit_balance": "1.50",
        "status": "active",
        "created_at": "2026-01-01T00:00:00Z",
    },
    "subscriptions": {
        "subscription_id": "s1",
        "customer_id": "c1",
        "status": "active",
        "currency": "USD",
        "started_at": "2026-01-01T00:00:00Z",
        "billing_anchor": "2026-01-01T00:00:00Z",
        "cadence": "P1M",
        "timezone": "Europe/Berlin",
        "collection_method": "send_invoice",
    },
    "bill_runs": {
        "bill_run_id": "b1",
        "status": "posted",
        "target_date": "2026-01-01T00:00:00Z",
        "started_at": "2026-01-01T00:00:00Z",
        "invoices_ok": "5",
    },
}


@pytest.mark.parametrize("extension", ["csv", "jsonl", "parquet"])
def test_every_kind_of_bad_value_is_told_with_row_column_value_and_reason(
    extension: str, tmp_path: Path, con: duckdb.DuckDBPyConnection
) -> None:
    for table, whole in WHOLE.items():
        bad = [{**whole, column: value} for name, column, value, _ in BAD_VALUES if name == table]
        many = [{**row, next(iter(row)): f"id{number}"} for number, row in enumerate([whole, *bad])]
        path = tmp_path / f"{table}.{extension}"
        if extension == "parquet":
            (tmp_path / "text.csv").write_text(csv_text(*many))
            con.sql(f"SELECT * FROM read_csv('{tmp_path}/text.csv', all_varchar = true)").write_parquet(str(path))
            (tmp_path / "text.csv").unlink()
        else:
            path.write_text(csv_text(*many) if extension == "csv" else jsonl_text(*many))
    staged = files.read(tmp_path, con)
    first = {"csv": 3, "jsonl": 2, "parquet": 2}[extension]
    numbers: dict[str, int] = dict.fromkeys(WHOLE, first)
    wanted = []
    for table, column, value, reason in sorted(BAD_VALUES, key=lambda bad: list(BY_NAME).index(bad[0])):
        wanted.append((f"{table}.{extension}", numbers[table], column, value, reason))
        numbers[table] += 1
    assert [(p.file, p.row, p.column, p.value, p.reason) for p in staged.problems] == wanted
    assert {p.place for p in staged.problems} == {"row" if extension == "parquet" else "line"}
    assert staged.good == dict.fromkeys(WHOLE, 1)


@pytest.mark.parametrize("extension", ["csv", "jsonl"])
def test_an_empty_value_is_null_where_it_may_be_and_told_where_not(
    extension: str, tmp_path: Path, con: duckdb.DuckDBPyConnection
) -> None:
    optional = {**WHOLE["customers"], "tax_ids": "", "credit_balance": "", "is_business": "", "currency": ""}
    needed = {**optional, "customer_id": "c2", "name": "", "created_at": ""}
    text = csv_text(optional, needed) if extension == "csv" else jsonl_text(optional, needed)
    staged = files.read(write(tmp_path, **{f"customers_{extension}": text}), con)
    assert [(p.column, p.reason) for p in staged.problems] == [
        ("name", "is missing: the column may not be empty"),
        ("created_at", "is missing: the column may not be empty"),
    ]
    (row,) = rows(con, staged, "customers")
    assert [row[c] for c in ("tax_ids", "credit_balance", "is_business", "currency")] == [None] * 4


def test_only_the_first_hundred_problems_are_kept_and_all_are_counted(
    tmp_path: Path, con: duckdb.DuckDBPyConnection
) -> None:
    bad = [{**METER, "meter_id": f"m{number}", "aggregation": "median", "name": ""} for number in range(150)]
    staged = files.read(write(tmp_path, meters_csv=csv_text(*bad)), con)
    assert len(staged.problems) == KEPT
    assert staged.problem_count == 300
    assert staged.problems[-1].row == 51
    assert staged.bad == {"meters": 150}


def test_a_key_given_twice_is_told_with_the_row_that_has_it_first(
    tmp_path: Path, con: duckdb.DuckDBPyConnection
) -> None:
    other = {**METER, "name": "Other", "integration": "stripe"}
    folder = write(tmp_path, meters_jsonl=jsonl_text(METER, other, {**METER, "name": "Again"}))
    staged = files.read(folder, con)
    assert told(staged) == ["meters.jsonl, line 3, column meter_id: 'm1' is the key of a row before it (line 1)"]
    kept = {(row["integration"], row["name"]) for row in rows(con, staged, "meters")}
    assert kept == {("files", "Requests"), ("stripe", "Other")}


def test_an_event_sent_twice_is_counted_and_one_with_other_content_is_reported_not_refused(
    tmp_path: Path, con: duckdb.DuckDBPyConnection
) -> None:
    resent = {**EVENT, "received_at": "2026-03-01T00:01:00Z"}
    changed = {**EVENT, "value": "2", "received_at": "2026-03-01T00:00:01Z"}
    invalid = {**EVENT, "event_id": "e2", "status": "invalid", "error": "no subject"}
    staged = files.read(write(tmp_path, usage_events_csv=csv_text(EVENT | {"error": ""}, resent | {"error": ""})), con)
    assert (staged.problem_count, staged.repeated, staged.good) == (0, {"usage_events": 1}, {"usage_events": 1})

    text = jsonl_text(EVENT, resent, changed, invalid)
    (tmp_path / "usage_events.csv").unlink()
    staged = files.read(write(tmp_path, usage_events_jsonl=text), con)
    assert staged.problem_count == 0
    assert [(row["event_id"], row["value"]) for row in rows(con, staged, "usage_events")] == [
        ("e1", Decimal("2.000000000")),  # the first received
        ("e2", Decimal("1.500000000")),
    ]
    assert staged.conflict_count == 2
    assert [str(conflict) for conflict in staged.conflicts] == [
        "usage_events.jsonl, line 1, column source, event_id: 'app/e1' has the key of an event received before, "
        "but other content; the first received is kept (line 3)",
        "usage_events.jsonl, line 2, column source, event_id: 'app/e1' has the key of an event received before, "
        "but other content; the first received is kept (line 3)",
    ]


def test_progress_is_told_up_to_all_rows(tmp_path: Path, con: duckdb.DuckDBPyConnection) -> None:
    heard: list[tuple[int, int | None, str]] = []
    many = [{**METER, "meter_id": f"m{number}"} for number in range(1000)]
    folder = write(tmp_path, meters_csv=csv_text(*many), plans_jsonl="")
    files.read(folder, con, lambda done, total, table: heard.append((done, total, table)))
    assert heard[0][0] == 0
    assert (1000, 1000, "meters") in heard
    assert heard[-1] == (0, 0, "plans")
