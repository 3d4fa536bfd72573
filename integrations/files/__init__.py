"""Reading a folder of table files in the shape of the books: parquet, csv and jsonl.

Owns what parses and what is wrong with a file; does not own storage: what is good is left as relations on a
connection, for the warehouse to take.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import duckdb

from billing.books import BY_NAME
from integrations.files.formats import EXTENSIONS, TableFile
from integrations.files.problems import KEPT, Problem, Tally
from integrations.files.progress import OnProgress
from integrations.files.rejects import report, save_bad
from integrations.files.staging import StagedFile, stage

__all__ = ["OnProgress", "Problem", "Staged", "read", "report", "save_bad"]

_NOT_TABLES = frozenset({"truth.jsonl", "lookalikes.jsonl"})


@dataclass(frozen=True)
class Staged:
    """A folder that was read: relations of good rows on the connection, and everything that is wrong.

    The relations read files in `workspace`, which goes away with this object: keep it until they are stored.
    """

    files: list[StagedFile]
    problems: list[Problem]
    problem_count: int
    workspace: tempfile.TemporaryDirectory[str]

    @property
    def tables(self) -> dict[str, str]:
        """Table of the books -> relation of its good rows, each key once, `integration` always set."""
        return {file.file.table.name: file.relation for file in self.files if file.relation is not None}

    @property
    def rows(self) -> dict[str, int]:
        """Rows read, by table."""
        return {file.file.table.name: file.read for file in self.files}

    @property
    def good(self) -> dict[str, int]:
        """Rows that the relations hold, by table."""
        return {file.file.table.name: file.good for file in self.files}

    @property
    def bad(self) -> dict[str, int]:
        """Rows refused, by table."""
        return {file.file.table.name: file.bad for file in self.files}

    @property
    def repeated(self) -> dict[str, int]:
        """Rows that repeat an event with the same content, by table: counted, not stored, no problem."""
        return {file.file.table.name: file.repeated for file in self.files if file.repeated}

    @property
    def conflicts(self) -> list[Problem]:
        """Events whose key was received before with other content: not stored, reported, no problem. At most 100."""
        return [conflict for file in self.files for conflict in file.conflicts.kept]

    @property
    def conflict_count(self) -> int:
        """How many such events there are in all."""
        return sum(file.conflicts.count for file in self.files)


def read(directory: Path, con: duckdb.DuckDBPyConnection, on_progress: OnProgress | None = None) -> Staged:
    """Reads and checks every table file of a folder: <table>.parquet, <table>.csv or <table>.jsonl.

    Leaves one temporary view per table on `con`, whose session timezone it sets to UTC. A table without a file is
    absent. Nothing is written to the books. Raises NotADirectoryError when there is no such folder.
    """
    if not directory.is_dir():
        raise NotADirectoryError(f"There is no folder {directory} to import.")
    con.execute("SET TimeZone = 'UTC'")
    problems = Tally()
    workspace = tempfile.TemporaryDirectory(prefix="trueup-import-", dir=_spill(con), ignore_cleanup_errors=True)
    files = [
        stage(con, file, Path(workspace.name), problems, on_progress) for file in _table_files(directory, problems)
    ]
    return Staged(files, problems.kept[:KEPT], problems.count, workspace)


def _spill(con: duckdb.DuckDBPyConnection) -> str | None:
    """The folder to which the connection itself spills, made if needed; None for the system's own."""
    row = con.execute("SELECT current_setting('temp_directory')").fetchone()
    if not row or not row[0] or not Path(row[0]).is_absolute():
        return None
    Path(row[0]).mkdir(parents=True, exist_ok=True)
    return str(row[0])


def _table_files(directory: Path, problems: Tally) -> list[TableFile]:
    """The table files of the folder in the order of the books; every other file is a problem."""
    found: dict[str, TableFile] = {}
    for path in sorted(directory.iterdir()):
        if path.name.startswith((".", "README")) or path.name in _NOT_TABLES:
            continue
        if path.suffix not in EXTENSIONS or path.stem not in BY_NAME or not path.is_file():
            problems.add(Problem(path.name, None, None, None, _why_unknown(path)))
        elif path.stem in found:
            also = found[path.stem].path.name
            problems.add(Problem(path.name, None, None, None, f"holds the same table as {also}: leave one of them"))
        else:
            found[path.stem] = TableFile(path, BY_NAME[path.stem])
    if not found and not problems.count:
        problems.add(Problem(directory.name, None, None, None, "holds no table of the books"))
    return [found[name] for name in BY_NAME if name in found]


def _why_unknown(path: Path) -> str:
    if path.stem not in BY_NAME:
        return f"is no table of the books; tables are {', '.join(BY_NAME)}"
    return f"cannot be read: write {path.stem}.parquet, {path.stem}.csv or {path.stem}.jsonl"
