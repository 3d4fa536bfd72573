"""Known changes of series: where the level begins anew, and where nothing more is to come. They move, never mute."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.unusual.windows import Bools, Ints

KINDS = ("plan_change", "contract_end", "start", "planned", "outage")
NO_CHANGE, PLAN_CHANGE, CONTRACT_END, START, PLANNED, OUTAGE = range(6)
TOLD = {PLAN_CHANGE: "plan change", CONTRACT_END: "contract end", START: "start", PLANNED: "planned change"}

Rows = NDArray[np.int32]


@dataclass(frozen=True)
class Changes:
    """Known changes, one per entry: the row of the series, the kind (1 to 5), first and last step."""

    row: Rows
    kind: Rows
    first: Rows
    last: Rows

    @staticmethod
    def none() -> Changes:
        """No known change."""
        nothing = np.zeros(0, dtype=np.int32)
        return Changes(nothing, nothing, nothing, nothing)

    def of(self, rows: NDArray[np.intp], count: int) -> Changes:
        """The changes of some rows (of `count`), renumbered in their order; a row may be asked for twice."""
        if not len(self.row):
            return self
        order = np.argsort(self.row, kind="stable")
        begin = np.searchsorted(self.row[order], rows, "left")
        length = np.searchsorted(self.row[order], rows, "right") - begin
        new = np.repeat(np.arange(len(rows)), length)
        within = np.arange(len(new)) - np.repeat(np.cumsum(length) - length, length)
        taken = order[np.repeat(begin, length) + within]
        return Changes(new.astype(np.int32), self.kind[taken], self.first[taken], self.last[taken])

    def and_(self, others: Changes) -> Changes:
        """These and others, of the same rows."""
        return Changes(
            *(
                np.concatenate(pair)
                for pair in zip(
                    (self.row, self.kind, self.first, self.last),
                    (others.row, others.kind, others.first, others.last),
                    strict=True,
                )
            )
        )

    def since(self, step: int) -> Changes:
        """The same when the columns before `step` are left out."""
        return Changes(self.row, self.kind, self.first - np.int32(step), self.last - np.int32(step))


@dataclass(frozen=True)
class Standing:
    """What known changes mean for each cell (series, steps)."""

    anchor: Ints
    """The step at which the present level began: the first row, or the latest change."""
    kind: Ints
    """The latest change, 0 for none."""
    ended: Bools
    """A contract end has passed, and no start since."""
    out: Bools
    """In a known outage, from its first step to its last."""


def standing(changes: Changes, first: Rows, steps: int) -> Standing:
    """Lay changes out over cells. A planned time, or an outage, has two: its first step and the step after its last."""
    anchor = np.repeat(np.minimum(first, steps)[:, None], steps, axis=1).astype(np.int32)
    kind = np.zeros_like(anchor)
    ended = np.zeros(anchor.shape, dtype=bool)
    out = np.zeros(anchor.shape, dtype=bool)
    for row, begin, end in _outages(changes):
        out[row, max(begin, 0) : max(end + 1, 0)] = True
    for step, row, which in _in_order(changes):
        if step >= steps:
            continue
        begin = max(step, 0)
        anchor[row, begin:] = np.maximum(anchor[row, begin:], step)
        kind[row, begin:] = which
        if which in (CONTRACT_END, START, PLAN_CHANGE):
            ended[row, begin:] = which == CONTRACT_END
    return Standing(anchor, kind, ended, out)


def _in_order(changes: Changes) -> list[tuple[int, int, int]]:
    entries = list(
        zip(changes.first.tolist(), changes.row.tolist(), changes.kind.tolist(), changes.last.tolist(), strict=True)
    )
    begins = [(first, row, PLANNED if kind == OUTAGE else kind) for first, row, kind, _ in entries]
    over = [(last + 1, row, PLANNED) for first, row, kind, last in entries if kind >= PLANNED and last >= first]
    return sorted(begins + over)


def _outages(changes: Changes) -> list[tuple[int, int, int]]:
    """Row, first and last step of each known outage; one without an end is of one step."""
    chosen = changes.kind == OUTAGE
    last = np.maximum(changes.first, changes.last)[chosen]
    return list(zip(changes.row[chosen].tolist(), changes.first[chosen].tolist(), last.tolist(), strict=True))
