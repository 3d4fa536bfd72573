"""A rule's parameters: typed values with bounds, bound to the query as `$name` and never pasted into it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

import duckdb
from pydantic import BaseModel, ConfigDict, Field, model_validator

from billing.periods import Duration, parse_duration


class ParameterType(StrEnum):
    """What a parameter holds; DECIMAL, BIGINT, VARCHAR, BOOLEAN and INTERVAL in the query."""

    DECIMAL = "decimal"
    INT = "int"
    TEXT = "text"
    BOOL = "bool"
    DURATION = "duration"


Value = Decimal | int | str | bool | Duration


class Parameter(BaseModel):
    """One parameter as a rule file declares it. `why` tells whoever tunes it what moves with it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: ParameterType
    default: Any = Field(description="The value when nothing else is set.")
    min: Any = Field(default=None, description="The smallest value that makes sense; numbers and durations only.")
    max: Any = Field(default=None, description="The largest value that makes sense; numbers and durations only.")
    why: str = Field(min_length=1, description="What the parameter is for, in one sentence.")

    @model_validator(mode="after")
    def _consistent(self) -> Parameter:
        if self.type in (ParameterType.TEXT, ParameterType.BOOL) and (self.min is not None or self.max is not None):
            raise ValueError(f"min and max have no meaning for {self.type}")
        for bound in (self.min, self.max):
            if bound is not None:
                _read(self.type, bound)
        self.parse(self.default)
        return self

    def parse(self, raw: object) -> Value:
        """The typed value of what a file, a form or `--set` gave. Raises ValueError when it does not fit."""
        value = _read(self.type, raw)
        if self.min is not None and _order(value) < _order(_read(self.type, self.min)):
            raise ValueError(f"{raw} is below the minimum of {self.min}")
        if self.max is not None and _order(value) > _order(_read(self.type, self.max)):
            raise ValueError(f"{raw} is above the maximum of {self.max}")
        return value


class ParameterError(ValueError):
    """A parameter that does not exist or a value that it does not take."""


def settle(declared: Mapping[str, Parameter], given: Mapping[str, object]) -> dict[str, Value]:
    """The value of every declared parameter: the given one, else its default. Raises ParameterError."""
    unknown = sorted(set(given) - set(declared))
    if unknown:
        known = ", ".join(sorted(declared)) or "none"
        raise ParameterError(f"there is no parameter {unknown[0]}; the rule has: {known}")
    values = {}
    for name, parameter in declared.items():
        try:
            values[name] = parameter.parse(given.get(name, parameter.default))
        except ValueError as error:
            raise ParameterError(f"parameter {name}: {error}") from None
    return values


def bind(values: Mapping[str, Value]) -> dict[str, object]:
    """The values as DuckDB takes them."""
    return {name: _bound(value) for name, value in values.items()}


def _bound(value: Value) -> object:
    if isinstance(value, Duration):
        interval = f"{value.months} months {value.days} days {value.seconds} seconds"
        return duckdb.Value(interval, duckdb.sqltype("INTERVAL"))
    return value


def _order(value: Value) -> Any:
    return value.mean_seconds if isinstance(value, Duration) else value


def _read(kind: ParameterType, raw: object) -> Value:
    return _READERS[kind](raw)


def _decimal(raw: object) -> Decimal:
    try:
        value = Decimal(str(raw))
    except InvalidOperation:
        value = Decimal("NaN")
    if isinstance(raw, bool) or not value.is_finite():
        raise ValueError(f"{raw!r} is not a decimal number")
    return value


def _int(raw: object) -> int:
    if isinstance(raw, bool) or not re.fullmatch(r"[+-]?\d{1,18}", str(raw)):
        raise ValueError(f"{raw!r} is not a whole number")
    return int(str(raw))


def _bool(raw: object) -> bool:
    words = {"true": True, "false": False}
    if str(raw).lower() not in words:
        raise ValueError(f"{raw!r} is neither true nor false")
    return words[str(raw).lower()]


_READERS: Mapping[ParameterType, Callable[[object], Value]] = {
    ParameterType.DECIMAL: _decimal,
    ParameterType.INT: _int,
    ParameterType.TEXT: str,
    ParameterType.BOOL: _bool,
    ParameterType.DURATION: lambda raw: parse_duration(str(raw)),
}
