"""The command `models`: which models of unusual usage were taught, which one is in force, and a new one by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import click
from sqlalchemy import Engine, select

from detector import terminal
from detector.cycle import Setting
from detector.terminal import JSON
from store import operational
from store.usage_tables import UsageModel

SHOWN = 20


class Opened(Protocol):
    """What the command line has open."""

    @property
    def engine(self) -> Engine: ...
    @property
    def setting(self) -> Setting: ...
    @property
    def models_folder(self) -> Path: ...


@click.command()
@click.option("--teach", is_flag=True, help="Teach one from the books as they are; it is kept if it is no worse.")
@JSON
@click.pass_obj
def models(home: Opened, teach: bool, as_json: bool) -> None:
    """The models that judge unusual usage, newest first: each with how it did and why it is in force or not."""
    if teach:
        from detector import usage_lessons  # scikit-learn takes a second, which the list does not need

        terminal.say(str(usage_lessons.teach(home.setting, home.models_folder)))
    with operational.reading(home.engine) as session:
        rows = list(session.scalars(select(UsageModel).order_by(UsageModel.id.desc()).limit(SHOWN)))
    in_force = next((row.id for row in rows if row.accepted), None)
    if as_json:
        terminal.answer([_as_json(row, in_force) for row in rows])
        return
    if not rows:
        terminal.echo("no model was taught yet: unusual usage is screened; `trueup models --teach` teaches one")
        return
    table = terminal.columns("model", "taught", "series", "labels", "in force", "why", right=("series", "labels"))
    for row in rows:
        table.add_row(
            str(row.id), f"{row.begun_at:%Y-%m-%d %H:%M}", str(row.series or ""), str(row.labels or 0),
            "yes" if row.id == in_force else "", row.reason,
        )  # fmt: skip
    terminal.show(table)


def _as_json(row: UsageModel, in_force: int | None) -> dict[str, object]:
    return {
        "model": row.id, "taught_at": f"{row.begun_at:%Y-%m-%dT%H:%M:%SZ}", "series": row.series, "labels": row.labels,
        "quality": row.quality, "quality_before": row.quality_before, "accepted": row.accepted,
        "in_force": row.id == in_force, "reason": row.reason, "path": row.path, "sha256": row.sha256,
    }  # fmt: skip
