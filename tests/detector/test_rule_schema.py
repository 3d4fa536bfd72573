"""The JSON Schema for editors takes every rule file, refuses what loading refuses by shape, and is kept current."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from detector import rule_schema, rule_text

ROOT = Path(__file__).parents[2]
SCHEMA = Draft202012Validator(rule_schema.schema())


def mistakes(value: Any) -> list[str]:
    """What an editor's validator says of a file's values: `place: why`."""
    return [f"{error.json_path.removeprefix('$')}: {error.message}" for error in SCHEMA.iter_errors(value)]


FILES = [path for path in sorted((ROOT / "rules").rglob("*.yaml")) if path.parent.name != "cases"]


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_every_rule_file_is_taken(path: Path) -> None:
    values = rule_text.read(path.read_text(encoding="utf-8")).values
    assert mistakes(values) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"severity": "awful"}, ".severity: 'awful' is not one of"),
        ({"entity": "invoice"}, ": Additional properties are not allowed ('entity' was unexpected)"),
        ({"name": "Bad Name"}, ".name: 'Bad Name' does not match"),
        ({"cause": "customers"}, ".cause: 'customers' is not valid under any of the given schemas"),
        ({"cause": {"id": "customer_id"}}, ".cause: {'id': 'customer_id'} is not valid under any of the given schemas"),
        ({"schedule": {"daily": "06:00", "on": "noon"}}, ".schedule.on: 'noon' is not valid under any of"),
        ({"entities": []}, ".entities: [] should be non-empty"),
    ],
)
def test_what_loading_refuses_by_its_shape_is_refused(change: dict[str, Any], said: str) -> None:
    values = rule_text.read(FILES[0].read_text(encoding="utf-8")).values | change
    (mistake,) = mistakes(values)
    assert mistake.startswith(said)


def test_a_field_that_is_missing_is_refused() -> None:
    values = rule_text.read(FILES[0].read_text(encoding="utf-8")).values
    del values["cause"]
    assert mistakes(values) == [": 'cause' is a required property"]


def test_the_file_is_what_the_format_says() -> None:
    told = "docs/rule.schema.json is not what the format says: run `python -m detector.rule_schema`"
    assert rule_schema.FILE.read_text(encoding="utf-8") == rule_schema.text(), told
