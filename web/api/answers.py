"""What the API answers, as models: the schemas of the OpenAPI document. Amounts are decimal strings, instants UTC."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Label = Annotated[str, Field(pattern="^SIG-[0-9]{1,18}$", description="The id of a signal, as SIG-12.")]
Amount = Annotated[
    str, Field(pattern=r"^-?[0-9]+(\.[0-9]+)?$", description="A decimal with its currency's own digits.")
]
Instant = Annotated[str, Field(json_schema_extra={"format": "date-time"}, description="An instant, RFC 3339 in UTC.")]
Says = Literal["pass", "warn", "hold"]


class Answer(BaseModel):
    """An answer, which has nothing but what it names."""

    model_config = ConfigDict(extra="forbid")


class Mistake(Answer):
    """One mistake of a request: where it is, and what is wrong there."""

    place: str
    message: str


class Problem(BaseModel):
    """Why a request is refused (RFC 9457). `detail` says what to do; the log knows the request by its id."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[Mistake] = []


class Money(Answer):
    """What is underbilled, overbilled and exposed, in one currency."""

    currency: str
    under: Amount
    over: Amount
    exposure: Amount


class Headline(Answer):
    """What every list says of a signal."""

    id: Label
    rule: str
    code: str
    severity: str
    category: str
    status: str
    priority: str
    title: str
    integration: str
    cause: Annotated[str, Field(description="What to change, as type:id.")]
    period_start: Instant | None
    period_end: Instant | None
    impact: list[Money]
    first_seen: Instant
    last_seen: Instant
    confidence: str
    assignee: str | None
    occurrences: int


class ListedSignal(Headline):
    """A signal in a list: how many records it names, and its version, which If-Match takes."""

    records: int
    version: int


class Signals(Answer):
    """A page of signals; the count and the money, never summed across currencies, are of all that match."""

    signals: list[ListedSignal]
    total: int
    totals: list[Money]
    next: Annotated[str | None, Field(description="The `after` of the next page; null at the end.")]


class Record(Answer):
    """A record that a signal names: the cause, what is affected, or evidence."""

    type: str
    id: str
    role: Literal["cause", "affected", "evidence"]
    customer_id: str | None
    name: str | None
    target_date: Instant | None
    execution_date: Instant | None
    status: str | None
    expected: str | None
    actual: str | None
    unit: str | None
    gone_since: Instant | None


class LastRun(Answer):
    """The run that last found the signal, and the snapshot of the books that it read."""

    id: int
    rule_hash: str
    rule_version: int | None
    snapshot: int | None
    as_of: Instant


class Evidence(Money):
    """One finding of the signal with the row of numbers that the rule's query returned."""

    currency: str | None  # type: ignore[assignment]
    title: str
    subject: str
    period_start: Instant | None
    period_end: Instant | None
    run: int
    rule_hash: str
    gone_since: Instant | None
    row: dict[str, Any]


class TimelineRow(Answer):
    """One change of the signal: who, what, before and after. `change_id` is what undo takes."""

    at: Instant
    id: int
    change_id: str
    actor: str
    kind: str
    reason: str
    detail: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    run_id: int | None
    undone_by: int | None


class Step(Answer):
    """One step of the rule's playbook."""

    order: int
    phase: str
    system: str
    change: str
    outcome: str


class AlsoSeen(Answer):
    """What another rule found and this signal explains; none of it is among the signal's money."""

    rule: str
    code: str
    title: str
    subject: str
    period_start: Instant | None
    period_end: Instant | None
    currency: str | None
    under: Amount
    over: Amount
    exposure: Amount
    own_signal: Label | None
    run: int


class Issue(Answer):
    """The signals that the same repair would settle."""

    cause: str
    status: str
    signals: list[Label]
    customers: int
    since: Instant
    repair: str


class Recurrence(Answer):
    """How often the defect came back."""

    times: int
    at: list[Instant]
    every_days: float | None


class Likeness(Answer):
    """Another signal, and in what it is like this one."""

    id: Label
    why: str


class Signal(Headline):
    """One signal whole, as `trueup signal show --json` prints it."""

    entities: list[Record]
    run: LastRun
    evidence: list[Evidence]
    timeline: list[TimelineRow]
    advice: list[Step]
    also_seen_by: list[AlsoSeen]
    covered_by: list[Label]
    issue: Issue | None
    recurrence: Recurrence
    similar: list[Likeness]


class ListedRule(Answer):
    """What a rule is, as `trueup rules list --json` prints it, and whether somebody put it aside."""

    name: str
    code: str
    severity: str
    category: str
    confidence: str
    gate: str
    priority: str
    schedule: Annotated[str, Field(description="When it runs, in words.")]
    why: str
    content_hash: str
    off: Annotated[bool, Field(description="Whether it runs only when somebody asks for it.")]


class Rules(Answer):
    """Every rule that runs, by code."""

    rules: list[ListedRule]


class Rule(ListedRule):
    """One rule with its whole text, in YAML."""

    text: str


class Run(Answer):
    """One run of one rule, as `trueup runs --json` prints it."""

    id: int
    rule: str
    rule_hash: str
    status: Literal["running", "ok", "failed", "skipped"]
    reason: str | None
    error: str | None
    trigger: str
    why: str
    slot: str
    missed: int
    missed_from: Instant | None
    as_of: Instant
    snapshot: int | None
    started_at: Instant
    finished_at: Instant | None
    seconds: float | None
    findings: int | None
    worker: str


class Runs(Answer):
    """A page of runs, the newest first."""

    runs: list[Run]
    next: Annotated[str | None, Field(description="The `after` of the next page; null at the end.")]


class Reason(Answer):
    """Why a draft is not simply passed."""

    signal: Label | None
    does: Literal["hold", "warn"]
    says: str
    money: str


class Hold(Answer):
    """The hold of a draft and who approved it."""

    action: str
    since: Instant | None
    approved_by: str | None
    reason: str | None


class Draft(Answer):
    """One draft at the gate, as `trueup gate --json` prints it."""

    invoice: str
    integration: str
    customer: str
    currency: str
    total: Amount
    finalizes_at: Instant | None
    state: Literal["blocked", "held", "warned", "corrected", "released", "passed"]
    reasons: list[Reason]
    hold: Hold | None
    alert: str | None


class Counts(Answer):
    """How many drafts pass, are warned about and are kept back."""

    passed: Annotated[int, Field(alias="pass")]
    warn: int
    hold: int


class Gate(Answer):
    """What the gate says of a bill run: the worst of its drafts, how many there are of each, and those that do not
    simply pass.
    """

    bill_run: str
    integration: str
    says: Says
    drafts: Counts
    not_passed: list[Draft]


class LeftOut(Answer):
    """A signal that a change of many left as it was, and why."""

    signal: Label
    reason: str


class Change(Answer):
    """What was done: the signals that changed (with those merged into them), those that did not; undo takes `id`."""

    id: str
    changed: list[Label]
    refused: list[LeftOut]


class AskedRun(Answer):
    """What a worker was asked for; GET /api/v1/runs lists its runs once it has begun."""

    job: int
    status: str
    rules: list[str]
