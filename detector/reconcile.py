"""Keeping in step: the books beside a whole reading of their source, and single records read again for good.

What a reconciliation found is kept, for rules to tell (`detector.sources`); the books are left as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, delete, func, select
from sqlalchemy.orm import Session

from detector import arrivals, requests
from detector.cycle import Setting
from integrations.capabilities import Integration, Rereading
from integrations.pages import Page
from store import operational
from store.compare import Apart, Compared, compare
from store.operational_tables import Load
from store.reconcile_tables import Reconciliation, RecordDifference
from store.upsert import Counts

KEPT = timedelta(days=90)
"""How long a reconciliation is kept that a later one has followed."""

AGAIN = timedelta(hours=1)
"""How long after one that failed the next is due."""


def reconcile(setting: Setting, integration: Integration, tables: Sequence[str]) -> list[Compared]:
    """Reads everything of an integration and compares it with the books, which stay as they are. Raises SourceError.

    `tables`: those that the integration fills. What is apart is kept, and told to the rules that run on it.
    """
    began = setting.clock()
    number = _begun(setting, integration.name, began)
    try:
        pages = integration.pull(lambda stream: None, full=True, now=began)
        compared = compare(setting.warehouse, integration.name, (page.rows for page in pages), tables)
    except BaseException as error:
        with operational.writing(setting.engine) as session:
            row = session.get_one(Reconciliation, number)
            row.status, row.error, row.finished_at = "failed", str(error) or type(error).__name__, setting.clock()
        raise
    _keep(setting, number, compared)
    return compared


def due(session: Session, every: Mapping[str, timedelta], now: datetime) -> list[str]:
    """The integrations whose reconciliation is due: so long after the last, or the first good sync; soon after one
    that failed. `every`: how often each.
    """
    last = {row.integration: row for row in session.scalars(_latest())}
    good = select(Load.integration, func.min(Load.finished_at)).where(Load.kind == "sync", Load.status == "ok")
    synced = {row[0]: row[1] for row in session.execute(good.group_by(Load.integration))}
    found = []
    for name, gap in every.items():
        row = last.get(name)
        since = row.started_at if row else synced.get(name)
        gap = min(gap, AGAIN) if row and row.status == "failed" else gap
        if since is not None and now - since >= gap:
            found.append(name)
    return found


@dataclass(frozen=True)
class Outcome:
    """The latest comparison of an integration with the books: how it ended, and how many records are apart.

    `apart` is of the latest that was complete, None before the first.
    """

    at: datetime
    status: str
    error: str | None
    apart: int | None


def latest(session: Session) -> dict[str, Outcome]:
    """The latest comparison of every integration that was ever compared."""
    complete = select(func.max(Reconciliation.id)).where(Reconciliation.status == "ok")
    query = select(Reconciliation).where(Reconciliation.id.in_(complete.group_by(Reconciliation.integration)))
    good = {row.integration: row for row in session.scalars(query)}
    return {
        row.integration: Outcome(row.started_at, row.status, row.error, _apart(good.get(row.integration)))
        for row in session.scalars(_latest())
    }


def _apart(row: Reconciliation | None) -> int | None:
    return None if row is None else sum(int(each["missing"]) + int(each["different"]) for each in row.tables or ())


def _latest() -> Select[Reconciliation]:
    newest = select(func.max(Reconciliation.id)).group_by(Reconciliation.integration)
    return select(Reconciliation).where(Reconciliation.id.in_(newest))


def _begun(setting: Setting, name: str, began: datetime) -> int:
    with operational.writing(setting.engine) as session:
        row = Reconciliation(integration=name, started_at=began, status="running")
        session.add(row)
        session.flush()
        return row.id


def _keep(setting: Setting, number: int, compared: Sequence[Compared]) -> None:
    """Write what was found, in one transaction; what was apart before as well keeps the time at which it was found."""
    now = setting.clock()
    with operational.writing(setting.engine) as session:
        row = session.get_one(Reconciliation, number)
        known = _known(session, row)
        row.status, row.finished_at = "ok", now
        row.tables = [
            {
                "table": each.table,
                "there": each.source,
                "here": each.books,
                **{way: apart.count for way, apart in _ways(each)},
            }
            for each in compared
        ]
        session.add_all(
            RecordDifference(
                reconciliation_id=number,
                record_table=each.table,
                record_id=one.key,
                way=one.way,
                changed=list(one.changed),
                there=dict(one.there) if one.there is not None else None,
                here=dict(one.here) if one.here is not None else None,
                found_at=known.get((each.table, one.key, one.way), now),
            )
            for each in compared
            for one in each.records
        )
        old = select(Reconciliation.id).where(
            Reconciliation.integration == row.integration, Reconciliation.started_at < now - KEPT
        )
        session.execute(delete(RecordDifference).where(RecordDifference.reconciliation_id.in_(old)))
        session.execute(delete(Reconciliation).where(Reconciliation.id.in_(old)))
        requests.tell(session, "integration.reconciled", row.integration, number, now=now)


def _known(session: Session, row: Reconciliation) -> dict[tuple[str, str, str], datetime]:
    """When the records were first found apart that the last good reconciliation found so too."""
    before = select(func.max(Reconciliation.id)).where(
        Reconciliation.integration == row.integration, Reconciliation.status == "ok", Reconciliation.id < row.id
    )
    held = select(RecordDifference).where(RecordDifference.reconciliation_id == before.scalar_subquery())
    return {(each.record_table, each.record_id, each.way): each.found_at for each in session.scalars(held)}


def repair(
    setting: Setting, integration: Rereading, name: str, record: tuple[str, str]
) -> Iterator[tuple[Page, Mapping[str, Counts]]]:
    """Brings one record, (type, id), into the books as it is now, whatever they hold. Raises SourceError.

    What the books hold may be stamped later than the answer, by a clock that was ahead: a repair is the last word.
    """
    page = integration.pull_records([record])
    latest = setting.warehouse.latest_version(name, list(page.rows))
    last = page if latest is None or latest <= page.version_at else replace(page, version_at=latest)
    return arrivals.stored(setting, name, [last], f"repair of {name}")


def compared_json(compared: Sequence[Compared]) -> list[dict[str, Any]]:
    """Every table as JSON."""
    return [
        {
            "table": each.table,
            "agrees": each.agrees,
            "source": {"rows": each.source, "checksum": each.source_sum},
            "books": {"rows": each.books, "checksum": each.books_sum},
            **{way: {"rows": apart.count, "keys": list(apart.keys)} for way, apart in _ways(each)},
        }
        for each in compared
    ]


def compared_text(compared: Sequence[Compared]) -> list[str]:
    """A line for every table that has rows on either side, and one for each way in which it is apart."""
    lines = []
    for each in compared:
        if each.source or each.books:
            state = "agrees" if each.agrees else "APART"
            lines.append(f"{state:<7} {each.table}: {each.source:,} there, {each.books:,} in the books")
        lines += [
            f"        {apart.count:,} {way.replace('_', ' ')}: {', '.join(apart.keys[:5])}{' ...' * (apart.count > 5)}"
            for way, apart in _ways(each)
            if apart.count
        ]
    return lines or ["nothing there, nothing in the books"]


def _ways(each: Compared) -> tuple[tuple[str, Apart], ...]:
    return ("missing", each.missing), ("different", each.different), ("only_here", each.only_here)
