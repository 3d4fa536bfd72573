"""Changes single values inside a rule's text and leaves every other character, comments included, as it was.

So a form and the YAML edit the same draft: what a form changes is written where the value stands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import yaml

from detector.rule_text import Path

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")


def edited(text: str, changes: Mapping[Path, str]) -> str:
    """The text with the value at each path replaced by a piece of YAML; a path that is not there is left out.

    A text that is no YAML comes back as it is.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return text
    found = [(node, new) for path, new in changes.items() if (node := _at(root, path)) is not None]
    for node, new in sorted(found, key=lambda pair: pair[0].start_mark.index, reverse=True):
        start, end = node.start_mark.index, node.end_mark.index
        tail = text[start:end][len(text[start:end].rstrip()) :]
        text = text[:start] + new + tail + text[end:]
    return text


def scalar(value: str) -> str:
    """A word or number as YAML takes it; anything else in quotes."""
    return value if _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)


def _at(node: yaml.Node | None, path: Path) -> yaml.Node | None:
    for step in path:
        if not isinstance(node, yaml.MappingNode):
            return None
        node = next((value for key, value in node.value if key.value == step), None)
    return node
