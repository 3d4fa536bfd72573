"""Which signals somebody wants to see, as one value that an address, a command or a test can spell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Boolean, ColumnElement, SQLColumnExpression, and_, false, not_, or_, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from store.among import among
from store.operational_tables import OPEN_STATUSES, Signal, SignalEntity, SignalText
from store.signal_groups import SIGNAL_GROUPS
from store.unindexed import unindexed

URGENT = timedelta(hours=24)
"""A signal is urgent while one of its drafts becomes final within this time."""

VIEWS = ("inbox", "mine", "unassigned", "urgent", "snoozed", "every")
STATUSES = (
    "open",
    "any",
    "unhandled",
    "triaged",
    "in_progress",
    "awaiting_external",
    "resolved",
    "suppressed",
    "false_positive",
)
SORTS: Mapping[str, InstrumentedAttribute[Any]] = {
    "risk": Signal.rank_amount,  # urgent ones first
    "amount": Signal.rank_amount,
    "severity": Signal.severity_rank,
    "last_seen": Signal.last_seen,
    "first_seen": Signal.first_seen,
}
FACETS: Mapping[str, InstrumentedAttribute[Any]] = {
    "status": Signal.status,
    "severity": Signal.severity,
    "category": Signal.category,
    "integration": Signal.integration,
    "rule": Signal.rule,
    "assignee": Signal.assignee,
}
GROUPS = ("cause", "customer", "rule", "bill_run")


NAMED = 5_000
"""How many signals that a text search found are named in what is asked next."""

NO_RUN = "none"
"""The name of the group of signals that no draft of a bill run belongs to."""


class BadFilter(ValueError):  # noqa: N818 (what is bad is the filter that a person or an address gave)
    """A filter that cannot be used; the message names the field and what it may be."""


@dataclass(frozen=True)
class Filter:
    """Which signals, in which order, from where on. Empty tuples and strings mean any.

    `status` is `open` (not resolved, suppressed or false positive), `any`, or one status. Every view leaves out what
    is snoozed, except `snoozed` itself and `every`. In `assignee` an empty string stands for nobody. `cause` is
    `type:id`; `entity` is the id of any record that a signal names; `after` is the `next` of the page before.
    """

    view: str = "inbox"
    status: str = "open"
    severity: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    integration: tuple[str, ...] = ()
    assignee: tuple[str, ...] = ()
    rule: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    cause: str = ""
    customer: str = ""
    bill_run: str = ""
    entity: str = ""
    q: str = ""
    me: str = ""
    sort: str = "risk"
    after: str = ""
    group: str = ""
    only: tuple[int, ...] | None = None  # what a text search found, so that it is looked for once: `searched`

    def __post_init__(self) -> None:
        """Raises BadFilter for a view, status, sort or group that does not exist."""
        choices = {"view": VIEWS, "status": STATUSES, "sort": tuple(SORTS), "group": ("", *GROUPS)}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                known = ", ".join(filter(None, allowed))
                raise BadFilter(f"{name} cannot be {getattr(self, name)!r}; use one of {known}")


def conditions(wanted: Filter, now: datetime, *, all_rows: bool = False) -> list[ColumnElement[bool]]:
    """What the filter asks of a row of `signals` to be listed. What is merged into another signal is listed only among
    every signal; its money counts wherever the other one is listed. `all_rows`: for counting along an index that has
    all of it, where none is searched for these; so it is for what is snoozed, which has an index of its own.
    """
    all_rows = all_rows or wanted.view == "snoozed"
    alone = (unindexed(Signal.merged_into) if all_rows else Signal.merged_into).is_(None)
    return [*counted(wanted, now, all_rows=all_rows), *([] if wanted.view == "every" else [alone])]


def counted(wanted: Filter, now: datetime, *, all_rows: bool = False) -> list[ColumnElement[bool]]:
    """As `conditions`, with what is merged into other signals: all whose money counts."""
    return [
        *_view(wanted, now, Signal),
        *_status(wanted.status, all_rows),
        *_facets(wanted, Signal),
        *narrowing(wanted),
    ]


def is_of_groups(wanted: Filter) -> bool:
    """Whether the groups of signals that are alike tell apart all that the filter does."""
    return not (wanted.cause or wanted.customer or wanted.entity or wanted.q.strip() or wanted.only is not None)


def conditions_of_groups(wanted: Filter, now: datetime) -> list[ColumnElement[bool]]:
    """As `conditions`, of a row of `signal_groups`, for a filter that `is_of_groups`."""
    alone = [] if wanted.view == "every" else [SIGNAL_GROUPS.c.is_merged.is_(False)]
    return [*counted_of_groups(wanted, now), *alone]


def counted_of_groups(wanted: Filter, now: datetime) -> list[ColumnElement[bool]]:
    """As `counted`, of a row of `signal_groups`."""
    own = SIGNAL_GROUPS.c
    statuses = {"any": None, "open": OPEN_STATUSES}.get(wanted.status, (wanted.status,))
    status = [own.status.in_(statuses)] if statuses else []
    return [*_view(wanted, now, own), *status, *_facets(wanted, own), *narrowing_of_groups(wanted)]


def narrowing_of_groups(wanted: Filter) -> list[ColumnElement[bool]]:
    """As `narrowing`, of a row of `signal_groups`."""
    own = SIGNAL_GROUPS.c
    code = [own.code.in_(wanted.code)] if wanted.code else []
    return [*code, *([own.bill_run_id == _run(wanted)] if wanted.bill_run else [])]


def narrowing(wanted: Filter) -> list[ColumnElement[bool]]:
    """What the filter asks apart from view, status and facets: code, cause, customer, bill run, record, text."""
    found: list[ColumnElement[bool]] = []
    if wanted.code:
        found.append(Signal.code.in_(wanted.code))
    if wanted.cause:
        kind, _, key = wanted.cause.partition(":")
        found += [Signal.cause_type == kind, Signal.cause_id == key]
    if wanted.customer:
        found.append(_names(SignalEntity.customer_id == wanted.customer))
    if wanted.bill_run:
        found.append(Signal.bill_run_id == _run(wanted))
    if wanted.entity:
        found.append(_names(SignalEntity.entity_id == wanted.entity))
    if wanted.only is not None:
        found.append(among(Signal.id, wanted.only))
    elif wanted.q.strip():
        found.append(_search(wanted.q.strip()))
    return found


def searched(session: Session, wanted: Filter) -> Filter:
    """The filter with the signals that its text finds in place of the text, where they are few enough to name.

    A page asks for its rows, its counts and its groups; the texts are read through for the first of them alone.
    """
    is_steady = session.get_bind().get_execution_options().get("read_only")
    if not wanted.q.strip() or wanted.only is not None or not is_steady:
        return wanted
    known: dict[str, tuple[int, ...]] = session.info.setdefault(__name__, {})
    if wanted.q not in known:
        query = select(Signal.id).where(_search(wanted.q.strip())).limit(NAMED + 1)
        known[wanted.q] = tuple(session.scalars(query))
    return wanted if len(known[wanted.q]) > NAMED else replace(wanted, only=known[wanted.q])


def urgent(now: datetime, of: Any = Signal) -> ColumnElement[bool]:
    """Signals with a draft that becomes final within URGENT; never null, so that it can be negated."""
    return and_(of.finalizes_at.is_not(None), of.finalizes_at > now, of.finalizes_at <= now + URGENT)


def asleep(now: datetime, of: Any = Signal) -> ColumnElement[bool]:
    """Signals that somebody snoozed and that have not woken; never null."""
    return and_(of.snoozed_until.is_not(None), of.snoozed_until > now)


def _view(wanted: Filter, now: datetime, of: Any) -> list[ColumnElement[bool]]:
    match wanted.view:
        case "every":
            return []
        case "snoozed":
            return [asleep(now, of)]
        case "mine":
            return [not_(asleep(now, of)), of.assignee == wanted.me]
        case "unassigned":
            return [not_(asleep(now, of)), of.assignee.is_(None)]
        case "urgent":
            return [not_(asleep(now, of)), urgent(now, of)]
    return [not_(asleep(now, of))]


def _status(status: str, all_rows: bool) -> list[ColumnElement[bool]]:
    """Open is told by the status itself where all rows are read: SQLite takes a computed column from no index."""
    if status == "any":
        return []
    if status == "open":
        return [unindexed(Signal.status).in_(OPEN_STATUSES) if all_rows else Signal.is_open.is_(True)]
    return [Signal.status == status]


def _facets(wanted: Filter, of: Any) -> list[ColumnElement[bool]]:
    chosen = {name: getattr(wanted, name) for name in FACETS if name != "status"}
    return [_one_of(getattr(of, name), values) for name, values in chosen.items() if values]


def _run(wanted: Filter) -> str | None:
    return wanted.bill_run if wanted.bill_run != NO_RUN else None


def _one_of(column: SQLColumnExpression[Any], values: tuple[str, ...]) -> ColumnElement[bool]:
    """The column is one of the values; an empty value is null."""
    known = [value for value in values if value]
    return or_(column.in_(known) if known else false(), column.is_(None) if "" in values else false())


def _names(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return Signal.id.in_(select(SignalEntity.signal_id).where(condition))


def _search(q: str) -> ColumnElement[bool]:
    """SIG-n is that signal; the id of a record is every signal that names it; else text in title, customer or id."""
    if q.upper().startswith("SIG-") and q[4:].isdigit():
        return Signal.id == int(q[4:])
    text = select(SignalText.signal_id).where(contains(SignalText.text, q.lower()))
    return or_(Signal.id.in_(text), _names(SignalEntity.entity_id == q))


class contains(FunctionElement[bool]):  # noqa: N801 (it is a function of SQL)
    """Whether a text holds another: plain, without the patterns of LIKE, which are slower and would need escaping."""

    type = Boolean()
    inherit_cache = True


@compiles(contains, "sqlite")
def _sqlite_contains(element: contains, compiler: SQLCompiler, **options: Any) -> str:
    return f"instr({compiler.process(element.clauses, **options)}) > 0"


@compiles(contains, "postgresql")
def _postgresql_contains(element: contains, compiler: SQLCompiler, **options: Any) -> str:
    return f"strpos({compiler.process(element.clauses, **options)}) > 0"
