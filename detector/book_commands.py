"""What the books hold of one record or item, and what workers were asked for, at the terminal."""

from __future__ import annotations

from datetime import datetime, timedelta

import click
from sqlalchemy import select

from detector import cycle, derived, requests, terminal, trials
from detector.commands import Opened
from detector.detail import instant
from detector.record_tables import KEYS, TABLES
from detector.sheets import cell
from detector.signal_commands import AS
from detector.terminal import INSTANT, JSON
from store import operational
from store.operational_tables import Job

USUAL = timedelta(days=31)
SHOWN = 20


@click.command("record")
@click.argument("type", type=click.Choice([*TABLES]))
@click.argument("id")
@JSON
@click.pass_obj
def record(home: Opened, type: str, id: str, as_json: bool) -> None:
    """One record of the books by its fields, of every integration that has the id: `record invoice in_1`."""
    with cycle.books_at(home.warehouse, home.warehouse.snapshot()) as con:
        rows = con.execute(f"SELECT * FROM books.{TABLES[type]} WHERE {KEYS[type]} = ? LIMIT 20", [id])
        names = [each[0] for each in rows.description or ()]
        found = [dict(zip(names, row, strict=True)) for row in rows.fetchall()]
    if not found:
        raise click.UsageError(f"there is no {type} {id} in the books")
    told = [{name: value if value is None else cell(value) for name, value in row.items()} for row in found]
    if as_json:
        terminal.answer(told)
        return
    for row in told:
        terminal.echo("\n".join(f"{name:<24} {value}" for name, value in row.items() if value is not None))


@click.command("usage")
@click.argument("item")
@click.option("--from", "start", type=INSTANT, help="From when on; 31 days before --to when left out.")
@click.option("--to", "end", type=INSTANT, help="Until when; now when left out.")
@JSON
@click.pass_obj
def usage(home: Opened, item: str, start: datetime | None, end: datetime | None, as_json: bool) -> None:
    """The usage of a subscription item by UTC day; a day without events has no row."""
    until = end or home.clock()
    since = start or until - USUAL
    with cycle.books_at(home.warehouse, home.warehouse.snapshot()) as con:
        derived.build(con, home.clock(), {"usage_daily"}, home.warehouse.dialects)
        rows = con.execute(
            "SELECT day, quantity, events FROM usage_daily WHERE item_id = ? AND day >= ? AND day < ? ORDER BY day",
            [item, since.date(), until.date() + timedelta(days=1)],
        ).fetchall()
        known = rows or con.execute("SELECT 1 FROM subscription_items WHERE item_id = ? LIMIT 1", [item]).fetchone()
    if not known:
        raise click.UsageError(f"there is no subscription item {item} in the books")
    told = [
        {"day": f"{day}", "quantity": f"{quantity.normalize():f}", "events": events} for day, quantity, events in rows
    ]
    if as_json:
        terminal.answer(told)
        return
    if not told:
        terminal.echo(f"nothing was used from {since:%Y-%m-%d} to {until:%Y-%m-%d}; --from and --to choose other days")
        return
    table = terminal.columns("day", "quantity", "events", right=("quantity", "events"))
    for row in told:
        table.add_row(row["day"], row["quantity"], f"{row['events']:,}")
    terminal.show(table)


@click.group("jobs", invoke_without_command=True)
@JSON
@click.pass_context
def jobs(context: click.Context, as_json: bool) -> None:
    """What workers were asked for lately, the newest first."""
    if context.invoked_subcommand is not None:
        return
    home: Opened = context.obj
    with operational.reading(home.engine) as session:
        found = list(session.scalars(select(Job).order_by(Job.id.desc()).limit(SHOWN)))
    names = ("id", "kind", "status", "requested_by", "result")
    if as_json:
        at = ("requested_at", "finished_at")
        terminal.answer([
            {name: getattr(each, name) for name in names} | {name: instant(getattr(each, name)) for name in at}
            for each in found
        ])  # fmt: skip
        return
    table = terminal.columns(*names, right=("id",))
    for each in found:
        table.add_row(*(str(getattr(each, name) or "") for name in names))
    terminal.show(table)


@jobs.command("cancel")
@click.argument("number", type=int)
@AS
@click.pass_obj
def cancel_job(home: Opened, number: int, actor: str) -> None:
    """Take back what still waits for a worker, or stop a trial."""
    with operational.writing(home.engine) as session:
        stopped = requests.cancel(session, number, actor=actor, now=home.clock()) or trials.cancel(
            session, number, home.clock()
        )
    if not stopped:
        raise click.UsageError(f"no job {number} waits; trueup jobs lists them")
    terminal.echo(f"job {number} is cancelled")
