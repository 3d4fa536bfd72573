"""Keeping in step: the books beside a whole reading of their source, and single records read again for good."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from detector import arrivals
from detector.cycle import Setting
from integrations.capabilities import Integration, Rereading
from integrations.pages import Page
from store.compare import Apart, Compared, compare
from store.upsert import Counts


def reconcile(setting: Setting, integration: Integration, tables: Sequence[str]) -> list[Compared]:
    """Reads everything of an integration and compares it with the books; nothing is written. Raises SourceError.

    `tables`: those that the integration fills.
    """
    pages = integration.pull(lambda stream: None, full=True, now=setting.clock())
    return compare(setting.warehouse, integration.name, (page.rows for page in pages), tables)


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
