"""Saving what an import refused: the bad rows as they were, in the format they came in, and a report."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from integrations.files.checks import literal
from integrations.files.staging import StagedFile

if TYPE_CHECKING:
    from integrations.files import Staged

REPORT = "report.json"


def save_bad(staged: Staged, con: duckdb.DuckDBPyConnection, to: Path) -> Path:
    """Writes the refused rows of every file under the file's own name into `to`, and report.json beside them.

    Text keeps its bytes, so that rows can be mended there and imported again. Returns the report's path.
    """
    to.mkdir(parents=True, exist_ok=True)
    for file in staged.files:
        if file.relation is None:
            shutil.copyfile(file.file.path, to / file.file.path.name)
        elif file.bad:
            _save_rows(con, file, to / file.file.path.name)
    (to / REPORT).write_text(json.dumps(report(staged), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return to / REPORT


def report(staged: Staged) -> dict[str, Any]:
    """The report as JSON: per file the rows, then problems and conflicting events, the first hundred of each."""
    return {
        "files": {
            file.file.path.name: {
                "read": file.read,
                "good": file.good,
                "bad": file.bad,
                "repeated": file.repeated,
                "conflicts": file.conflicts.count,
            }
            for file in staged.files
        },
        "problem_count": staged.problem_count,
        "problems": [asdict(problem) for problem in staged.problems],
        "conflict_count": staged.conflict_count,
        "conflicts": [asdict(conflict) for conflict in staged.conflicts],
    }


def _save_rows(con: duckdb.DuckDBPyConnection, file: StagedFile, target: Path) -> None:
    if file.file.format == "parquet":
        con.execute(
            f"""COPY (SELECT * EXCLUDE (file_row_number)
                      FROM read_parquet({file.file.source}, file_row_number = true)
                      WHERE file_row_number + 1 IN (SELECT first FROM {file.bad_rows}) ORDER BY file_row_number)
                TO {literal(str(target))} (FORMAT parquet)"""
        )
        return
    ranges = con.execute(f"SELECT first, last FROM {file.bad_rows} ORDER BY 1").fetchall()
    if file.file.format == "csv":
        ranges.insert(0, (1, _header_lines(file.file.path)))
    with target.open("wb") as out:
        out.writelines(_lines(file.file.path, ranges))


def _header_lines(path: Path) -> int:
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as lines:
        reader = csv.reader(lines)
        next(reader, None)
        return reader.line_num


def _lines(path: Path, ranges: list[tuple[int, int]]) -> Iterator[bytes]:
    waiting = iter(ranges)
    first, last = next(waiting, (0, -1))
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if first <= number <= last:
                yield line if line.endswith(b"\n") else line + b"\n"
            if number >= last:
                first, last = next(waiting, (0, 0))
            if not last:
                return
