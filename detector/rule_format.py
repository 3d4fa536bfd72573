"""What a rule file says, field by field: the one definition behind loading, the editor's schema and the docs.

The values are the file's own; what needs the books (does the query read known relations, do the columns exist) is
checked by `detector.rules`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, time
from enum import StrEnum
from string import Formatter
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from billing.periods import Duration, parse_duration, timezone_named
from detector import cron
from detector.findings import EntityType, Role
from detector.measure_format import Measure
from detector.parameters import Parameter


class Category(StrEnum):
    """What kind of thing went wrong (faults.md, Cat)."""

    CONFIGURATION = "configuration"
    DATA_QUALITY = "data_quality"
    INTEGRATION = "integration"
    PRICING = "pricing"
    COLLECTION = "collection"


class Severity(StrEnum):
    """How bad one finding is (faults.md, Sev)."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Confidence(StrEnum):
    """Whether the books prove the finding or only make it likely."""

    EXACT = "exact"
    STATISTICAL = "statistical"


class Gate(StrEnum):
    """What a finding on a draft invoice does to it before it becomes final."""

    HOLD = "hold"
    WARN = "warn"
    NONE = "none"


PRIORITIES = {Severity.CRITICAL: "P1", Severity.HIGH: "P2", Severity.MEDIUM: "P3", Severity.LOW: "P4"}

ID_COLUMNS = {
    EntityType.CUSTOMER: "customer_id",
    EntityType.SUBSCRIPTION: "subscription_id",
    EntityType.ITEM: "item_id",
    EntityType.PRICE: "price_id",
    EntityType.PLAN: "plan_id",
    EntityType.METER: "meter_id",
    EntityType.USAGE_EVENT: "event_id",
    EntityType.REPORTED_USAGE: "record_id",
    EntityType.INVOICE: "invoice_id",
    EntityType.INVOICE_LINE: "line_id",
    EntityType.BILL_RUN: "bill_run_id",
    EntityType.PAYMENT: "payment_id",
    EntityType.CREDIT_NOTE: "credit_note_id",
    EntityType.CREDIT_GRANT: "grant_id",
    EntityType.CREDIT_MOVEMENT: "movement_id",
    EntityType.TOPUP_RULE: "topup_rule_id",
    EntityType.ENTITLEMENT: "entitlement_id",
    EntityType.DISCOUNT: "discount_id",
    EntityType.INTEGRATION: "integration",
    EntityType.SUBJECT: "subject",
    EntityType.SOURCE: "source",
}
"""The column that holds an entity's id unless the rule names another."""

Column = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
"""The name of a column that the query returns."""

