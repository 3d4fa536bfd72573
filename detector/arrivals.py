"""What comes in from outside systems: pages stored with their cursors, what of them could not be read, and who waits.

A sync, webhooks, repairs and backfills all bring pages, and all of them come in here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import ColumnElement, Engine, delete, select
from sqlalchemy.orm import Session

from billing.books import BY_NAME
from detector import requests
from detector.cycle import Setting
from integrations.capabilities import Backfilling, Integration
from integrations.http import SourceError
from integrations.pages import Page, Remark
from store import operational
from store.delivery_tables import Rejection
from store.warehouse import Counts


def stored(
    setting: Setting, name: str, pages: Iterable[Page], load: str
) -> Iterator[tuple[Page, Mapping[str, Counts]]]:
    """Stores the pages one by one, each with its cursors in one transaction; what became of each.

    `load` is noted in the snapshots. Whatever ends it, what was stored before is announced.
    """
    before = setting.warehouse.snapshot()
    try:
        for page in pages:
            cursors = {(name, stream): value for stream, value in page.cursors.items()}
            counts = setting.warehouse.upsert_rows(
                page.rows, integration=name, version_at=page.version_at, cursors=cursors, load=load
            )
            _keep_rejections(setting, name, page)
            yield page, counts
    finally:
        announce(setting, before, name)


@dataclass(frozen=True)
class Window:
    """A span of time that is read whatever the cursors say; without an end, until now."""

    start: datetime
    end: datetime | None = None


def pulled(setting: Setting, integration: Integration, *, full: bool, window: Window | None = None) -> Iterator[Page]:
    """The pages of a pull from the stored cursors, of everything, or of a window. Raises SourceError."""
    if window is None:
        cursor = partial(setting.warehouse.cursor, integration.name)
        return integration.pull(cursor, full=full, now=setting.clock())
    if not isinstance(integration, Backfilling):
        raise SourceError(f"{integration.name} cannot be read by a window of time; use --full", permanent=True)
    return integration.backfill(window.start, window.end)


def announce(setting: Setting, before: int, synced: str | None) -> None:
    """Say what came in since a snapshot, for whoever serves: drafts, and that an integration brought something."""
    snapshot, now = setting.warehouse.snapshot(), setting.clock()
    told = [("invoice.draft", name) for name in sorted(setting.warehouse.drafts_since(before))]
    told += [("integration.synced", synced)] if synced and snapshot > before else []
    if told:
        with operational.writing(setting.engine) as session:
            for event, name in told:
                requests.tell(session, event, name, snapshot, now=now)


def rejections(session: Session, integration: str | None = None) -> Sequence[Rejection]:
    """The records that could not be taken over, the latest first."""
    query = select(Rejection).order_by(Rejection.last_at.desc(), Rejection.record_id)
    return session.scalars(query if integration is None else query.where(Rejection.integration == integration)).all()


def forget_rejections(engine: Engine, integration: str, before: datetime) -> None:
    """Drop what a full reading since then did not find wrong any more."""
    with operational.writing(engine) as session:
        session.execute(delete(Rejection).where(Rejection.integration == integration, Rejection.last_at < before))


def _keep_rejections(setting: Setting, name: str, page: Page) -> None:
    """Note what of a page could not be read, and drop what could be again."""
    with operational.reading(setting.engine) as session:
        known = {(each.kind, each.record_id) for each in rejections(session, name)}
    read = {record for record in known if record[1] in _ids(page)} if known else set()
    if not page.remarks and not read:
        return
    with operational.writing(setting.engine) as session:
        for kind, id in read:
            session.execute(delete(Rejection).where(*_is(name, kind, id)))
        for remark in page.remarks:
            _reject(session, name, remark, setting.clock())


def _reject(session: Session, name: str, remark: Remark, now: datetime) -> None:
    held = session.get(Rejection, (name, remark.kind, remark.id))
    if held is None:
        held = Rejection(integration=name, kind=remark.kind, record_id=remark.id, first_at=now)
        session.add(held)
    held.reason, held.last_at = remark.reason, now


def _is(name: str, kind: str, id: str) -> tuple[ColumnElement[bool], ...]:
    return Rejection.integration == name, Rejection.kind == kind, Rejection.record_id == id


def _ids(page: Page) -> set[str]:
    """The ids of the rows that a page brought."""
    return {str(row.get(part)) for table, rows in page.rows.items() for row in rows for part in BY_NAME[table].key}
