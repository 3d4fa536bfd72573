"""Scheduled exports at the terminal."""

from __future__ import annotations

import click

from detector import terminal
from detector.detail import instant
from detector.terminal import JSON
from people import posting, scheduled
from people.scheduled import PERIODS
from people.wish_commands import Opened
from store import operational
from store.notice_tables import Telling

SETTINGS = click.argument("settings", nargs=-1, metavar="[SETTING=VALUE]...")


@click.group("exports", invoke_without_command=True)
@click.option("--of", "who", help="Whose.")
@JSON
@click.pass_context
def exports_group(context: click.Context, who: str | None, as_json: bool) -> None:
    """What a person gets by mail on a schedule: `exports add Ana --view 3 rhythm=monday at=08:00`."""
    if context.invoked_subcommand is not None:
        return
    if who is None:
        raise click.UsageError("say whose: --of Ana")
    home: Opened = context.obj
    with operational.reading(home.engine) as session:
        found, last = scheduled.of(session, who), posting.latest(session, who)
        told = [
            {"id": each.id, **scheduled.facts(each), "next_at": instant(each.next_at), "last": _said(last.get(each.id))}
            for each in found
        ]
        lines = [f"{each.id} {each.name} {scheduled.words(each)}{', paused' if each.paused else ''}" for each in found]
    if as_json:
        terminal.answer(told)
        return
    if not told:
        terminal.echo(f"nothing is sent to {who} on a schedule")
    for line, each in zip(lines, told, strict=True):
        terminal.echo(line + (f"; last {each['last']}" if each["last"] else ""))


def _said(row: Telling | None) -> str | None:
    """What came of the last one: `sent`, `failed: the server refuses ...`."""
    return None if row is None else row.status + (f": {row.error}" if row.error else "")


@exports_group.command("add")
@click.argument("who")
@SETTINGS
@click.option("--view", type=click.IntRange(min=0), help="A saved view by its number; `trueup views` lists them.")
@click.option("--report", "period", type=click.Choice([*PERIODS]), help="The manager's report of that month.")
@click.pass_obj
def add_export(home: Opened, who: str, settings: tuple[str, ...], view: int | None, period: str | None) -> None:
    """Send a view or the report to a person: rhythm, day (of the month), at, timezone and format say when and how."""
    if (view is None) == (period is None):
        raise click.UsageError("name what is sent by either --view or --report")
    given = terminal.assignments(settings)
    with terminal.refusals(), operational.writing(home.engine) as session:
        made = scheduled.make(session, who, {"view": view, "period": period}, given, now=home.clock())
        terminal.echo(f"{made.id} {made.name} {scheduled.words(made)}")
    if "mail" not in home.way_names:
        terminal.say("no mail is configured, so nothing is sent yet; notify.mail in config.yaml names the server")


@exports_group.command("set")
@click.argument("who")
@click.argument("number", type=click.IntRange(min=0))
@SETTINGS
@click.pass_obj
def set_export(home: Opened, who: str, number: int, settings: tuple[str, ...]) -> None:
    """Change when and how it is sent; `paused=yes` stops it, `paused=no` lets it go on."""
    given = terminal.assignments(settings)
    with terminal.refusals(), operational.writing(home.engine) as session:
        export = scheduled.one(session, number, who)
        scheduled.change(session, export, given, now=home.clock())
        terminal.echo(f"{export.id} {export.name} {scheduled.words(export)}{', paused' if export.paused else ''}")


@exports_group.command("end")
@click.argument("who")
@click.argument("number", type=click.IntRange(min=0))
@click.pass_obj
def end_export(home: Opened, who: str, number: int) -> None:
    """Send it no more."""
    with terminal.refusals(), operational.writing(home.engine) as session:
        export = scheduled.one(session, number, who)
        scheduled.end(session, export, now=home.clock())
    terminal.echo(f"{export.name} is sent to {export.person} no more")
