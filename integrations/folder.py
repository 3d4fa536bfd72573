"""A watched folder or object-store prefix: files in the shape of the books, each picked up once.

Owns which file is new and which rows of it are good; does not own storage. Where a file is told by its name, size and
time of change: one that changes is read again, and as it is known as of its change, an older file never replaces what
a newer one said. docs/integrations/folder.md says how files are named.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

import duckdb
import fsspec

from billing.books import BY_NAME, TABLES
from integrations.capabilities import Capabilities
from integrations.files.checks import DEFAULT_INTEGRATION
from integrations.files.formats import EXTENSIONS, TableFile
from integrations.files.problems import Tally
from integrations.files.staging import stage
from integrations.http import SourceError
from integrations.objects import Row
from integrations.pages import Lookup, Page, Remark

CAPABILITIES = Capabilities(
    reads=tuple(table.name for table in TABLES),
    increments="takes each file once, and again when it changes",
    secrets=(),
    settings=("path",),
)
"""What a watched folder can do; `trueup integrations` shows it."""

ROWS = 5_000
"""Rows of one page."""

SETTLED = timedelta(seconds=5)
"""A file that changed within this time may still be written to, and is left for the next look."""

UNFINISHED = (".tmp", ".part", ".partial", ".crdownload")


@dataclass(frozen=True)
class Found:
    """A file of the folder: its place within it, when it changed, and what tells its content from another."""

    name: str
    path: str
    table: str
    changed_at: datetime
    mark: str


@dataclass(frozen=True)
class Folder:
    """One configured folder or prefix."""

    name: str
    path: str
    files: Any = field(repr=False)  # the fsspec file system
    root: str = field(repr=False)

    def pull(self, cursor: Lookup, *, full: bool, now: datetime) -> Iterator[Page]:
        """The rows of every file that is new or has changed, the oldest change first.

        The cursor of a file moves with its last page, so one that was cut short is read again from its beginning.
        """
        for found in self._listed():
            settled = now - found.changed_at >= SETTLED
            if settled and (full or _mark(cursor(_stream(found))) != found.mark):
                yield from self._file(found, now)

    def check(self) -> str | None:
        """Why the folder cannot be read, or which of its files are no tables; None when all is well."""
        try:
            self._listed()
            odd = [name for name in self._names() if _table(name) is None]
        except SourceError as error:
            return str(error)
        named = ", ".join(odd[:5])
        return f"{named} in {self.path} is no table of the books; name files <table>-....parquet" if odd else None

    def _listed(self) -> list[Found]:
        """The table files, the oldest change first. Raises SourceError."""
        try:
            held = self.files.find(self.root, detail=True)
            found = [
                Found(name, path, table, _changed_at(self.files, path), str(self.files.ukey(path)))
                for path in held
                if (table := _table(name := self._name(path))) is not None
            ]
        except (OSError, ValueError) as error:
            raise SourceError(f"{self.path} cannot be read: {error}", permanent=False) from error
        return sorted(found, key=lambda each: (each.changed_at, each.name))

    def _names(self) -> list[str]:
        return [name for path in self.files.find(self.root) if not _hidden(name := self._name(path))]

    def _name(self, path: str) -> str:
        return path.removeprefix(self.root).lstrip("/")

    def _file(self, found: Found, now: datetime) -> Iterator[Page]:
        """The pages of one file; what of it is refused is remarked, and does not keep the rest away."""
        with tempfile.TemporaryDirectory(prefix="trueup-folder-") as workspace, duckdb.connect() as con:
            con.execute("SET TimeZone = 'UTC'")
            problems = Tally()
            table_file = TableFile(self._local(found, Path(workspace)), BY_NAME[found.table])
            staged = stage(con, table_file, Path(workspace), problems, None)
            remarks = [Remark(found.table, _place(found, each.row), str(each)) for each in problems.kept]
            if problems.count > len(problems.kept):
                more = f"{problems.count - len(problems.kept)} more problems"
                remarks.append(Remark(found.table, found.name, more))
            told = {"mark": found.mark, "rows": staged.good, "refused": staged.bad, "at": now.isoformat()}
            done = {_stream(found): json.dumps(told)}
            pages = _pages(con, staged.relation) if staged.relation else iter([[]])
            for rows, last in _marking_last(pages):
                yield Page(
                    found.name,
                    {found.table: rows},
                    found.changed_at,
                    done if last else {},
                    tuple(remarks if last else ()),
                )

    def _local(self, found: Found, workspace: Path) -> Path:
        """The file on this machine, fetched if need be. Raises SourceError."""
        if "file" in self.files.protocol:
            return Path(found.path)
        target = workspace / PurePosixPath(found.path).name
        try:
            self.files.get_file(found.path, str(target))
        except OSError as error:
            raise SourceError(f"{found.name} in {self.path} cannot be fetched: {error}", permanent=False) from error
        return target


def from_config(name: str, settings: Mapping[str, object]) -> Folder:
    """The integration from its part of the configuration: `path`, a folder or an address that fsspec knows.

    Raises ValueError naming a setting that is missing or wrong.
    """
    path = settings.get("path")
    if not isinstance(path, str) or not path:
        raise ValueError(f"integrations.{name}.path: a folder, or an address such as s3://bucket/prefix, is needed.")
    try:
        files, root = fsspec.core.url_to_fs(path)
    except (ImportError, ValueError) as error:
        raise ValueError(f"integrations.{name}.path: {path} cannot be opened: {error}") from error
    return Folder(name, path, files, root)


def _table(name: str) -> str | None:
    """The table that a file holds: by its name up to a hyphen, dot or underscore, or by the folder that it lies in."""
    path = PurePosixPath(name)
    if _hidden(name) or path.suffix not in EXTENSIONS:
        return None
    named = [
        table for table in BY_NAME if path.stem == table or path.stem.startswith(tuple(f"{table}{s}" for s in "-._"))
    ]
    if named:
        return max(named, key=len)
    return next((part for part in reversed(path.parent.parts) if part in BY_NAME), None)


def _hidden(name: str) -> bool:
    path = PurePosixPath(name)
    return path.name.startswith((".", "_", "README")) or path.suffix in UNFINISHED


def _stream(found: Found) -> str:
    return f"file {found.name}"


def _mark(cursor: str | None) -> str | None:
    return None if cursor is None else str(json.loads(cursor)["mark"])


def _place(found: Found, row: int | None) -> str:
    return found.name if row is None else f"{found.name}:{row}"


def _changed_at(files: Any, path: str) -> datetime:
    at: datetime = files.modified(path)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _pages(con: duckdb.DuckDBPyConnection, relation: str) -> Iterator[list[Row]]:
    """The rows of a staged relation, some thousands at a time."""
    result = con.execute(f"SELECT * FROM {relation}")
    names = [column[0] for column in result.description or ()]
    while part := result.fetchmany(ROWS):
        yield [_row(dict(zip(names, values, strict=True))) for values in part]


def _row(values: Row) -> Row:
    """Instants aware; without the name that files have where they state no integration."""
    row = {name: value.replace(tzinfo=UTC) if isinstance(value, datetime) else value for name, value in values.items()}
    if row.get("integration") == DEFAULT_INTEGRATION:
        del row["integration"]
    return row


def _marking_last(pages: Iterator[list[Row]]) -> Iterator[tuple[list[Row], bool]]:
    """Each page, and whether it is the last; one without rows where there is none."""
    held = next(pages, [])
    for following in pages:
        yield held, False
        held = following
    yield held, True
