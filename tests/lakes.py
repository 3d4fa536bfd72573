"""Lakes for tests: an empty one is made once in a process and copied from then on, for making one costs most."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from store.warehouse import Warehouse


def lake(folder: Path) -> Warehouse:
    """The lake in the folder, with every table of the books; an empty one where there is none yet."""
    catalog = folder / "catalog.sqlite"
    if not catalog.exists():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_empty(), catalog)
    return Warehouse(f"sqlite:{catalog}", folder / "files")


@cache
def _empty() -> Path:
    """The catalog of a lake that holds nothing; it says where its files are only when it is attached."""
    folder = Path(tempfile.mkdtemp(prefix="trueup-lake-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made = Warehouse(f"sqlite:{folder}/catalog.sqlite", folder / "files")
    made.create()
    made.close()
    return folder / "catalog.sqlite"
