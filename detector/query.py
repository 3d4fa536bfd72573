"""What a rule's query may be: one SELECT over the books and what is derived from them, and nothing else.

Two parsers have to agree. sqlglot reads the query first: it bounds size and depth before anything recurses, says
where a syntax error is, and keeps the query translatable to other engines. DuckDB's own tree, the one that will be
run, is then walked with an allow-list: a kind of node, relation or function that is not listed is refused.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import duckdb
import sqlglot
from sqlglot import Token, TokenType, exp
from sqlglot.dialects import DuckDB
from sqlglot.errors import ParseError, TokenError

from detector import query_functions as functions_of
from detector import query_growth

MAX_CHARACTERS = 30_000
MAX_TOKENS = 6_000
MAX_DEPTH = 40
AS_OF = "as_of"
"""The parameter that every query may use: the instant of the run, a TIMESTAMP in UTC."""

_OPENING = {TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE, TokenType.CASE}
_CLOSING = {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE, TokenType.END}
_FIRST_WORDS = {TokenType.SELECT, TokenType.WITH, TokenType.FROM, TokenType.L_PAREN}
_EXPRESSIONS = {
    "BETWEEN", "CASE", "CAST", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT", "FUNCTION", "LAMBDA",
    "LAMBDA_REF", "OPERATOR", "PARAMETER", "STAR", "SUBQUERY", "TYPE", "WINDOW",
}  # fmt: skip
_NODES = {"SELECT_NODE", "SET_OPERATION_NODE"}
_RELATIONS = {"BASE_TABLE", "SUBQUERY", "JOIN", "EMPTY", "EXPRESSION_LIST", "TABLE_FUNCTION"}


@dataclass(frozen=True)
class QueryProblem:
    """Why a query is refused, and where in its text (both from 1; None when it is about the whole)."""

    message: str
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True)
class Inspection:
    """What a query reads and needs; safe to run only when `problems` is empty."""

    problems: tuple[QueryProblem, ...]
    relations: frozenset[str] = frozenset()
    parameters: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Vocabulary:
    """What a query may name: relations and functions beyond the built-in ones."""

    relations: frozenset[str]
    functions: frozenset[str] = frozenset()


def inspect(sql: str, vocabulary: Vocabulary, parameters: Collection[str] = ()) -> Inspection:
    """Whether `sql` is safe to run, and which relations and parameters it uses.

    `parameters` are the declared names; `$as_of` is always there. Nothing is executed.
    """
    tokens, problems = _tokens(sql)
    problems = problems or _refuse_by_syntax(sql, tokens)
    if problems:
        return Inspection(tuple(problems))
    tree, problems = _engine_tree(sql)
    if problems:
        return Inspection(tuple(problems))
    walk = _Walk(sql, vocabulary, frozenset(parameters) | {AS_OF})
    try:
        walk.over(tree)
    except RecursionError:
        return Inspection((_too_deep(),))
    found = sorted(set(walk.problems), key=lambda problem: (problem.line or 0, problem.column or 0, problem.message))
    return Inspection(tuple(found), frozenset(walk.relations), frozenset(walk.parameters))


def relations(sql: str, vocabulary: Vocabulary) -> frozenset[str]:
    """The relations that a checked query reads, so that only those are derived for it."""
    return inspect(sql, vocabulary).relations


def position(message: str) -> tuple[int | None, int | None]:
    """The line and column inside the query that one of DuckDB's error messages points at, if it does."""
    found = re.search(r"^LINE (\d+): (.*)\n( *)\^", message, re.MULTILINE)
    if not found:
        return None, None
    prefix = len(f"LINE {found[1]}: ")
    shortened = found[2].startswith("...")
    return int(found[1]), None if shortened else len(found[3]) - prefix + 1


def _tokens(sql: str) -> tuple[list[Token], list[QueryProblem]]:
    """The words of a query that is small and flat enough to be parsed, and begins as one."""
    if len(sql) > MAX_CHARACTERS:
        return [], [QueryProblem(f"the query has {len(sql)} characters; at most {MAX_CHARACTERS} are allowed")]
    try:
        tokens = sqlglot.tokenize(sql, read="duckdb")
    except TokenError as error:
        return [], [QueryProblem(f"the query cannot be read: {_first_line(error)}")]
    if len(tokens) > MAX_TOKENS:
        return [], [QueryProblem(f"the query has {len(tokens)} words; at most {MAX_TOKENS} are allowed")]
    return tokens, list(_refuse_kind(tokens)) or list(_refuse_depth(tokens))


def _refuse_kind(tokens: list[Token]) -> Iterator[QueryProblem]:
    """Everything but a query goes by its first word, before any parser meets it."""
    if not tokens:
        yield QueryProblem("the query is empty")
    elif tokens[0].token_type not in _FIRST_WORDS:
        yield _only_select(tokens[0].text.upper())


