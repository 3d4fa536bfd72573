"""What costs seconds to make is made once in a test run, whichever of its processes needs it first, and copied."""

from __future__ import annotations

import fcntl
import gc
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def made_once(name: str, folders: pytest.TempPathFactory, make: Callable[[Path], object]) -> Path:
    """A folder of this process's own with what `make` puts into the one that it is given.

    `make` runs in one process of the run at most, and holds nothing open; the others wait for it.
    """
    own = folders.getbasetemp()
    shared = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "made_once"
    shared.mkdir(exist_ok=True)
    template, done = shared / name, shared / f"{name}.done"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(template, ignore_errors=True)  # of a process that failed in the middle
            template.mkdir()
            make(template)
            gc.collect()  # closes the stores that nobody holds any more
            done.touch()
    copied = folders.mktemp(name) / name
    shutil.copytree(template, copied)
    return copied
