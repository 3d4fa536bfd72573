"""Applying stored webhooks to the books: many at once, in any order, each until it is done or has failed for good.

What a delivery is about is asked for again, so neither its order nor its age matters. A vendor that does not answer is
asked later, and so are books that cannot be written. A delivery that cannot be applied is told with its cause, and
keeps none of the others waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb
from sqlalchemy import Select, select
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from detector import arrivals
from detector.claims import is_gone
from detector.cycle import Setting
from integrations.http import SourceError
from integrations.objects import Object
from integrations.pages import Page
from integrations.webhooks import content
from store import operational
from store.delivery_tables import Delivery
from store.lake import LakeError

TOGETHER = 200
"""Deliveries that are applied at once: what they are about is asked for once for all of them."""

LEASE = timedelta(minutes=10)
"""How long applying may take when its process cannot be looked up."""

WAITS = tuple(timedelta(seconds=seconds) for seconds in (10, 60, 300, 900, 3600, 4 * 3600, 12 * 3600))
"""How long a delivery waits after each failed attempt; after the last one it has failed."""

Receive = Callable[[Sequence[Object]], Iterator[Page]]


@dataclass(frozen=True)
class Applying:
    """The deliveries of one integration, and how their content becomes pages."""

    setting: Setting
    integration: str
    receive: Receive

    def work(self) -> None:
        """Apply what waits, until nothing does."""
        while self._waits() and (batch := self._claimed()):
            self._apply(batch)

    def _waits(self) -> bool:
        """Whether there is anything to claim; asked several times a second, so it takes no lock."""
        with operational.reading(self.setting.engine) as session:
            return session.scalars(self._next(self.setting.clock()).limit(1)).first() is not None

    def _claimed(self) -> list[Delivery]:
        """The oldest that wait, now this worker's; one alone when it has failed before. Empty while another works."""
        now = self.setting.clock()
        with operational.writing(self.setting.engine) as session:
            operational.alone(session, f"deliveries/{self.integration}")
            if self._busy(session, now):
                return []
            found = list(session.scalars(self._next(now).limit(TOGETHER)))
            fresh = [each for each in found if each.attempts == 0]
            batch = fresh or found[:1]
            for each in batch:
                each.status, each.claimed_by, each.lease_until = "applying", self.setting.worker, now + LEASE
                each.attempts += 1
            return batch

    def _busy(self, session: Session, now: datetime) -> bool:
        """Whether another worker that is alive applies deliveries of the integration."""
        claimed = select(Delivery).where(
            Delivery.integration == self.integration,
            Delivery.status == "applying",
            Delivery.claimed_by != self.setting.worker,
            Delivery.lease_until > now,
        )
        return any(not is_gone(each.claimed_by or "") for each in session.scalars(claimed))

    def _next(self, now: datetime) -> Select[Delivery]:
        return (
            select(Delivery)
            .where(
                Delivery.integration == self.integration,
                Delivery.status.in_(("queued", "applying")),
                Delivery.due_at <= now,
            )
            .order_by(Delivery.attempts, Delivery.id)
        )

    def _apply(self, batch: Sequence[Delivery]) -> None:
        try:
            remarks = self._stored(batch)
        except SourceError as error:
            if error.permanent and len(batch) > 1:
                self._one_by_one(batch)
            else:
                self._close(batch, str(error), later=not error.permanent)
        except (LakeError, duckdb.Error) as error:
            self._close(batch, f"the books could not be written: {error}", later=True)
        except (OperationalError, InterfaceError) as error:
            self._close(batch, f"the store could not be reached: {error.orig}", later=True)
        except Exception as error:  # whatever it is, it is told with the deliveries and the others go on
            if len(batch) > 1:
                self._one_by_one(batch)
            else:
                self._close(batch, f"{type(error).__name__}: {error}", later=False)
        else:
            self._close(batch, remarks, done=True)

    def _one_by_one(self, batch: Sequence[Delivery]) -> None:
        for each in batch:
            self._apply([each])

    def _stored(self, batch: Sequence[Delivery]) -> str | None:
        """Brings in what the deliveries are about; what of it could not be read."""
        pages = self.receive([content(each.body or b"") for each in batch])
        said = [
            f"{remark.kind} {remark.id}: {remark.reason}"
            for page, _ in arrivals.stored(self.setting, self.integration, pages, f"webhooks of {self.integration}")
            for remark in page.remarks
        ]
        return "; ".join(said) or None

    def _close(self, batch: Sequence[Delivery], said: str | None, *, done: bool = False, later: bool = False) -> None:
        """Write how it went, unless another worker has taken over by now."""
        now = self.setting.clock()
        with operational.writing(self.setting.engine) as session:
            for each in batch:
                row = session.get(Delivery, each.id, with_for_update=True)
                if row is None or row.claimed_by != self.setting.worker or row.status != "applying":
                    continue
                row.claimed_by = row.lease_until = None
                row.error = said
                if done:
                    row.status, row.applied_at, row.body = "applied", now, None
                elif later and row.attempts <= len(WAITS):
                    row.status, row.due_at = "queued", now + WAITS[row.attempts - 1]
                else:
                    row.status = "failed"
