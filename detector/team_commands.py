"""The team at the terminal: who has what, handing out, standing in, the hours; saved views; the manager's report."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import click

from detector import due, manager_report, notices, operator_settings, sheets, team, terminal, view_query, views
from detector.commands import Opened
from detector.detail import amount, instant
from detector.report import count
from detector.signal_commands import AS
from detector.terminal import INSTANT, JSON
from detector.workload import workload, workload_json
from store import operational


@click.group("team", invoke_without_command=True)
@JSON
@click.pass_context
def team_group(context: click.Context, as_json: bool) -> None:
    """Who has what, and what is overdue."""
    if context.invoked_subcommand is not None:
        return
    home: Opened = context.obj
    with operational.reading(home.engine) as session:
        found, rules = team.loads(session, due.hours(session), home.clock()), team.rules(session)
    if as_json:
        names = ("name", "open", "overdue", "closed", "in_time", "cover")
        people = [
            {name: getattr(each, name) for name in names} | {"away_until": instant(each.away_until)} for each in found
        ]
        kept = [{name: getattr(each, name) for name in ("id", "field", "value", "assignee")} for each in rules]
        terminal.answer({"people": people, "rules": kept})
        return
    table = terminal.columns("name", "open", "overdue", "closed", "in time", "away", right=("open", "overdue"))
    for each in found:
        away = f"until {each.away_until:%Y-%m-%d}, {each.cover or 'nobody'} stands in" if each.away_until else ""
        table.add_row(each.name, str(each.open), str(each.overdue), str(each.closed), str(each.in_time), away)
    terminal.show(table)
    for rule in rules:
        terminal.echo(f"rule {rule.id}: new signals with {rule.field} {rule.value} go to {rule.assignee}")


@team_group.command("hand-out")
@AS
@click.pass_obj
def hand_out(home: Opened, actor: str) -> None:
    """Give what nobody has to those who have least."""
    with terminal.refusals(), operational.writing(home.engine) as session:
        for change in team.hand_out(session, actor=actor, now=home.clock()):
            terminal.echo(f"{count(len(change.events), 'signal')} to {change.events[0].detail}; undo {change.id}")


@team_group.command("reassign")
@click.argument("who")
@click.argument("to")
@AS
@click.pass_obj
def reassign(home: Opened, who: str, to: str, actor: str) -> None:
    """Give all open signals of one person to another."""
    with terminal.refusals(), operational.writing(home.engine) as session:
        change = team.reassign(session, who, to, actor=actor, now=home.clock())
        terminal.echo(f"{count(len(change.events), 'signal')} to {to}; undo {change.id}")


@team_group.command("person")
@click.argument("name")
@click.option("--away-until", type=INSTANT, help="Until then; they are there without it.")
@click.option("--cover", metavar="NAME", help="Who stands in.")
@AS
@click.pass_obj
def person(home: Opened, name: str, away_until: datetime | None, cover: str | None, actor: str) -> None:
    """Add a person, or say that one is away or back."""
    with terminal.refusals(), operational.writing(home.engine) as session:
        team.set_away(session, name, away_until, cover, actor=actor, now=home.clock())
    terminal.echo(f"{name} is away until {away_until:%Y-%m-%d}" if away_until else f"{name} is there")


@team_group.command("add-rule")
@click.argument("field", type=click.Choice([*team.FIELDS]))
@click.argument("value")
@click.argument("to")
@AS
@click.pass_obj
def add_rule(home: Opened, field: str, value: str, to: str, actor: str) -> None:
    """Say who gets new signals of a kind: `add-rule severity critical Ana`."""
    with terminal.refusals(), operational.writing(home.engine) as session:
        team.add_rule(session, field, value, to, actor=actor, now=home.clock())
    terminal.echo(f"{to} gets new signals with {field} {value}")


@team_group.command("remove-rule")
@click.argument("number", type=int)
@AS
@click.pass_obj
def remove_rule(home: Opened, number: int, actor: str) -> None:
    """Take such a rule away; what is assigned stays so."""
    with operational.writing(home.engine) as session:
        if all(each.id != number for each in team.rules(session)):
            raise click.UsageError(f"there is no rule {number}; trueup team lists them")
        team.remove_rule(session, number, actor=actor, now=home.clock())
    terminal.echo(f"rule {number} is gone")


@click.group("settings", invoke_without_command=True)
@JSON
@click.pass_context
def settings_group(context: click.Context, as_json: bool) -> None:
    """What people set rather than config.yaml: deadlines, severities, the calendar of reports."""
    if context.invoked_subcommand is not None:
        return
    home: Opened = context.obj
    with operational.reading(home.engine) as session:
        _tell_settings(operator_settings.read(session), as_json)


@settings_group.command("set")
@click.argument("changes", nargs=-1, required=True, metavar="GROUP.KEY=VALUE...")
@click.option("--reason", metavar="TEXT")
@AS
@JSON
@click.pass_obj
def set_settings(home: Opened, changes: tuple[str, ...], reason: str | None, actor: str, as_json: bool) -> None:
    """Set some, all at once or none: `set sla_hours.critical=8 calendar.timezone=Europe/Berlin`."""
    wanted: dict[str, dict[str, object]] = {}
    for place, value in terminal.assignments(changes).items():
        name, _, key = place.partition(".")
        wanted.setdefault(name, {})[key] = value
    with terminal.refusals(), operational.writing(home.engine) as session:
        operational.alone(session, "settings")
        before = operator_settings.read(session)
        after = operator_settings.typed(operator_settings.changed(before, wanted))
        operator_settings.keep(
            session, after, seen=operator_settings.stamp(before), actor=actor, now=home.clock(), reason=reason
        )
    _tell_settings(after, as_json)


def _tell_settings(values: operator_settings.Values, as_json: bool) -> None:
    if as_json:
        terminal.answer({name: dict(own) for name, own in values.items()})
        return
    for name, own in values.items():
        terminal.echo("\n".join(f"{f'{name}.{key}':<28} {value}" for key, value in own.items()))


@click.group("views", invoke_without_command=True)
@AS
@JSON
@click.pass_context
def views_group(context: click.Context, actor: str, as_json: bool) -> None:
    """Saved views of the inbox: those of the team, and with --as those of a person."""
    home: Opened = context.obj
    if context.invoked_subcommand is not None:
        return
    with operational.reading(home.engine) as session:
        found = views.seen_by(session, actor)
    names = ("id", "name", "owner", "shared", "is_default", "query")
    if as_json:
        terminal.answer([{name: getattr(each, name) for name in names} for each in found])
        return
    table = terminal.columns(*names, right=("id",))
    for each in found:
        table.add_row(*(str(getattr(each, name)) for name in names))
    terminal.show(table)


@views_group.command("save")
@click.argument("name")
@click.argument("query")
@click.option("--shared", is_flag=True, help="For the whole team.")
@click.option("--default", "is_default", is_flag=True, help="The inbox opens on it.")
@AS
@click.pass_obj
def save_view(home: Opened, name: str, query: str, shared: bool, is_default: bool, actor: str) -> None:
    """Keep a query, what follows the question mark of the inbox, under a name."""
    with terminal.refusals(), operational.writing(home.engine) as session:
        view = views.save(
            session, name, view_query.kept(query), owner=actor, shared=shared, is_default=is_default, now=home.clock()
        )
    terminal.echo(f"{view.id} {view.name}")


@views_group.command("remove")
@click.argument("number", type=int)
@AS
@click.pass_obj
def remove_view(home: Opened, number: int, actor: str) -> None:
    """Remove an own view, or one of the team's."""
    with terminal.refusals(), operational.writing(home.engine) as session:
        view = views.remove(session, number, who=actor, now=home.clock())
    terminal.echo(f"{view.name} is removed")


