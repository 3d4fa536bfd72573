"""One signal whole, as the command line and the API tell it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from sqlalchemy.orm import Session

from detector import report, versions
from detector.detail import SignalDetail, entities
from detector.rules import Rule
from store.operational_tables import SignalEntity


def document(session: Session, detail: SignalDetail, rule: Rule | None) -> dict[str, Any]:
    """The signal with all its records and the advice of its rule, None where that is gone."""
    version = versions.of_hash(session, detail.signal.rule, detail.run.rule_hash)
    records = _records(session, detail.signal.id)
    return report.signal_json(detail, records, report.advice(rule), version.number if version else None)


def _records(session: Session, signal_id: int) -> Iterator[SignalEntity]:
    after = ""
    for _ in itertools.count():
        page = entities(session, signal_id, after=after, limit=1000)
        yield from page.items
        if page.next is None:
            return
        after = page.next
