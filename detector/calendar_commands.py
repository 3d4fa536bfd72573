"""The command `calendar`: days on which usage is known to be other than usual; listed, announced, taken back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime

import click

from detector import terminal, usage_calendar
from detector.commands import Opened
from detector.signal_commands import AS
from detector.terminal import JSON
from detector.usage_calendar import BadDays, Said
from store import operational

DAY = click.DateTime(["%Y-%m-%d"])


@click.group("calendar", invoke_without_command=True)
@JSON
@click.pass_context
def calendar_group(context: click.Context, as_json: bool) -> None:
    """Announced events and known outages: what is expected of usage on these days moves with them."""
    if context.invoked_subcommand is not None:
        return
    home: Opened = context.obj
    with operational.reading(home.engine) as session:
        rows = usage_calendar.standing(session)
        if as_json:
            terminal.answer([{"id": row.id, **usage_calendar.told(row)} for row in rows])
            return
        if not rows:
            terminal.echo("the calendar is empty; trueup calendar add puts days into it")
            return
        table = terminal.columns("number", "from", "to", "what", "kind", "meter", "customer", "said by")
        for row in rows:
            whom = (row.meter_id or "all", row.customer_id or "all", row.said_by)
            table.add_row(str(row.id), str(row.first_day), str(row.last_day), row.name, row.kind, *whom)
        terminal.show(table)


@calendar_group.command("add")
@click.argument("name")
@click.option("--kind", type=click.Choice([*usage_calendar.KINDS]), default="event", show_default=True)
@click.option("--from", "first_day", type=DAY, required=True, help="The first day, UTC.")
@click.option("--to", "last_day", type=DAY, help="The last day; the first when left out.")
@click.option("--meter", "meter_id", help="Only this meter.")
@click.option("--customer", "customer_id", help="Only this customer.")
@AS
@click.pass_obj
def add(
    home: Opened, name: str, kind: str, first_day: datetime, last_day: datetime | None, meter_id: str | None,
    customer_id: str | None, actor: str,
) -> None:  # fmt: skip
    """Announce days: `calendar add "Black Friday" --from 2026-11-27 --to 2026-11-30`."""
    said = Said(" ".join(name.split()), kind, first_day.date(), (last_day or first_day).date(), meter_id, customer_id)
    with (
        _refusals(),
        closing(home.warehouse.connect(read_only=True)) as books,
        operational.writing(home.engine) as session,
    ):
        row = usage_calendar.announce(session, books, said, actor=actor, now=home.clock())
        terminal.echo(f"entry {row.id}: {row.name}, {row.first_day} to {row.last_day}")


@calendar_group.command("remove")
@click.argument("number", type=int)
@AS
@click.pass_obj
def remove(home: Opened, number: int, actor: str) -> None:
    """Take an entry out; what it moved is expected as before from the next run on."""
    with _refusals(), operational.writing(home.engine) as session:
        row = usage_calendar.withdraw(session, number, actor=actor, now=home.clock())
        terminal.echo(f"{row.name} is out of the calendar")


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except BadDays as bad:
        raise click.UsageError(str(bad)) from None
