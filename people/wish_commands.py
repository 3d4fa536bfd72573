"""How a person wants to be told, at the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import click
from sqlalchemy import Engine

from detector import terminal
from detector.cycle import Clock
from detector.detail import instant
from detector.terminal import JSON, JobFailed
from people import telling, wishes
from people.telling import TooSoon
from people.wishes import WAYS, BadWishes
from store import operational
from store.notice_tables import Telling


class Opened(Protocol):
    """What the command line opened."""

    @property
    def engine(self) -> Engine: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def way_names(self) -> Sequence[str]: ...


@click.command("wishes")
@click.argument("who")
@click.argument("changes", nargs=-1, metavar="[SETTING=VALUE]...")
@click.option("--test", "test", type=click.Choice([*WAYS]), help="Send a test message this way.")
@JSON
@click.pass_obj
def wishes_command(home: Opened, who: str, changes: tuple[str, ...], test: str | None, as_json: bool) -> None:
    """How a person is told of what asks for them: `wishes Ana mentioned.mail=once quiet_from=20:00 quiet_to=07:00`."""
    given = terminal.assignments(changes)
    if test and test not in home.way_names:
        raise JobFailed(f"no {test} is configured; notify in config.yaml names it")
    try:
        with operational.writing(home.engine) as session:
            found = wishes.read(wishes.of(session, who), given)
            if given:
                wishes.keep(session, who, found, now=home.clock())
            if test:
                telling.test(session, who, test, now=home.clock())
            _tell(wishes.fields(found), telling.latest(session, who), home.way_names, as_json)
    except (BadWishes, TooSoon) as reason:
        raise JobFailed(str(reason)) from None


def _tell(told: Mapping[str, str], latest: Mapping[str, Telling], configured: Sequence[str], as_json: bool) -> None:
    if as_json:
        last = {
            way: {"status": row.status, "due_at": instant(row.due_at), "sent_at": instant(row.sent_at),
                  "error": row.error}
            for way, row in latest.items()
        }  # fmt: skip
        terminal.answer({"wishes": dict(told), "configured": list(configured), "latest": last})
        return
    for name, value in told.items():
        terminal.echo(f"{name}={value}")
    for way, row in latest.items():
        at = f"at {row.sent_at:%Y-%m-%d %H:%M} UTC" if row.sent_at else f"due {row.due_at:%Y-%m-%d %H:%M} UTC"
        terminal.echo(f"last by {way}: {row.status} {at}{f', {row.error}' if row.error else ''}")
