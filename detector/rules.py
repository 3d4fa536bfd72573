"""Rules: one YAML file each, loaded as values, with every mistake of every file reported by line.

Loading runs nothing of a rule: the query is parsed, walked and bound against empty relations, the cases are read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Any

import duckdb
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from detector import case_rows, checked_queries, covering, measure_sql, query, rule_text, vocabulary
from detector.checked_queries import Checked
from detector.parameters import Parameter, bind, settle
from detector.rule_format import EntityColumns, RuleFormat
from detector.rule_text import RuleText

CASES_FOLDER = "cases"
"""The folder beside the rules that holds the company of their cases."""

FAULTS = frozenset(f"TU-{number:02}" for number in range(1, 65))
"""The faults of the catalogue (faults.md); a rule may cover one that no rule detects yet."""

TITLE_WORDS = frozenset({"impact"})
"""What a title may name besides the query's columns."""

STORY_WORDS = frozenset({"under", "over", "exposure", "period", "unit"})
"""What a sentence of its page may name besides the query's columns."""


class Rule(RuleFormat):
    """A rule that is fit to run: its file's fields, and what loading found out about them."""

    path: Path
    text: str
    content_hash: str
    relations: frozenset[str]
    uses: frozenset[str]


@dataclass(frozen=True, order=True)
class RuleProblem:
    """One mistake in a rule file. `line` and `column` count from 1."""

    path: Path
    line: int
    message: str
    column: int | None = None

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" + (f":{self.column}" if self.column else "")
        return f"{place}: {self.message}"


def load(folder: Path) -> tuple[list[Rule], list[RuleProblem]]:
    """Every sound rule below `folder`, ordered by code and name, and every mistake of the others."""
    rules: list[Rule] = []
    problems: list[RuleProblem] = []
    for path in sorted(folder.rglob("*.yaml")):
        if CASES_FOLDER in path.relative_to(folder).parts:
            continue
        rule, found = read(path)
        problems.extend(found)
        if rule is not None:
            rules.append(rule)
    problems.extend(_twice(rules))
    wrong = refused(rules)
    return sorted((rule for rule in rules if rule.path not in wrong), key=by_code), sorted([*problems, *_all(wrong)])


def refused(rules: Collection[Rule]) -> dict[Path, list[RuleProblem]]:
    """By file, what is wrong with whom rules cover, which only shows beside all the others."""
    found: dict[Path, list[RuleProblem]] = {}
    for rule, index, message in covering.mistakes(rules, FAULTS):
        line = rule_text.read(rule.path.read_text(encoding="utf-8")).line(("covers", index))
        found.setdefault(rule.path, []).append(RuleProblem(rule.path, line, f"covers: {message}"))
    return found


def _all(wrong: Mapping[Path, Iterable[RuleProblem]]) -> Iterator[RuleProblem]:
    return (problem for problems in wrong.values() for problem in problems)


