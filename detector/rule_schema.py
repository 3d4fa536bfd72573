"""The JSON Schema of a rule file, made from the format itself, so that editors complete and check what loading does.

`python -m detector.rule_schema` writes docs/rule.schema.json; a test fails while the file is not what this makes. In a
rule file, `# yaml-language-server: $schema=rule.schema.json` lets an editor find it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from detector.rule_format import RuleFormat

FILE = Path(__file__).parent.parent / "docs" / "rule.schema.json"


def schema() -> dict[str, Any]:
    """The schema with the short forms that a file may use: `cause: customer`, `on: invoice.draft`, `expect: quiet`."""
    made = RuleFormat.model_json_schema()
    parts = made["$defs"]
    for name in ("Subject", "EntityColumns"):
        parts[name] = _or_a_type(parts[name])
    expect = parts["Case"]["properties"]["expect"]
    parts["Case"]["properties"]["expect"] = _either(expect, {"const": "quiet"})
    on = parts["Schedule"]["properties"]["on"]
    parts["Schedule"]["properties"]["on"] = _either(on, on["items"])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "A rule of Trueup"}


def text() -> str:
    """The schema as the file has it."""
    return json.dumps(schema(), indent=1) + "\n"


def _or_a_type(whole: dict[str, Any]) -> dict[str, Any]:
    """A record written as a map, whose id may be left out, or as its type alone."""
    needed = [name for name in whole["required"] if name != "id"]
    return _either({**whole, "required": needed}, {"$ref": "#/$defs/EntityType"})


def _either(long: dict[str, Any], short: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {name: long[name] for name in ("title", "description", "default") if name in long}
    return {**told, "anyOf": [{name: value for name, value in long.items() if name not in told}, short]}


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
