"""Opening the lake: only extensions that DuckDB's makers signed are loaded, whatever a process has loaded before."""

import shutil
from contextlib import closing

import duckdb
import pytest

from store import lake


def test_once_extensions_are_loaded_unsigned_ones_are_refused_for_good():
    for _ in range(2):
        with closing(lake.with_extensions({}, ["sqlite_scanner"])) as con:
            assert con.execute("SELECT current_setting('allow_unsigned_extensions')").fetchone() == (False,)
            with pytest.raises(duckdb.InvalidInputException, match="Cannot change allow_unsigned_extensions"):
                con.execute("SET allow_unsigned_extensions = true")


def test_an_extension_that_was_changed_since_its_signature_was_checked_is_refused(tmp_path, monkeypatch):
    file = tmp_path / "sqlite_scanner.duckdb_extension"
    shutil.copyfile(lake._file("sqlite_scanner"), file)
    monkeypatch.setattr(lake, "_file", lambda extension: file)
    for _ in range(2):
        lake.with_extensions({}, ["sqlite_scanner"]).close()
    with file.open("r+b") as changed:
        changed.seek(-1, 2)
        last = changed.read(1)
        changed.seek(-1, 2)
        changed.write(bytes([last[0] ^ 1]))
    with pytest.raises(duckdb.IOException, match="signature"):
        lake.with_extensions({}, ["sqlite_scanner"])