def _refuse_depth(tokens: list[Token]) -> Iterator[QueryProblem]:
    depth = 0
    for token in tokens:
        depth += (token.token_type in _OPENING) - (token.token_type in _CLOSING)
        if depth > MAX_DEPTH:
            yield QueryProblem(f"nested more than {MAX_DEPTH} deep", token.line, token.col)
            return


def _refuse_by_syntax(sql: str, tokens: list[Token]) -> list[QueryProblem]:
    try:
        statements = [statement for statement in DuckDB().parser().parse(tokens, sql) if statement is not None]
    except ParseError as error:
        return [_syntax_problem(error)]
    except RecursionError:
        return [_too_deep()]
    if len(statements) > 1:
        return [QueryProblem(f"one SELECT is allowed; here are {len(statements)} statements")]
    parts = [statements[0], *(part.this for part in statements[0].find_all(exp.CTE))]
    if written := [part for part in parts if not isinstance(part, exp.Query)]:
        return [_only_select(written[0].key.upper())]
    return []


def _only_select(said: str) -> QueryProblem:
    return QueryProblem(f"only SELECT is allowed, because a rule can only read; this is {said}", 1, 1)


def _syntax_problem(error: ParseError) -> QueryProblem:
    first: dict[str, Any] = error.errors[0] if error.errors else {}
    near = first.get("highlight")
    said = re.sub(r" (missing for <class .*|but got <Token .*)", " missing", str(first.get("description") or error))
    where = f" at {near!r}" if near else ""
    column = first.get("col")
    column = column - len(near) + 1 if column and near else column
    return QueryProblem(f"the query cannot be parsed{where}: {said.rstrip('.')}", first.get("line"), column)


def _too_deep() -> QueryProblem:
    return QueryProblem("nested too deeply to be read; split it into named parts with WITH")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


@cache
def _parser() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:")
    connection.execute("SET enable_external_access = false; SET lock_configuration = true")
    return connection


def _engine_tree(sql: str) -> tuple[Any, list[QueryProblem]]:
    """DuckDB's own parse of the query, as plain lists and dicts."""
    row = _parser().cursor().execute("SELECT json_serialize_sql($sql)", {"sql": sql}).fetchone()
    try:
        tree = json.loads(row[0] if row else "{}")
    except RecursionError:
        return None, [_too_deep()]
    if tree.get("error"):
        message = str(tree.get("error_message", "not a SELECT"))
        line, column = _line_and_column(sql, int(tree["position"])) if "position" in tree else (None, None)
        return None, [QueryProblem(f"DuckDB refuses the query: {message}", line, column)]
    if len(tree["statements"]) != 1:
        return None, [QueryProblem("one SELECT is allowed")]
    return tree["statements"][0]["node"], []


def _line_and_column(sql: str, offset: int) -> tuple[int | None, int | None]:
    """Line and column, both from 1, of a byte offset; unknown for the offsets that DuckDB leaves unset."""
    encoded = sql.encode()
    if offset > len(encoded):
        return None, None
    before = encoded[:offset].decode(errors="ignore")
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


