"""What an integration hands over: pages of rows, each with the cursors that may move once its rows are stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

Lookup = Callable[[str], str | None]
"""The stored cursor of a stream; None before there is one."""


@dataclass(frozen=True)
class Remark:
    """Something that was not taken over as it stood: which object, and why."""

    kind: str
    id: str
    reason: str


@dataclass(frozen=True)
class Page:
    """Rows by table of the books, as known at `version_at`.

    The job stores rows and cursors in one transaction before it asks for the next page: a reading that ends anywhere
    is taken up again after the last stored page.
    """

    stream: str
    rows: Mapping[str, list[dict[str, object]]]
    version_at: datetime
    cursors: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[Remark, ...] = ()