@click.command("notifications")
@click.argument("who")
@click.option("--read", "as_read", is_flag=True, help="Mark all of them as read.")
@JSON
@click.pass_obj
def notifications(home: Opened, who: str, as_read: bool, as_json: bool) -> None:
    """What a person was given and where they were mentioned, the newest first; what is new is marked."""
    with operational.writing(home.engine) as session:
        found, named = notices.notices(session, who), notices.in_notes(session, who)
        if as_read and (found or named):
            newest = max((each.event.id for each in found), default=0)
            notices.mark_read(session, who, newest, max((each.note.id for each in named), default=0))
    told = [
        {"kind": each.kind, "signal": each.signal.label, "title": each.signal.title, "actor": each.event.actor,
         "at": instant(each.event.at), "read": each.is_read}
        for each in found
    ]  # fmt: skip
    noted = [
        {"kind": "mentioned", "customer": each.note.customer_id, "text": each.note.text, "actor": each.note.author,
         "at": instant(each.note.at), "read": each.is_read}
        for each in named
    ]  # fmt: skip
    if as_json:
        terminal.answer([*told, *noted])
        return
    for line in noted:
        head = f"{' ' if line['read'] else '*'} {line['at']} {line['customer']} mentioned by {line['actor']}"
        terminal.echo(f"{head}: {line['text']}")
    for line in told:
        head = f"{' ' if line['read'] else '*'} {line['at']} {line['signal']} {line['kind']} by {line['actor']}"
        terminal.echo(f"{head}: {line['title']}")


