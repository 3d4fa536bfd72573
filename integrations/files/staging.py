"""One file of the folder, checked and put at hand as a relation of good rows.

A clean text file is parsed once, by DuckDB's parallel reader, into a parquet file of the books' types. Only when that
says that something is wrong is it read again line by line, to say where. Parquet files are checked where they lie.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from billing.model import Table
from integrations.files import formats, lines
from integrations.files.checks import DEFAULT_INTEGRATION, TEXT, Checked, checked, literal, quoted
from integrations.files.formats import Reading, TableFile, UnreadableFileError
from integrations.files.keys import APPEND_ONLY, Keys
from integrations.files.problems import KEPT, Problem, Tally, shown
from integrations.files.progress import OnProgress, watched


@dataclass
class StagedFile:
    """What became of one file. `relation` holds its good rows; None when the file as a whole is refused."""

    file: TableFile
    relation: str | None = None
    read: int = 0
    bad: int = 0
    repeated: int = 0
    conflicts: Tally = field(default_factory=Tally)

    @property
    def good(self) -> int:
        """Rows that the relation holds."""
        return 0 if self.relation is None else self.read - self.bad - self.repeated - self.conflicts.count

    @property
    def bad_rows(self) -> str:
        """The temporary table of the refused rows: first and last line or row."""
        return quoted(f"import_bad_{self.file.table.name}")


def stage(
    con: duckdb.DuckDBPyConnection, file: TableFile, workspace: Path, problems: Tally, on_progress: OnProgress | None
) -> StagedFile:
    """Checks one file and makes a temporary view of its good rows on `con`; adds what is wrong to `problems`."""
    staged = StagedFile(file)
    con.execute(f"CREATE OR REPLACE TEMP TABLE {staged.bad_rows} (first BIGINT, last BIGINT)")
    found = Tally()
    try:
        forms = formats.header(con, file)
        usable = _columns_fit(file, forms, found)
        _Stage(con, staged, workspace, found, on_progress).run(forms, usable)
    except UnreadableFileError as error:
        found.add(Problem(file.path.name, None, None, None, str(error)))
    except duckdb.Error as error:
        found.add(Problem(file.path.name, None, None, None, f"cannot be read: {formats.reason(error, file)}"))
    if staged.relation is None:
        staged.bad = staged.read
    problems.add_some(sorted(found.kept, key=lambda problem: problem.row or 0), found.count)
    if on_progress is not None:
        on_progress(staged.read, staged.read, file.table.name)
    return staged


def _columns_fit(file: TableFile, forms: dict[str, str] | None, problems: Tally) -> bool:
    """Whether the header names every needed column and no unknown one; what is wrong goes to `problems`."""
    if forms is None:
        return True
    table = file.table
    unknown = [name for name in forms if name not in table.by_name]
    separated_otherwise = len(forms) == 1 and len(unknown) == 1
    missing = [c.name for c in table.columns if not c.optional and c.name not in forms and not separated_otherwise]
    for name in unknown:
        problems.add(Problem(file.path.name, None, name, None, f"is not a column of {table.name}{_like(name, table)}"))
    for name in missing:
        problems.add(Problem(file.path.name, None, name, None, f"is missing: {table.name} needs this column"))
    return not missing and not unknown


def _like(name: str, table: Table) -> str:
    if ";" in name or "\t" in name:
        return ": columns are separated by commas"
    close = difflib.get_close_matches(name.lower(), table.by_name, 1)
    return f"; did you mean {close[0]}?" if close else ""


class _Stage:
    """The steps for one file, in order."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        staged: StagedFile,
        workspace: Path,
        problems: Tally,
        on_progress: OnProgress | None,
    ) -> None:
        self.con, self.staged, self.workspace = con, staged, workspace
        self.problems, self.on_progress = problems, on_progress
        self.file, self.table = staged.file, staged.file.table

    def run(self, forms: dict[str, str] | None, usable: bool) -> None:
        """Read the file quickly where every row of it is good, else row by row, telling what is wrong."""
        if self.file.format != "parquet" and usable:
            quick = self._quickly(forms)
            if quick is not None and self._make_view(quick, clean=True, numbered=False):
                return
        reading = self._parquet(forms or {}) if self.file.format == "parquet" else self._line_by_line(forms)
        clean = self._find_faults(reading)
        if usable:
            self._make_view(reading, clean, numbered=True)

    def _quickly(self, forms: dict[str, str] | None) -> Reading | None:
        """The rows of a text file as a parquet file of the books' types, or None when anything is wrong with one."""
        rejects = f"import_rejects_{self.table.name}"
        reading = formats.jsonl_rows(self.file) if forms is None else formats.csv_rows(self.file, forms, rejects)
        target = self.workspace / f"{self.table.name}.parquet"
        values = f"SELECT {reading.values}, {reading.bad} AS _bad FROM {reading.relation}"
        try:
            with watched(self.con, self.on_progress, formats.estimated_lines(self.file.path), self.table.name):
                self.con.execute(f"COPY ({values}) TO {literal(str(target))} (FORMAT parquet, COMPRESSION lz4_raw)")
            rejected = self._one(f"SELECT count(*) FROM {quoted(rejects)}") if forms is not None else 0
        except duckdb.Error:
            return None
        finally:
            self.con.execute(f"DROP TABLE IF EXISTS {quoted(rejects)}")
            self.con.execute(f"DROP TABLE IF EXISTS {quoted(rejects + '_scan')}")
        relation = f"read_parquet({literal(str(target))}, file_row_number = true)"
        if rejected or self._one(f"SELECT count(*) FROM {relation} WHERE _bad"):
            return None
        columns = tuple(Checked(c.column, c.raw, c.raw, ()) for c in reading.columns)
        return Reading(relation, columns, "file_row_number", "file_row_number")

    def _parquet(self, forms: dict[str, str]) -> Reading:
        self.staged.read = formats.parquet_count(self.con, self.file)
        return formats.parquet_rows(
            self.file, {name: form for name, form in forms.items() if name in self.table.by_name}
        )

    def _line_by_line(self, forms: dict[str, str] | None) -> Reading:
        target = self.workspace / f"{self.table.name}_lines.parquet"
        names = list(self.table.by_name if forms is None else forms)
        if forms is None:
            records = lines.jsonl_records(self.file.path, self.table)
        else:
            records = lines.csv_records(self.file.path, names)
        torn: list[tuple[int, int]] = []
        for record in lines.store(records, names, target):
            for flaw in record.flaws:
                self.problems.add(self._problem(record.first, flaw.column, flaw.value, flaw.reason))
            if record.values is None:
                torn.append((record.first, record.last))
        relation = f"read_parquet({literal(str(target))})"
        self._refuse(torn)
        self.staged.read = self._one(f"SELECT count(*) FROM {relation}") + len(torn)
        known = [self.table.by_name[name] for name in names if name in self.table.by_name]
        columns = formats.jsonl_columns(self.table) if forms is None else tuple(checked(c, TEXT) for c in known)
        return formats.reading(relation, columns, lines.ROW, lines.LAST, broken=lines.BROKEN)

    def _refuse(self, rows: Sequence[tuple[int, int]]) -> None:
        self.staged.bad += len(rows)
        if rows:
            self.con.executemany(f"INSERT INTO {self.staged.bad_rows} VALUES (?, ?)", rows)

    def _find_faults(self, reading: Reading) -> bool:
        """Counts the rows with a refused value, lists what is wrong with them, notes them as bad; whether none is."""
        name = self.table.name
        with watched(self.con, self.on_progress, self.staged.read or None, name):
            bad = self._one(f"SELECT count(*) FROM {reading.relation} WHERE {reading.bad}")
        self.staged.bad += bad
        if not bad:
            return True
        self.con.execute(
            f"INSERT INTO {self.staged.bad_rows} "
            f"SELECT {reading.row}, {reading.last} FROM {reading.relation} WHERE {reading.bad}"
        )
        each = " + ".join(f"coalesce(({column.bad})::INT, 0)" for column in reading.columns)
        count = self._one(f"SELECT sum({each})::BIGINT FROM {reading.relation} WHERE {reading.bad}")
        self.problems.add_some(self._listed(reading), count)
        return False

    def _listed(self, reading: Reading) -> list[Problem]:
        found: list[tuple[int, int, Problem]] = []
        for position, column in enumerate(reading.columns):
            rows = self.con.execute(
                f"SELECT {reading.row}, {column.raw}::VARCHAR, {column.reason} FROM {reading.relation} "
                f"WHERE {column.bad} ORDER BY 1 LIMIT {KEPT}"
            ).fetchall()
            name = column.column.name
            found += [(row, position, self._problem(row, name, shown(value), why)) for row, value, why in rows]
        return [problem for _, _, problem in sorted(found, key=lambda one: one[:2])][:KEPT]

    def _make_view(self, reading: Reading, clean: bool, numbered: bool) -> bool:
        """Makes the view of good rows, each key once; False when a row has to be named but rows have no number yet."""
        where = "true" if clean else f"NOT {reading.bad}"
        good = (
            f"SELECT {reading.values}, {reading.row} AS _row, {reading.last} AS _last "
            f"FROM {reading.relation} WHERE {where}"
        )
        keys = Keys(self.con, self.table, [column.column.name for column in reading.columns], good)
        self.staged.read = self.staged.read or keys.rows
        if keys.distinct < keys.rows and not self._settle(keys, numbered):
            return False
        view = quoted(f"import_{self.table.name}")
        integration = "" if "integration" in keys.names else f", {literal(DEFAULT_INTEGRATION)} AS integration"
        once = f" WHERE _row NOT IN (SELECT _row FROM {keys.surplus})" if keys.distinct < keys.rows else ""
        self.con.execute(
            f"CREATE OR REPLACE TEMP VIEW {view} AS SELECT * EXCLUDE (_row, _last){integration} FROM ({good}){once}"
        )
        self.staged.relation = view
        return True

    def _settle(self, keys: Keys, numbered: bool) -> bool:
        """Keeps the first row of every key. What comes after is a problem, but of events repeated or in conflict."""
        keys.find_surplus()
        if self.table.name not in APPEND_ONLY:
            return numbered and self._refuse_surplus(keys)
        conflicts = keys.count("NOT same")
        if conflicts and not numbered:
            return False
        self.staged.repeated = keys.count("same")
        why = "has the key of an event received before, but other content; the first received is kept"
        self.staged.conflicts.add_some(self._surplus(keys, "NOT same", why), conflicts)
        return True

    def _refuse_surplus(self, keys: Keys) -> bool:
        count = keys.count("true")
        self.problems.add_some(self._surplus(keys, "true", "is the key of a row before it"), count)
        self.con.execute(f"INSERT INTO {self.staged.bad_rows} SELECT _row, _last FROM {keys.surplus}")
        self.staged.bad += count
        return True

    def _surplus(self, keys: Keys, chosen: str, why: str) -> list[Problem]:
        column = ", ".join(self.table.key)
        return [
            self._problem(row, column, shown(key), f"{why} ({self.file.place} {kept})")
            for row, key, kept in keys.listed(chosen, KEPT)
        ]

    def _problem(self, row: int | None, column: str | None, value: str | None, why: str) -> Problem:
        return Problem(self.file.path.name, row, column, value, why, self.file.place)

    def _one(self, sql: str) -> int:
        row = self.con.execute(sql).fetchone()
        return int(row[0]) if row and row[0] is not None else 0