class _Walk:
    """One pass over DuckDB's tree with a stack of our own, so that no depth can break it.

    A name of a WITH part counts only where it is visible; elsewhere it would be looked up as a table or file.
    """

    def __init__(self, sql: str, vocabulary: Vocabulary, parameters: frozenset[str]) -> None:
        self.sql = sql
        self.vocabulary = vocabulary
        self.declared = parameters
        self.functions = functions_of.ALLOWED | vocabulary.functions
        self.problems: list[QueryProblem] = []
        self.relations: set[str] = set()
        self.parameters: set[str] = set()
        self.growth = 1

    def over(self, tree: Any) -> None:
        """Check everything below `tree`; what is found is in `problems`, `relations` and `parameters`."""
        stack: list[tuple[Any, frozenset[str]]] = [(tree, frozenset())]
        while stack:
            value, scope = stack.pop()
            if isinstance(value, list):
                stack.extend((child, scope) for child in value)
            elif isinstance(value, dict):
                scope = self._with_parts(value, scope, stack)
                self._check(value, scope)
                stack.extend((child, scope) for key, child in value.items() if key != "cte_map")

    def _with_parts(
        self, node: Mapping[str, Any], scope: frozenset[str], stack: list[tuple[Any, frozenset[str]]]
    ) -> frozenset[str]:
        """The names visible in `node`; its WITH parts go on the stack, each seeing only those before it."""
        for part in (node.get("cte_map") or {}).get("map", []):
            name = part["key"].lower()
            if name in self.vocabulary.relations:
                self._refuse(f"the WITH part {name!r} hides the relation of that name; call it something else", node)
            inside = scope | {name} if _is_recursive(part) else scope
            stack.append((part["value"], inside))
            scope |= {name}
        return scope

    def _check(self, node: Mapping[str, Any], scope: frozenset[str]) -> None:
        kind = str(node.get("type", ""))
        if node.get("table_function"):
            return
        if "class" in node:
            self._check_expression(node)
        elif kind == "RECURSIVE_CTE_NODE":
            self._refuse("WITH RECURSIVE is not allowed, because it may never end", node)
        elif kind.endswith("_NODE") and kind not in _NODES:
            self._refuse(f"{kind.removesuffix('_NODE')} is not allowed in a rule's query", node)
        elif "sample" in node and "alias" in node:
            self._check_relation(node, scope)
        elif node.get("sample"):
            self._refuse("sampling is not allowed, because two runs would differ", node)

    def _check_relation(self, node: Mapping[str, Any], scope: frozenset[str]) -> None:
        kind = node["type"]
        if node["sample"] or node.get("at_clause"):
            self._refuse("sampling and AT are not allowed; a run already reads one snapshot", node)
        if kind == "TABLE_FUNCTION":
            self._check_table_function(node)
        elif kind == "BASE_TABLE":
            self._check_table(node, scope)
        elif kind not in _RELATIONS:
            self._refuse(f"{kind} is not allowed in FROM", node)

    def _check_table_function(self, node: Mapping[str, Any]) -> None:
        name = str(node["function"].get("function_name", ""))
        node["function"]["table_function"] = True
        if name != "unnest":
            self._refuse(f"the table function {name}() is not allowed; a rule reads only the books", node)

    def _check_table(self, node: Mapping[str, Any], scope: frozenset[str]) -> None:
        name = str(node["table_name"]).lower()
        if node["schema_name"] or node["catalog_name"]:
            full = ".".join(part for part in (node["catalog_name"], node["schema_name"], name) if part)
            self._refuse(f"{full} is not allowed; write the bare name of a documented relation", node)
        elif name in scope:
            return
        elif name in self.vocabulary.relations:
            self.relations.add(name)
        else:
            self._refuse(f"there is no relation {name!r}{_nearest(name, self.vocabulary.relations)}", node)

    def _check_expression(self, node: Mapping[str, Any]) -> None:
        kind = node["class"]
        if kind not in _EXPRESSIONS:
            self._refuse(f"{kind.replace('_', ' ').lower()} is not allowed in a rule's query", node)
        elif kind in ("FUNCTION", "WINDOW"):
            self._check_function(node)
        elif kind == "PARAMETER":
            self._check_parameter(str(node["identifier"]))
        elif kind == "COLUMN_REF" and len(node["column_names"]) == 1:
            self._check_bare_name(str(node["column_names"][0]).lower(), node)

    def _check_function(self, node: Mapping[str, Any]) -> None:
        name = str(node["function_name"]).lower()
        if node.get("catalog") or node.get("schema") not in ("", "main"):
            self._refuse(f"{name}() is not allowed with a schema", node)
        elif name in functions_of.CLOCKS:
            self._refuse(f"{name}() is not allowed; use ${AS_OF}, so that a run can be repeated", node)
        elif name in functions_of.CHANCE:
            self._refuse(f"{name}() is not allowed, because two runs would differ", node)
        elif name in query_growth.FORMATS and (why := query_growth.refuse_format(node)):
            self._refuse(why, node)
        elif name in query_growth.REPLACEMENTS:
            self._check_growth(node)
        elif name not in self.functions:
            self._refuse(f"the function {name}() is not allowed{_nearest(name, self.functions)}", node)

    def _check_growth(self, node: Mapping[str, Any]) -> None:
        self.growth *= query_growth.growth(node)
        if self.growth > query_growth.MOST_GROWTH:
            self._refuse("its replacements may make a text too long; write shorter ones, or fewer", node)

    def _check_bare_name(self, name: str, node: Mapping[str, Any]) -> None:
        if name in functions_of.CLOCKS:
            self._refuse(f"{name} is not allowed; use ${AS_OF}, so that a run can be repeated", node)
        elif name in functions_of.SESSION_NAMES:
            self._refuse(f"{name} is not allowed; a rule reads only the books", node)

    def _check_parameter(self, name: str) -> None:
        self.parameters.add(name)
        if name not in self.declared:
            found = re.search(rf"\${re.escape(name)}\b|\?", self.sql)
            line, column = (
                _line_and_column(self.sql, len(self.sql[: found.start()].encode())) if found else (None, None)
            )
            message = f"${name} is not declared under params{_nearest(name, self.declared)}"
            self.problems.append(QueryProblem(message, line, column))

    def _refuse(self, message: str, node: Mapping[str, Any]) -> None:
        line, column = _line_and_column(self.sql, int(node.get("query_location", 2**63)))
        self.problems.append(QueryProblem(message, line, column))


def _is_recursive(part: Mapping[str, Any]) -> bool:
    return bool(part["value"]["query"]["node"]["type"] == "RECURSIVE_CTE_NODE")


def _nearest(name: str, known: Collection[str]) -> str:
    """A suggestion for a mistyped name, ready to be appended to a message; empty when nothing is close."""
    close = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.75)
    return f"; did you mean {close[0]}?" if close else ""