@click.command("report")
@click.option("--period", metavar="MONTH|YEAR", help="2026-10 or 2026; this month when left out.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@JSON
@click.pass_obj
def report_command(home: Opened, period: str | None, as_csv: bool, as_json: bool) -> None:
    """What became of the signals of a period: prevented, recovered, written off; how fast, how precise."""
    with operational.reading(home.engine) as session:
        zone, calendar = operator_settings.zone(session), operator_settings.read(session, "calendar")["calendar"]
        name = period or f"{home.clock().astimezone(zone):%Y-%m}"
        try:
            start, end = manager_report.span(name, zone, int(calendar["year_begins"]))
        except ValueError as reason:
            raise click.UsageError(f"--period: {reason}") from None
        found, work = manager_report.report(session, start, end), workload(session, home.clock())
    rows = list(manager_report.rows(found))
    if as_csv:
        terminal.echo("".join(sheets.lines([manager_report.COLUMNS, *rows])), nl=False)
        return
    if as_json:
        terminal.answer({**_report_json(name, found), "open_now": workload_json(work)})
        return
    table = terminal.columns(*manager_report.COLUMNS[:-1])
    for row in rows:
        table.add_row(*(sheets.cell(value) for value in row[:-1]))
    terminal.show(table)
    terminal.echo(f"{count(found.found, 'signal')} found, {found.closed:,} closed in {name}")
    ages = ", ".join(f"{age.open:,} {age.title}" for age in work.ages if age.open)
    ahead = "" if work.expected is None else f"; about {work.expected:,} in four weeks"
    terminal.echo(f"open now: {work.open:,}{f' ({ages})' if ages else ''}{ahead}")


def _report_json(name: str, found: manager_report.Report) -> dict[str, Any]:
    def seconds(span: timedelta | None) -> int | None:
        """A span in whole seconds; None where nothing was measured."""
        return None if span is None else round(span.total_seconds())

    return {
        "period": name,
        "sums": [
            {"kind": each.kind, "currency": each.currency, "exact": amount(each.exact, each.currency),
             "estimate": amount(each.estimate, each.currency), "signals": each.signals}
            for each in found.sums
        ],
        "found": found.found,
        "closed": found.closed,
        "seconds_to_first_action": seconds(found.to_first_action),
        "seconds_to_verified": seconds(found.to_verified),
        "precision": [vars(each) for each in found.precision],
        "in_time": [vars(each) for each in found.in_time],
    }  # fmt: skip