def read(path: Path) -> tuple[Rule | None, list[RuleProblem]]:
    """One rule file: the rule, or None and everything that is wrong with the file."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return None, [RuleProblem(path, 1, f"the file cannot be read: {error}")]
    return parse(text, path)


def parse(text: str, path: Path) -> tuple[Rule | None, list[RuleProblem]]:
    """As `read`, from text that need not be saved yet; `path` is where it would stand."""
    content = rule_text.read(text)
    problems = [RuleProblem(path, problem.line, problem.message) for problem in content.problems]
    if problems:
        return None, problems
    if not isinstance(content.values, dict):
        return None, [RuleProblem(path, 1, "a rule file is a map of fields: name, code, title, ...")]
    shape, problems = _shape(content, path)
    shape, found = _with_measure(content, path, shape)
    problems += found
    checked, found = _checked(content, path, shape)
    problems += found
    if shape is None or checked is None or problems:
        return None, sorted(problems)
    meaning = [*_meaning(shape, path), *_columns(shape, checked.columns)]
    problems += [RuleProblem(path, content.line(place), message) for place, message in meaning]
    if problems:
        return None, sorted(problems)
    return _rule(shape, text, path, checked), []


def _checked(content: RuleText, path: Path, shape: RuleFormat | None) -> tuple[Checked | None, list[RuleProblem]]:
    """What the query reads and returns, or why it is refused; of a file without a shape only the latter."""
    known = checked_queries.find(shape.query, shape.params) if shape else None
    if known is not None:
        return known, []
    inspection = _inspect(content.values if shape is None else {**content.values, "query": shape.query})
    problems = [_in_query(content, path, problem) for problem in inspection.problems]
    if shape is None or problems:
        return None, problems
    columns, unbound = returned(shape.query, shape.params)
    if unbound:
        return None, [_in_query(content, path, problem) for problem in unbound]
    made = Checked(tuple(sorted(inspection.relations)), tuple(sorted(inspection.parameters)), columns)
    checked_queries.remember(shape.query, shape.params, made)
    return made, []


def _rule(shape: RuleFormat, text: str, path: Path, checked: Checked) -> Rule:
    fields = {name: getattr(shape, name) for name in RuleFormat.model_fields}
    return Rule.model_construct(
        **fields,
        path=path,
        text=text,
        content_hash=content_hash(text),
        relations=frozenset(checked.relations),
        uses=frozenset(checked.parameters),
    )


def content_hash(text: str) -> str:
    """What names a rule's text: its sha256."""
    return hashlib.sha256(text.encode()).hexdigest()


def _with_measure(
    content: RuleText, path: Path, shape: RuleFormat | None
) -> tuple[RuleFormat | None, list[RuleProblem]]:
    """The rule with the query that its measure compiles to; one with a query of its own as it is."""
    if shape is None or shape.measure is None:
        return shape, []
    try:
        return shape.model_copy(update={"query": measure_sql.compiled(shape.measure)}), []
    except ValueError as error:
        return None, [RuleProblem(path, content.line(("measure",)), f"measure: {error}")]


def _shape(content: RuleText, path: Path) -> tuple[RuleFormat | None, list[RuleProblem]]:
    try:
        return RuleFormat.model_validate(content.values), []
    except ValidationError as error:
        errors = error.errors()
        return None, [_format_problem(content, path, dict(found)) for found in errors if not _follows(found, errors)]


def _follows(found: ErrorDetails, errors: Iterable[ErrorDetails]) -> bool:
    """Whether an error only says again, of a whole, what another says of its part."""
    length = len(found["loc"])
    return any(len(other["loc"]) > length and other["loc"][:length] == found["loc"] for other in errors)


def _format_problem(content: RuleText, path: Path, found: Mapping[str, Any]) -> RuleProblem:
    """One of pydantic's errors in a rule author's words, at the line of the value."""
    place = tuple(part for part in found["loc"] if isinstance(part, int) or part.isidentifier())
    known = [place[:length] for length in range(len(place), 0, -1) if place[:length] in content.lines]
    field = ".".join(str(part) for part in place)
    message = str(found["msg"]).removeprefix("Value error, ")
    if found["type"] == "extra_forbidden":
        message = "there is no such field"
    elif found["type"] == "missing":
        message = "this field is missing"
    return RuleProblem(path, content.line(known[0] if known else ()), f"{field}: {message}")


def _inspect(values: Mapping[str, Any]) -> query.Inspection:
    sql, params = values.get("query"), values.get("params")
    if not isinstance(sql, str):
        return query.Inspection(())
    declared = [str(name) for name in params] if isinstance(params, dict) else []
    return query.inspect(sql, vocabulary.known(), declared)


def _in_query(content: RuleText, path: Path, problem: query.QueryProblem) -> RuleProblem:
    field = "query" if ("query",) in content.lines else "measure"
    line, column = content.position((field,), problem.line, problem.column)
    return RuleProblem(path, line, f"{field}: {problem.message}", column)