Sentence = Annotated[str, StringConstraints(min_length=1, max_length=2000, strip_whitespace=True)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


def _duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _time(value: object) -> object:
    found = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", value) if isinstance(value, str) else None
    if isinstance(value, str) and not found:
        raise ValueError(f"{value!r} is not a time of day; write for example 06:00")
    return time(int(found[1]), int(found[2])) if found else value


def _utc(value: datetime | None) -> datetime | None:
    return value.replace(tzinfo=value.tzinfo or UTC) if value else None


def _timezone(value: str) -> str:
    timezone_named(value)
    return value


class Schedule(_Part):
    """When the rule runs: one of every, hourly, daily and cron, or none, and the events that run it at once."""

    every: Annotated[Duration | None, BeforeValidator(_duration, json_schema_input_type=str)] = Field(
        default=None, description="This long after the last start: PT60M."
    )
    hourly: int | None = Field(default=None, ge=0, le=59, description="At this minute of every hour.")
    daily: Annotated[time | None, BeforeValidator(_time, json_schema_input_type=str)] = Field(
        default=None, description="At this time of day in `timezone`: 06:00."
    )
    cron: Annotated[str, StringConstraints(pattern=r"^\S+( \S+){4}$")] | None = Field(
        default=None, description="Five fields: minute, hour, day, month, weekday; in `timezone`."
    )
    timezone: Annotated[str, BeforeValidator(_timezone)] = Field(default="UTC", description="IANA name.")
    on: tuple[Literal["invoice.draft", "integration.synced", "integration.reconciled"], ...] = Field(
        default=(), description="Events that run the rule at once."
    )

    @model_validator(mode="before")
    @classmethod
    def _one_event_or_many(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("on"), str):
            return {**value, "on": [value["on"]]}
        return value

    @model_validator(mode="after")
    def _one_rhythm(self) -> Schedule:
        rhythms = [name for name in ("every", "hourly", "daily", "cron") if getattr(self, name) is not None]
        if len(rhythms) > 1:
            raise ValueError(f"say one of {' and '.join(rhythms)}, not both")
        if not rhythms and not self.on:
            raise ValueError("say when the rule runs: every, hourly, daily, cron or on")
        if self.cron is not None:
            cron.parse(self.cron)
        return self


class Subject(_Part):
    """The one record that a finding is about, or the one to change: its type and the column with its id."""

    type: EntityType
    id: Column

    @model_validator(mode="before")
    @classmethod
    def _usual_column(cls, value: Any) -> Any:
        return _with_usual_id({"type": value} if isinstance(value, str) else value)


class PeriodColumns(_Part):
    """The columns with the period that a finding is about; half-open."""

    start: Column = "period_start"
    end: Column = "period_end"


class ImpactColumns(_Part):
    """The columns with the money; `difference` is expected - billed, its sign decides under or over."""

    currency: Column = "currency"
    difference: Column | None = None
    under: Column | None = None
    over: Column | None = None
    exposure: Column | None = None

    @model_validator(mode="after")
    def _some_amount(self) -> ImpactColumns:
        if self.difference and (self.under or self.over):
            raise ValueError("difference stands for both under and over; leave those out")
        if not (self.difference or self.under or self.over or self.exposure):
            raise ValueError("name a column with money: difference, or under, over, exposure")
        return self


class EntityColumns(_Part):
    """One kind of record that a finding lists. What is left out is looked up in the books by the record's id."""

    type: EntityType
    id: Column = Field(description="Column with the id, or with a list of ids.")
    role: Role = Role.AFFECTED
    each: Column | None = Field(
        default=None, description="A column with a list of structs: one record each; the columns below are its fields."
    )
    name: Column | None = None
    target_date: Column | None = None
    execution_date: Column | None = None
    status: Column | None = None
    expected: Column | None = None
    actual: Column | None = None
    unit: Column | None = Field(default=None, description="Column with the currency, or the word units.")

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return _with_usual_id({"type": value} if isinstance(value, str) else value)


def _with_usual_id(value: Any) -> Any:
    if not isinstance(value, dict) or "id" in value or value.get("type") not in set(EntityType):
        return value
    return {**value, "id": ID_COLUMNS[EntityType(value["type"])]}


class Said(StrEnum):
    """How a value of a finding is said in a sentence: {column:money}."""

    MONEY = "money"
    UNITS = "units"
    DAY = "day"


class Page(_Part):
    """What the page of a signal says of a finding beyond its title, in the words of whoever knows the rule."""

    story: tuple[Sentence, ...] = Field(
        default=(),
        description="What went wrong, in a sentence or two; the first one of which the row has every value. {column}, "
        "{column:money}, {column:units} or {column:day}; also {unit}, {period}, {under}, {over} and {exposure}.",
    )
    meaning: Sentence | None = Field(default=None, description="What the parting of the four numbers says.")
    billed: str | None = Field(default=None, max_length=40, description="What billed stands for, if not for that.")
    expected: str | None = Field(default=None, max_length=40, description="What expected stands for.")

    @field_validator("story")
    @classmethod
    def _plain_braces(cls, story: tuple[str, ...]) -> tuple[str, ...]:
        for sentence in story:
            for _, name, kind, conversion in _parts(sentence):
                if name == "" or conversion or (kind and kind not in set(Said)):
                    raise ValueError(
                        f"braces hold a column, or a column and one of {', '.join(Said)}: {{billed:money}}"
                    )
        return story


def _parts(template: str) -> list[tuple[str, str | None, str | None, str | None]]:
    try:
        return list(Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"{error}; write {{column}}") from None


class Step(_Part):
    """One step of the remedy: where, what to change, and what is then true."""

    system: Literal["product", "collector", "billing", "ledger", "payments", "tax", "crm", "trueup"]
    change: Sentence
    outcome: Sentence


RUN_AGAIN = Step(
    system="trueup",
    change="Run this rule again for the same period.",
    outcome="It finds nothing there any more, and the signal resolves itself.",
)


class Playbook(_Part):
    """What to do about it, root cause before consequences."""

    contain: tuple[Step, ...] = Field(default=(), description="Stop it from getting worse, before anything else.")
    root_cause: tuple[Step, ...] = Field(min_length=1, description="Change what made it happen.")
    downstream: tuple[Step, ...] = Field(default=(), description="Put right what it has already done.")
    verify: tuple[Step, ...] = Field(default=(RUN_AGAIN,), description="How to see that it worked.")


_REFERENCE = r"^(" + "|".join(EntityType) + r"):.+$"
Reference = Annotated[str, StringConstraints(pattern=_REFERENCE)]


class ExpectedFinding(_Part):
    """One finding that a case expects; amounts that are left out are zero, entities must all be among the finding's."""

    cause: Reference
    currency: str | None = None
    under: Any = 0
    over: Any = 0
    exposure: Any = 0
    entities: tuple[Reference, ...] = ()


def _quiet(value: object) -> object:
    return () if value == "quiet" else value


class Case(_Part):
    """A small company, told as what differs from the one in rules/cases/company.yaml, and what the rule says to it."""

    name: Sentence
    given: dict[str, list[dict[str, Any]]] = Field(default={}, description="Rows by table; partial rows.")
    as_of: Annotated[datetime | None, AfterValidator(_utc)] = Field(default=None, description="The instant of the run.")
    params: dict[str, Any] = {}
    expect: Annotated[tuple[ExpectedFinding, ...], BeforeValidator(_quiet)] = Field(
        description="The findings in any order, or the word quiet."
    )

    @property
    def fires(self) -> bool:
        """Whether the rule has to find something."""
        return bool(self.expect)


class RuleFormat(_Part):
    """A rule file."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{2,62}$")] = Field(
        description="Named for the defect, as the file: unbilled_usage."
    )
    code: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2,8}-\d{1,4}$")] = Field(
        description="The fault that it detects; TU-n is one of faults.md, your own rules take a prefix of your own."
    )
    title: Sentence = Field(description="One line per finding; {column} takes the row's value, {impact} the money.")
    why: Sentence = Field(description="What goes wrong, why it costs money, and what is deliberately not found.")
    category: Category
    severity: Severity
    confidence: Confidence = Confidence.EXACT
    gate: Gate = Gate.NONE
    schedule: Schedule
    params: dict[Column, Parameter] = {}
    query: str = Field(default="", description="One SELECT; each row is a finding.")
    measure: Measure | None = Field(default=None, description="Instead of a query: something counted by window.")
    subject: Subject
    period: PeriodColumns | None = PeriodColumns()
    cause: Subject = Field(description="What has to change; findings with one cause make one signal.")
    group: tuple[Column, ...] = Field(default=(), description="More columns that findings of one signal share.")
    cooldown: Annotated[Duration | None, BeforeValidator(_duration, json_schema_input_type=str)] = Field(
        default=None, description="A resolved signal that is found again within this time reopens; else the usual time."
    )
    covers: tuple[str, ...] = Field(
        default=(), description="Codes whose findings about the same record and time this rule explains better."
    )
    impact: ImpactColumns
    entities: tuple[EntityColumns, ...] = Field(min_length=1, description="Every record involved.")
    page: Page = Page()
    playbook: Playbook
    cases: tuple[Case, ...] = Field(min_length=1, description="At least one that fires and one that stays quiet.")

    @property
    def priority(self) -> str:
        """P1 to P4, from the severity."""
        return PRIORITIES[self.severity]

    @model_validator(mode="after")
    def _query_or_measure(self) -> RuleFormat:
        if bool(self.query) == (self.measure is not None):
            raise ValueError("say either query or measure")
        return self

    @field_validator("title")
    @classmethod
    def _plain_braces(cls, title: str) -> str:
        if any(name == "" or spec or conversion for _, name, spec, conversion in _parts(title)):
            raise ValueError("braces hold the name of a column and nothing else")
        return title

    @field_validator("cases")
    @classmethod
    def _both_kinds_of_case(cls, cases: tuple[Case, ...]) -> tuple[Case, ...]:
        fires = {case.fires for case in cases}
        if fires != {True, False}:
            missing = "fires" if False in fires else "stays quiet"
            raise ValueError(f"none of the cases {missing}; a rule needs at least one of each")
        return cases
