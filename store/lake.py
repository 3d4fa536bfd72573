"""Opening the lake: DuckDB in memory, the extensions, and the DuckLake catalog attached as `books`.

A catalog is named by a string: `sqlite:/abs/catalog.sqlite` or `postgres:dbname=trueup host=...` (or a
`postgresql://` address). The files of the lake lie under a data path, a folder or an object store's address.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import duckdb
import stamina

ALIAS = "books"
"""The name under which the lake is attached: `books.customers`."""

BUSY_MS = 10_000
"""How long SQLite waits for another process that is just committing."""

_WHEELS = {
    "ducklake": "duckdb_extension_ducklake",
    "sqlite_scanner": "duckdb_extension_sqlite_scanner",
    "postgres_scanner": "duckdb_extension_postgres_scanner",
}


class LakeError(Exception):
    """The catalog or the files of the lake cannot be opened. The message says which and what to do."""


@dataclass(frozen=True)
class Catalog:
    """Where the lake keeps its list of tables, files and snapshots.

    `scheme` is "sqlite" or "postgres"; `place` a file path or a libpq connection string, which may hold a
    password and so never shows in `repr`.
    """

    scheme: str
    place: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Catalog:
        """Reads "sqlite:PATH", "postgres:CONNINFO" or "postgresql://..."; raises ValueError for anything else."""
        scheme, _, place = text.partition(":")
        if scheme == "sqlite" and place:
            return cls("sqlite", str(Path(place).absolute()))
        if scheme in ("postgres", "postgresql") and place:
            return cls("postgres", text if place.startswith("//") else place)
        raise ValueError(
            "The warehouse catalog must be 'sqlite:PATH' or 'postgres:CONNECTION STRING', "
            f"but its scheme is {scheme!r}."
        )

    @property
    def address(self) -> str:
        """What DuckLake's ATTACH takes."""
        return f"ducklake:{self.scheme}:{self.place}"


def instance(
    catalog: Catalog, data_path: str, temp: Path, *, snapshot: int | None, read_only: bool, alias: str = ALIAS
) -> duckdb.DuckDBPyConnection:
    """A new DuckDB in memory with the lake attached as `alias`: at `snapshot` (then read only), or at the latest.

    Times are UTC. What does not fit in memory spills to `temp`. Raises LakeError.
    """
    con = with_extensions(
        {"temp_directory": str(temp), "memory_limit": _memory_limit()}, (f"{catalog.scheme}_scanner", "ducklake")
    )
    con.execute("SET GLOBAL TimeZone = 'UTC'")
    con.execute("SET preserve_insertion_order = false")
    try:
        con.execute(_attach(catalog, data_path, snapshot, read_only, alias))
    except duckdb.Error as error:
        con.close()
        raise LakeError(_why(catalog, snapshot, error)) from error
    return con


def latest(con: duckdb.DuckDBPyConnection, alias: str) -> int:
    """The id of the latest snapshot of the lake attached as `alias`; 0 before the first.

    While another connection opens or closes the catalog, SQLite can call it malformed for a moment; what is still so
    after a second is raised, as duckdb.Error.
    """
    for attempt in stamina.retry_context(on=_may_be_torn, attempts=8, timeout=2, wait_initial=0.02, wait_max=0.3):
        with attempt:
            row = con.execute(f"FROM ducklake_current_snapshot({text(alias)})").fetchone()
    return int(row[0]) if row else 0


def _may_be_torn(error: Exception) -> bool:
    return isinstance(error, duckdb.Error) and "malformed" in str(error)


def _attach(catalog: Catalog, data_path: str, snapshot: int | None, read_only: bool, alias: str) -> str:
    options = [f"DATA_PATH {text(data_path)}", "OVERRIDE_DATA_PATH true"]
    if catalog.scheme == "sqlite":
        options += ["META_JOURNAL_MODE 'WAL'", f"META_BUSY_TIMEOUT {BUSY_MS}"]
    if snapshot is not None:
        options.append(f"SNAPSHOT_VERSION {int(snapshot)}")
    if read_only or snapshot is not None:
        options += ["READ_ONLY", "CREATE_IF_NOT_EXISTS false"]
    return f"ATTACH {text(catalog.address)} AS {alias} ({', '.join(options)})"


def with_extensions(config: Mapping[str, str], extensions: Sequence[str]) -> duckdb.DuckDBPyConnection:
    """A new DuckDB in memory with these extensions, each signed by DuckDB's makers.

    Checking a signature reads 35 MB and takes a fifth of a second of processor time, which every run of rules and
    every open lake would pay: a process checks each file once, and again when the file is not the same any more. Once
    the extensions are there, unsigned ones are refused as ever, and that cannot be changed.
    """
    files = [_file(extension) for extension in extensions]
    seen = {file: _identity(file) for file in files if file}
    known = len(seen) == len(files) and all(_checked.get(file) == identity for file, identity in seen.items())
    con = duckdb.connect(config={**config, "autoinstall_known_extensions": False, "allow_unsigned_extensions": known})
    try:
        for extension in extensions:
            load(con, extension)
        con.execute("SET allow_unsigned_extensions = false")
    except BaseException:
        con.close()
        raise
    _checked.update(seen)
    return con


def load(con: duckdb.DuckDBPyConnection, extension: str) -> None:
    """Loads an extension from its wheel; where the wheel is missing, DuckDB's own INSTALL serves."""
    file = _file(extension)
    con.execute(f"LOAD {text(str(file))}" if file else f"INSTALL {extension}; LOAD {extension}")


_Identity = tuple[int, int, int, int, int]

_checked: dict[Path, _Identity] = {}
"""The files whose signature was checked in this process, and what tells each from one put in its place since."""


@cache
def _file(extension: str) -> Path | None:
    try:
        module = importlib.import_module(_WHEELS[extension])
    except ModuleNotFoundError:
        return None
    return next(Path(str(module.__file__)).parent.rglob(f"{extension}.duckdb_extension"))


def _identity(file: Path) -> _Identity:
    now = file.stat()
    return now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns


def _memory_limit() -> str:
    """Half of the machine's memory, at most 4 GiB: the rest spills to disk."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{min(machine // 2, 4 << 30) >> 20}MiB"


def _why(catalog: Catalog, snapshot: int | None, error: duckdb.Error) -> str:
    reason = str(error).replace(catalog.place, "...").splitlines()[0]
    if snapshot is not None and "snapshot" in reason.lower():
        return f"Snapshot {snapshot} of the warehouse does not exist any more: {reason}"
    where = catalog.place if catalog.scheme == "sqlite" else "the PostgreSQL database of the configuration"
    return f"The warehouse catalog cannot be opened at {where}: {reason}"


def text(value: str) -> str:
    """A string as a SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def name(identifier: str) -> str:
    """An identifier, quoted for SQL."""
    return '"' + identifier.replace('"', '""') + '"'