def _meaning(shape: RuleFormat, path: Path) -> Iterator[tuple[rule_text.Path, str]]:
    """What is wrong with fields that are fine by themselves: where, and the message."""
    if path.stem != shape.name:
        yield ("name",), f"name: the file is called {path.name}; call it {shape.name}.yaml"
    unused = sorted(name for name in shape.params if f"${name}" not in shape.query)
    yield from ((("params", name), f"params.{name}: the query does not use ${name}") for name in unused)
    for place, message in case_rows.problems(shape.cases):
        yield ("cases", *place), message
    for index, case in enumerate(shape.cases):
        try:
            settle(shape.params, case.params)
        except ValueError as error:
            yield ("cases", index, "params"), str(error)


def returned(sql: str, params: Mapping[str, Parameter]) -> tuple[dict[str, str], list[query.QueryProblem]]:
    """The columns of a checked query with their SQL types, or why DuckDB cannot bind it to the documented relations."""
    try:
        bound = bind(settle(params, {})) | {query.AS_OF: vocabulary.EPOCH}
        return vocabulary.columns(sql, {name: value for name, value in bound.items() if f"${name}" in sql}), []
    except duckdb.Error as error:
        line, column = query.position(str(error))
        return {}, [query.QueryProblem(_said(error), line - 1 if line else None, column)]


def _said(error: duckdb.Error) -> str:
    return str(error).partition("\n\nLINE")[0].replace("\n", " ").strip()


def _columns(shape: RuleFormat, columns: Mapping[str, str]) -> Iterator[tuple[rule_text.Path, str]]:
    """Every column that a field names and the query does not return."""
    for place, name in _named(shape):
        if name not in columns:
            field = ".".join(str(part) for part in place)
            yield place, f"{field}: the query returns no column {name}; it returns {', '.join(columns)}"
    for field, name in shape.impact:
        if field != "currency" and columns.get(name, "DECIMAL").startswith(("DOUBLE", "FLOAT", "VARCHAR")):
            yield ("impact", field), f"impact.{field}: {name} is {columns[name]}; money has to be a DECIMAL"
    for index, entity in enumerate(shape.entities):
        if entity.each and entity.each in columns and not columns[entity.each].startswith("STRUCT"):
            yield ("entities", index, "each"), f"entities.{index}.each: {entity.each} is not a list of structs"


def _named(shape: RuleFormat) -> Iterator[tuple[rule_text.Path, str]]:
    yield ("query",), "integration"
    yield ("subject", "id"), shape.subject.id
    yield ("cause", "id"), shape.cause.id
    for part, values in (("period", shape.period), ("impact", shape.impact)):
        if values is not None:
            yield from (((part, field), name) for field, name in values if isinstance(name, str))
    yield from ((("group", index), name) for index, name in enumerate(shape.group))
    yield from ((("title",), name) for name in _title_columns(shape.title) if name not in TITLE_WORDS)
    for index, sentence in enumerate(shape.page.story):
        named = (name for name in _title_columns(sentence) if name not in STORY_WORDS)
        yield from ((("page", "story", index), name) for name in named)
    for index, entity in enumerate(shape.entities):
        yield from ((("entities", index, field), name) for field, name in _entity_columns(entity))


def _entity_columns(entity: EntityColumns) -> Iterable[tuple[str, str]]:
    if entity.each:
        return [("each", entity.each)]
    named = ((field, getattr(entity, field)) for field in EntityColumns.model_fields if field not in ("type", "role"))
    return [(field, name) for field, name in named if name and (field, name) != ("unit", "units")]


def _title_columns(title: str) -> list[str]:
    return [name for _, name, _, _ in Formatter().parse(title) if name is not None]


def by_code(rule: Rule) -> tuple[str, int, str]:
    """The order of the catalogue."""
    prefix, _, number = rule.code.partition("-")
    return prefix, int(number), rule.name


def _twice(rules: Iterable[Rule]) -> Iterator[RuleProblem]:
    first: dict[str, Path] = {}
    for rule in rules:
        if rule.name in first:
            yield RuleProblem(rule.path, 1, f"name: {rule.name} is also the name of {first[rule.name]}")
        first.setdefault(rule.name, rule.path)
