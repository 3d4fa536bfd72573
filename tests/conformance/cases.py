"""The conformance folder: numeric facts from other billing engines' own tests, read as parametrised cases."""

from __future__ import annotations

import json
import os
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

Case = dict[str, Any]

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("TRUEUP_CONFORMANCE", ROOT / "../shared/conformance"))
FILES = ("rating.json", "proration.json", "subscription_changes.json", "credits.json", "meters.json")

UNSUPPORTED: dict[str, dict[str, str]] = {file: {} for file in FILES}
"""Every case that no test checks, by file and id, with the reason."""

checked: dict[str, set[str]] = {file: set() for file in FILES}
"""The ids of the cases that some test takes, by file: filled as the test modules ask for them."""


def read(file: str) -> list[Case]:
    """All cases of one file; none where the folder is missing, which tests/conformance/test_coverage.py reports."""
    path = FOLDER / file
    found: list[Case] = json.loads(path.read_text(), parse_float=str) if path.is_file() else []
    return found


def cases(file: str, **wanted: str) -> list[Any]:
    """The supported cases of one file whose fields have the wanted values, each a test named by its id."""
    found = [
        case
        for case in read(file)
        if case["id"] not in UNSUPPORTED[file] and all(case.get(name) == value for name, value in wanted.items())
    ]
    checked[file] |= {case["id"] for case in found}
    return [pytest.param(case, id=case["id"]) for case in found]


def number(value: object) -> Decimal | None:
    """A decimal of a case, which may leave it out."""
    return None if value is None else Decimal(str(value))


def at(text: str) -> datetime:
    """An instant; a date is its midnight in UTC."""
    found = datetime.fromisoformat(text)
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def day(text: str) -> date:
    """A calendar date, whatever the time that stands behind it."""
    return date.fromisoformat(text[:10])
