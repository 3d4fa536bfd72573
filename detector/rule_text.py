"""Reads a rule file's YAML into plain values, remembering on which line each of them stands.

A small, calm part of YAML: maps, lists, text, numbers, true, false and null. Numbers with a point become exact
decimals; dates and times stay text; `on`, `off`, `yes` and `no` stay words. Anchors, aliases, tags, duplicate keys
and several documents are refused, and so is a file too large or nested too deeply to be a rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import yaml

MAX_CHARACTERS = 200_000
MAX_DEPTH = 20
Path = tuple[str | int, ...]
"""Where a value stands inside the file: keys and positions from the top."""


@dataclass(frozen=True)
class TextProblem:
    """What is wrong with the file's text, and on which line (from 1)."""

    line: int
    message: str


@dataclass
class RuleText:
    """The values of a file, the line of each, and what could not be read.

    `lines` has the line of each key or list entry; `blocks` the first line and indentation of the content of each
    literal block (`key: |`), so that a position inside a query can be named by its line in the file.
    """

    values: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    blocks: dict[Path, tuple[int, int]] = field(default_factory=dict)
    problems: list[TextProblem] = field(default_factory=list)

    def line(self, path: Path) -> int:
        """The line of the value at `path`, or of the nearest part above it that the file has."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return 1

    def position(self, path: Path, line: int | None, column: int | None) -> tuple[int, int | None]:
        """Line and column in the file of a line and column inside the text at `path`."""
        if line is None or path not in self.blocks:
            return self.line(path), None
        first, indent = self.blocks[path]
        return first + line - 1, None if column is None else column + indent


def read(text: str) -> RuleText:
    """Read the text of one rule file; every problem found is in the result, nothing is raised."""
    if len(text) > MAX_CHARACTERS:
        return RuleText(problems=[TextProblem(1, f"the file has more than {MAX_CHARACTERS} characters")])
    result = RuleText()
    try:
        result.problems.extend(_refusals(text))
        node = None if result.problems else yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(part for part in (error.context, error.problem) if part)
        result.problems.append(TextProblem(mark.line + 1 if mark else 1, f"this is not YAML: {said}"))
        return result
    except yaml.YAMLError as error:
        result.problems.append(TextProblem(1, f"this is not YAML: {str(error).splitlines()[0]}"))
        return result
    if node is not None:
        lines = text.splitlines()
        result.values = _Reading(result, lines).value(node, ())
    elif not result.problems:
        result.problems.append(TextProblem(1, "the file is empty"))
    return result


class _Loader(yaml.CSafeLoader):
    """Resolves only null, true, false and numbers; every other plain word is text."""


_Loader.yaml_implicit_resolvers = {}

_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|)$"), ["~", "n", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), ["t", "f"])
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?\d{1,30}$"), list("-+0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"^[-+]?\d{1,30}\.\d{1,30}$"), list("-+0123456789"))

_PLAIN_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "map", "seq")}


def _refusals(text: str) -> Iterator[TextProblem]:
    """What the parser's events already forbid, before anything is built from them."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=_Loader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        documents += isinstance(event, yaml.DocumentStartEvent)
        if depth > MAX_DEPTH:
            yield TextProblem(line, f"nested more than {MAX_DEPTH} deep")
            return
        if documents > 1:
            yield TextProblem(line, "one rule per file; a second document starts here")
            return
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            yield TextProblem(line, "anchors and aliases are not allowed; write the value out")


@dataclass
class _Reading:
    """Turns nodes into values and fills in where they stand."""

    result: RuleText
    text: list[str]

    def value(self, node: yaml.Node, path: Path) -> Any:
        """The plain value of a node that stands at `path`; what it may not be is a problem of the result."""
        self.result.lines.setdefault(path, node.start_mark.line + 1)
        if node.tag not in _PLAIN_TAGS:
            self._problem(node, f"the tag {node.tag} is not allowed")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._map(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child, (*path, index)) for index, child in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node, path)

    def _map(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is None:
                self._problem(key_node, "a key has to be a word")
            elif key in values:
                self._problem(key_node, f"{key} is here twice")
            else:
                self.result.lines[(*path, key)] = key_node.start_mark.line + 1
                values[key] = self.value(value_node, (*path, key))
        return values

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        if node.style == "|":
            self.result.blocks[path] = self._block(node)
        kind = node.tag.rpartition(":")[2]
        if kind == "null":
            return None
        if kind == "bool":
            return node.value == "true"
        if kind == "int":
            return int(node.value)
        return Decimal(node.value) if kind == "float" else node.value

    def _block(self, node: yaml.ScalarNode) -> tuple[int, int]:
        first = node.start_mark.line + 2
        content = next((line for line in self.text[first - 1 :] if line.strip()), "")
        return first, len(content) - len(content.lstrip(" "))

    def _problem(self, node: yaml.Node, message: str) -> None:
        self.result.problems.append(TextProblem(node.start_mark.line + 1, message))
