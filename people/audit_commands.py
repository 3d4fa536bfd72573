"""The commands of the audit: list it, and walk along its chain."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import click

from detector import terminal
from detector.terminal import INSTANT, JSON, JobFailed
from people import audit_log
from people.audit_log import Wanted
from people.commands import Opened
from store import audit, operational
from store.audit_tables import AuditEntry


@click.group("audit")
def audit_group() -> None:
    """What was changed, by whom, from what to what; every row chained to the one before."""


@audit_group.command("list")
@click.option("--actor", default="", help="Who did it.")
@click.option("--action", default="", help="What was done, or how it begins: signal, signal.status.")
@click.option("--about", default="", help="The id of what it was done to.")
@click.option("--since", type=INSTANT)
@click.option("--until", type=INSTANT)
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@JSON
@click.pass_obj
def list_command(
    home: Opened,
    actor: str,
    action: str,
    about: str,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    as_json: bool,
) -> None:
    """The latest rows that match."""
    with operational.reading(home.engine) as session:
        found = audit_log.page(session, Wanted(actor, "", action, about, since, until), limit=limit).rows
    if as_json:
        terminal.answer([_as_json(each) for each in found])
        return
    if not found:
        terminal.echo("nothing in the audit matches")
        return
    table = terminal.columns("id", "when", "actor", "action", "object", "reason", right=("id",))
    for each in found:
        about = f"{each.object_type}:{each.object_id}"
        table.add_row(str(each.id), f"{each.at:%Y-%m-%d %H:%M:%S}", _who(each), each.action, about, each.reason or "")
    terminal.show(table)


@audit_group.command("export")
@click.option("--actor", default="", help="Who did it.")
@click.option("--action", default="", help="What was done, or how it begins.")
@click.option("--about", default="", help="The id of what it was done to.")
@click.option("--since", type=INSTANT)
@click.option("--until", type=INSTANT)
@click.pass_obj
def export_command(
    home: Opened, actor: str, action: str, about: str, since: datetime | None, until: datetime | None
) -> None:
    """Every row that matches, oldest first, as CSV."""
    with operational.reading(home.engine) as session:
        for line in audit_log.as_csv(session, Wanted(actor, "", action, about, since, until)):
            terminal.echo(line, nl=False)


@audit_group.command("verify")
@click.option("--known", metavar="HASH", help="A last hash that was noted earlier; the chain must hold it.")
@JSON
@click.pass_obj
def verify_command(home: Opened, known: str | None, as_json: bool) -> None:
    """Walk along the chain and name the first row that was altered, or before which one is missing."""
    with operational.reading(home.engine) as session:
        found = audit.verify(session, known)
    if as_json:
        told = {"rows": found.rows, "head": found.head, "whole": found.whole, "broken": found.broken, "why": found.why}
        terminal.answer(told)
    elif found.whole:
        terminal.echo(f"whole: {found.rows:,} rows, the last hash is {found.head}")
    if not found.whole:
        raise JobFailed(audit_log.told(found))


def _as_json(entry: AuditEntry) -> dict[str, Any]:
    columns = {column.key: getattr(entry, column.key) for column in AuditEntry.__table__.columns}
    parsed = {name: columns[name] and json.loads(columns[name]) for name in ("before", "after")}
    return {**columns, **parsed, "at": entry.at.isoformat()}


def _who(entry: AuditEntry) -> str:
    return f"{entry.actor} ({entry.actor_kind}{f', {entry.via}' if entry.via else ''})"
