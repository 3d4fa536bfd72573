"""Teaches models of unusual usage from the company's own books, and decides which one is in force.

A third of the series, always the same by name, teaches nothing. A new model is accepted only when it finds the faults
injected there, and what people labelled there, no worse than the model in force does. Each is a file of its own; the
operational store says which it is, by its sha256, and why it was accepted or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import duckdb
import numpy as np
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from detector import derived, usage_labels
from detector.cycle import Setting, books_at
from detector.learned import SILENT_HOURS, Learned, UsageLabel, Verdict
from detector.unusual import cells, company, engine, examine
from detector.unusual import model as models
from detector.unusual.gridding import Grid, grids
from detector.unusual.lessons import Said
from detector.unusual.reading import Rows
from store import operational
from store.usage_tables import UsageModel

EVERY = timedelta(days=7)
TOO_LITTLE = "too little usage to learn from: twenty daily series of eight weeks are the least"


@dataclass(frozen=True)
class Taught:
    """What came of a lesson: the model, how it compares on the held-out series, and what it was taught by."""

    model: examine.Model | None
    quality: float
    before: float | None
    series: int
    labels: int

    @property
    def is_better(self) -> bool:
        """Whether it may take the place of the model in force: it is no worse, or there is none."""
        return self.model is not None and (self.before is None or self.quality >= self.before)

    @property
    def reason(self) -> str:
        """Why it is accepted or not, in words."""
        if self.model is None:
            return TOO_LITTLE
        if self.before is None:
            return f"the first model: average precision {self.quality:.3f} on held-out series"
        compared = f"{self.quality:.3f} against {self.before:.3f} on held-out series"
        return f"no worse: {compared}" if self.is_better else f"worse, so the one in force stays: {compared}"


def due(session: Session, now: datetime) -> bool:
    """Whether a week has passed since the last lesson began."""
    last = session.scalar(select(UsageModel.begun_at).order_by(UsageModel.id.desc()).limit(1))
    return last is None or now - last >= EVERY


def teach_weekly(setting: Setting, folder: Path) -> str | None:
    """Teach when it is due and no other worker does; what came of it, or None.

    It is due once a week, and at once when the model in force cannot be used any more, as after an upgrade.
    """
    now = setting.clock()
    with operational.reading(setting.engine) as session:
        known = usage_labels.learned(session, now)
        if not due(session, now) and (known.model is None or _in_force(known) is not None):
            return None
    year, week, _ = now.isocalendar()
    return teach(setting, folder, f"{year}-W{week:02}/{known.sha256[:12]}")


def teach(setting: Setting, folder: Path, slot: str | None = None) -> str | None:
    """Teach a model from the books as they are; its reason, or None when another worker has the slot.

    `folder` takes the file. Raises LakeError when the books cannot be opened.
    """
    as_of, snapshot = setting.clock(), setting.warehouse.snapshot()
    row_id = _claim(setting, slot or f"manual/{uuid4().hex}", as_of, snapshot)
    if row_id is None:
        return None
    with operational.reading(setting.engine) as session:
        known = usage_labels.learned(session, as_of)
    with books_at(setting.warehouse, snapshot, setting.allowed) as con:
        derived.build(con, as_of, {"usage_changes"}, setting.warehouse.dialects)
        taught = lesson(con, known)
    path, sha256 = None, None
    if taught.model is not None and taught.is_better:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder.absolute() / f"usage-{row_id}.model"
        sha256 = models.save(taught.model, path, cells.seen_names())
    with operational.writing(setting.engine) as session:
        row = session.get_one(UsageModel, row_id)
        row.finished_at, row.series, row.labels = setting.clock(), taught.series, taught.labels
        row.quality, row.quality_before = taught.quality, taught.before
        row.accepted, row.reason = taught.is_better, taught.reason
        row.path, row.sha256 = str(path) if path else None, sha256
    return taught.reason


def lesson(con: duckdb.DuckDBPyConnection, known: Learned, seed: int = 0) -> Taught:
    """Teach from usage_series on `con`, and hold the model against the one in force on what taught neither."""
    rows = company.series(con, "kind = 'customer'")
    made = grids(rows, company.known_changes(con, known))[0] if len(rows.names) else []
    if not made:
        return Taught(None, 0.0, None, 0, 0)
    grid = made[0]
    said = _said(rows, grid, known.labels)
    found = engine.lesson_of(grid.usage, said, seed)
    model = examine.boosting(found, seed) if found else None
    if found is None or model is None:
        return Taught(None, 0.0, None, len(grid.code), len(said))
    before = _in_force(known)
    compared = examine.quality(before, found) if before else None
    return Taught(model, examine.quality(model, found), compared, len(grid.code), len(said))


def _in_force(known: Learned) -> examine.Model | None:
    """The model in force; one of another version or whose file is gone is nothing to compare with."""
    if known.model is None:
        return None
    try:
        return models.load(Path(known.model), known.sha256, cells.seen_names())
    except models.ModelFileError:
        return None


def _said(rows: Rows, grid: Grid, labels: Sequence[UsageLabel]) -> list[Said]:
    """The labels as places of the grid; a planned change is known as a change, and no lesson.

    Of hours, those far above any before teach, where their day stands out as well; a few silent ones make no day.
    """
    place = {name: row for row, name in enumerate(rows.names[grid.code].tolist())}
    begin = grid.usage.times[0].astype("datetime64[D]")

    def step(day: date) -> int:
        """The day as a place in the series."""
        return int((np.datetime64(day, "D") - begin).astype(int))

    return [
        Said(
            place[label.series], step(label.first_day), step(label.last_day), label.verdict is Verdict.FAULT
        )
        for label in labels
        if label.series in place and label.verdict is not Verdict.PLANNED and label.oddness != SILENT_HOURS
    ]  # fmt: skip


def _claim(setting: Setting, slot: str, as_of: datetime, snapshot: int) -> int | None:
    """Take the slot; None when another has it."""
    row = UsageModel(slot=slot, begun_at=as_of, as_of=as_of, snapshot=snapshot, accepted=False, reason="being taught")
    try:
        with operational.writing(setting.engine) as session:
            session.add(row)
            session.flush()
            return row.id
    except IntegrityError:
        return None
