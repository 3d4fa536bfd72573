"""The commands that keep nothing: signals, one signal, runs.

They work with whatever the command line opened, told here as a protocol.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Protocol

import click
from sqlalchemy import Engine

from detector import claims, inbox, ledger, report, sheets, terminal
from detector.cycle import Clock
from detector.rules import Rule, RuleProblem
from detector.signal_document import document
from detector.terminal import JSON
from store import operational
from store.warehouse import Warehouse

SHOWN = 50
"""Signals that the table lists unless --limit says otherwise; JSON and CSV list all."""


class Opened(Protocol):
    """What the command line opened."""

    @property
    def engine(self) -> Engine: ...
    @property
    def warehouse(self) -> Warehouse: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def catalogue(self) -> tuple[list[Rule], list[RuleProblem]]: ...
    def rules(self, names: Sequence[str]) -> list[Rule]: ...


def _filters(command: Any) -> Any:
    """The options that choose signals, as the console's address does."""
    for option in reversed(
        (
            click.option("--status", default="open", show_default=True, help="open, any, or one status."),
            click.option("--rule", multiple=True, help="Name of a rule."),
            click.option("--code", multiple=True, help="A fault of the rules, for example TU-19."),
            click.option("--severity", multiple=True),
            click.option("--category", multiple=True),
            click.option("--integration", multiple=True),
            click.option("--assignee", multiple=True),
            click.option("--customer", default="", help="Id of a customer."),
            click.option("--entity", default="", help="Id of any record that the signals name."),
            click.option("--q", default="", help="Text in title, customer or id."),
            click.option("--sort", default="risk", show_default=True),
        )
    ):
        command = option(command)
    return command


@click.group(invoke_without_command=True)
@_filters
@click.option("--limit", type=click.IntRange(1, 10_000), default=SHOWN, show_default=True, help="Lines of the table.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV: a line per signal and currency.")
@JSON
@click.pass_context
def signals(context: click.Context, /, limit: int, as_csv: bool, as_json: bool, **chosen: Any) -> None:
    """The signals, those first that cost most if nobody acts; and what people do with them."""
    if context.invoked_subcommand is not None:
        return
    home: Opened = context.obj
    try:
        wanted = inbox.Filter(view="every", **chosen)
    except inbox.BadFilter as error:
        raise click.UsageError(f"--{error}") from None
    with operational.reading(home.engine) as session:
        now = home.clock()
        if as_json:
            terminal.answer_all(inbox.export(session, wanted, now))
        elif as_csv:
            sys.stdout.writelines(sheets.lines(report.csv_rows(inbox.export(session, wanted, now))))
        else:
            page = inbox.page(session, wanted, now, limit)
            terminal.show(report.signal_table(page.items))
            terminal.echo(f"{len(page.items)} of {page.total} signals; {report.totals(page.totals)}")


@click.group(invoke_without_command=True)
@click.option("--rule", default="", help="Only of this rule.")
@click.option("--status", default="", type=click.Choice(["", *ledger.STATUSES]), help="Only those that ended so.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=SHOWN, show_default=True, help="The newest so many.")
@JSON
@click.pass_context
def runs(context: click.Context, rule: str, status: str, limit: int, as_json: bool) -> None:
    """What ran, when, why, on which snapshot, how long, and what was skipped and why; the newest first."""
    if context.invoked_subcommand is not None:
        return
    home: Opened = context.obj
    if rule:
        (chosen,) = home.rules([rule])[:1]
        rule = chosen.name
    with operational.reading(home.engine) as session:
        found = ledger.page(session, rule=rule, status=status, limit=limit)
        if as_json:
            terminal.answer([ledger.as_json(run) for run in found.runs])
        else:
            terminal.show(report.run_table(found.runs))
            terminal.echo(f"{len(found.runs)} runs{'; --limit shows more' if found.next else ''}")


@runs.command("cancel")
@click.argument("number", type=int)
@click.option("--as", "actor", default="cli", show_default=True, metavar="NAME", help="Who does this.")
@click.pass_obj
def cancel_run(home: Opened, number: int, actor: str) -> None:
    """Stop a run that is going on; it keeps nothing."""
    with operational.writing(home.engine) as session:
        if not claims.cancel(session, number, actor=actor):
            raise click.UsageError(f"no run {number} is going on; trueup runs --status running lists them")
    terminal.echo(f"run {number} stops within a second and keeps nothing")


@click.group("signal")
def one_signal() -> None:
    """One signal."""


@one_signal.command("show")
@click.argument("signal_id", metavar="ID")
@JSON
@click.pass_obj
def show_signal(home: Opened, signal_id: str, as_json: bool) -> None:
    """One signal with its records, evidence, timeline and advice."""
    number = inbox.number(signal_id)
    with operational.reading(home.engine) as session:
        detail = inbox.signal(session, number) if number is not None else None
        if detail is None:
            raise click.UsageError(f"there is no signal {signal_id}; trueup signals lists them")
        rule = next((rule for rule in home.catalogue[0] if rule.name == detail.signal.rule), None)
        if as_json:
            terminal.answer(document(session, detail, rule))
        else:
            terminal.echo("\n".join(report.signal_text(detail, report.advice(rule))))
