"""Which other signal stands for the same defect as one that ended: asked once for all that a change is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.operational_tables import Signal

ENDED = ("resolved", "false_positive")
TOGETHER = 500
"""Ids of one statement."""


class Standing:
    """Looks it up for `ids` when it is first asked, however many they are."""

    def __init__(self, session: Session, ids: Sequence[int]) -> None:
        self._session, self._ids = session, sorted(set(ids))
        self._live: Mapping[str, Sequence[int]] | None = None

    def beside(self, signal: Signal) -> str | None:
        """The label of a live signal for the same defect; None where there is none."""
        if self._live is None:
            self._live = self._read()
        others = (id for id in self._live.get(signal.fingerprint, ()) if id != signal.id)
        found = next(others, None)
        return None if found is None else f"SIG-{found}"

    def _read(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for start in range(0, len(self._ids), TOGETHER):
            chunk = self._ids[start : start + TOGETHER]
            of_ours = select(Signal.fingerprint).where(Signal.id.in_(chunk))
            live = Signal.fingerprint.in_(of_ours) & Signal.status.not_in(ENDED)
            for fingerprint, id in self._session.execute(select(Signal.fingerprint, Signal.id).where(live)):
                found.setdefault(fingerprint, []).append(id)
        return found
