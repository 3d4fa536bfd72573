"""What `measure:` says instead of a query: something counted by window, and when its course is a finding.

A measure compiles to the one SELECT of a rule (`detector.measure_sql`), so that all that holds for queries holds for
it too. The compiled SELECT returns the columns of `by`, `period_start`, `period_end`, `value`, `usual` and `exposure`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from billing.periods import Duration, parse_duration, timezone_named

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Condition = Annotated[str, StringConstraints(min_length=1, max_length=2_000, strip_whitespace=True)]
Length = Annotated[
    Duration,
    BeforeValidator(
        lambda value: parse_duration(value) if isinstance(value, str) else value, json_schema_input_type=str
    ),
]
MOST_STEPS = 60


def _timezone(value: str) -> str:
    timezone_named(value)
    return value


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Window(_Part):
    """The stretches of time that are compared: one of tumbling, sliding, calendar and billing_period."""

    tumbling: Length | None = Field(default=None, description="One after another, this long: PT1H, P1D, P7D.")
    sliding: Length | None = Field(default=None, description="This long, a new one beginning `every` so often.")
    every: Length | None = Field(default=None, description="Between the starts of two sliding windows.")
    calendar: Literal["day", "week", "month", "quarter", "year"] | None = None
    billing_period: bool = Field(default=False, description="The periods of the item that `by` names.")
    timezone: Annotated[str, BeforeValidator(_timezone)] = Field(default="UTC", description="IANA name.")
    lag: Length | None = Field(default=None, description="How long to wait after a window's end for what comes late.")

    @model_validator(mode="after")
    def _one_kind(self) -> Window:
        kinds = [name for name in ("tumbling", "sliding", "calendar", "billing_period") if getattr(self, name)]
        if len(kinds) != 1:
            raise ValueError("say one of tumbling, sliding, calendar, billing_period")
        if bool(self.every) != bool(self.sliding):
            raise ValueError("sliding and every go together: {sliding: P7D, every: P1D}")
        for length in (self.tumbling, self.sliding, self.every):
            if length is not None and length.months:
                raise ValueError("months are of different lengths; use calendar: month")
        if self.sliding and self.every and not 1 <= self.steps <= MOST_STEPS:
            raise ValueError(f"a sliding window has 1 to {MOST_STEPS} whole steps of `every`")
        return self

    @property
    def steps(self) -> int:
        """How many sliding windows hold one instant; 0 where they do not divide evenly."""
        if not self.sliding or not self.every:
            return 1
        whole, rest = divmod(self.sliding.mean_seconds, self.every.mean_seconds)
        return 0 if rest else whole


class Value(_Part):
    """What is made of a window's rows: one function of one column; `count` counts rows."""

    sum: Name | None = None
    count: bool = False
    unique_count: Name | None = None
    avg: Name | None = None
    min: Name | None = None
    max: Name | None = None
    latest: Name | None = None
    p95: Name | None = None

    @model_validator(mode="after")
    def _one_function(self) -> Value:
        if len(self.given) != 1:
            raise ValueError(f"say one of {', '.join(type(self).model_fields)}")
        return self

    @property
    def given(self) -> dict[str, Any]:
        """The function with its column."""
        return {name: value for name in type(self).model_fields if (value := getattr(self, name))}


class Other(_Part):
    """Another series, measured over the same `by` and windows."""

    of: Name
    at: Name
    where: Condition | None = None
    value: Value = Value(count=True)


class Trigger(_Part):
    """When a window is a finding: one comparison, and how much it takes to count."""

    above: Any = Field(default=None, description="The value is above this.")
    below: Any = Field(default=None, description="The value is below this.")
    rises: Any = Field(default=None, description="Per cent above the window before.")
    falls: Any = Field(default=None, description="Per cent below the window before.")
    weekday: Any = Field(
        default=None, description="Per cent away from the median of the same weekday, eight weeks back."
    )
    robust_z: Any = Field(default=None, description="Robust z away from the median of the windows before.")
    ratio_above: Any = Field(default=None, description="The value divided by that of `to` is above this.")
    ratio_below: Any = Field(default=None, description="The value divided by that of `to` is below this.")
    exists: bool = Field(default=False, description="There is anything.")
    absent: bool = Field(default=False, description="There is nothing, where the windows before had something.")
    missing_in: bool = Field(default=False, description="There is something, and nothing in `to`: a set difference.")
    to: Other | None = None
    least: Any = Field(default=0, description="The least distance from what is usual, in the value's own unit.")
    least_history: int = Field(default=0, ge=0, le=1_000, description="Windows that have to be there before.")
    in_a_row: int = Field(default=1, ge=1, le=60, description="So many windows in a row.")

    @model_validator(mode="after")
    def _one_comparison(self) -> Trigger:
        if len(self.given) != 1:
            raise ValueError(f"say one of {', '.join(COMPARISONS)}")
        needs_other = self.given.keys() & {"ratio_above", "ratio_below", "missing_in"}
        if bool(needs_other) != (self.to is not None):
            raise ValueError("`to` names the other series of a ratio or of missing_in, and of nothing else")
        return self

    @property
    def given(self) -> dict[str, Any]:
        """The comparison with its number."""
        return {
            name: value for name in COMPARISONS if (value := getattr(self, name)) is not None and value is not False
        }


COMPARISONS = (
    "above", "below", "rises", "falls", "weekday", "robust_z", "ratio_above", "ratio_below", "exists", "absent",
    "missing_in",
)  # fmt: skip


class Measure(_Part):
    """Something counted by window for each of `by`, and when that is a finding."""

    of: Name = Field(description="A table of the books or a derived relation.")
    at: Name = Field(description="Its column with the instant or the day.")
    by: tuple[Name, ...] = Field(min_length=1, description="Columns that tell series apart; `integration` always.")
    where: Condition | None = Field(default=None, description="A condition on its rows, in SQL.")
    value: Value = Value(count=True)
    money: bool = Field(default=False, description="The value is money in the column `currency` of `by`.")
    window: Window
    trigger: Trigger
    within: Length = Field(default=Duration(days=35), description="Windows that ended longer ago are let be.")

    @model_validator(mode="after")
    def _named(self) -> Measure:
        if "integration" not in self.by:
            raise ValueError("by names integration too: [integration, customer_id]")
        if self.money and "currency" not in self.by:
            raise ValueError("money needs currency among `by`, because currencies are never added up")
        if self.money and not self.value.given.keys() & {"sum", "min", "max", "latest"}:
            raise ValueError("money is a sum, min, max or latest; an average or a quantile is none")
        if self.window.billing_period and "item_id" not in self.by:
            raise ValueError("billing periods are an item's: name item_id in `by`")
        return self
