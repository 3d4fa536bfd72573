"""Every case of the conformance folder is checked, or named with its reason in `cases.UNSUPPORTED`."""

from __future__ import annotations

import pytest

from . import test_changes, test_credits, test_meters, test_proration, test_rating
from .cases import FILES, FOLDER, UNSUPPORTED, checked, read

MODULES = (test_changes, test_credits, test_meters, test_proration, test_rating)
"""The modules whose tests take the cases: importing them fills `checked`."""

MOST_LEFT_OUT = 20
"""At most one case in this many may be unsupported: 5 %."""


def test_the_folder_is_there() -> None:
    missing = [file for file in FILES if not (FOLDER / file).is_file()]
    assert not missing, f"{FOLDER} holds no {', '.join(missing)}: set TRUEUP_CONFORMANCE to the conformance folder"


@pytest.mark.parametrize("file", FILES)
def test_the_table_names_exactly_the_cases_left_out(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    ids = {case["id"] for case in read(file)}
    named = UNSUPPORTED[file].keys() & ids
    with capsys.disabled():
        print(f"\n{file}: {len(ids & checked[file])} of {len(ids)} cases checked")
        for name in sorted(named):
            print(f"  not supported: {name}: {UNSUPPORTED[file][name]}")
    assert ids - checked[file] == named
    assert len(named) * MOST_LEFT_OUT <= len(ids)
