"""The commands of integrations: what can be connected, whether it is read completely, and what to do where it is not.

They open nothing themselves, see `Opened`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Protocol

import click

from detector import deliveries, delivery_report, flow, reconcile, terminal
from detector.commands import Opened as Home
from detector.cycle import Setting
from detector.report import count
from detector.terminal import JSON, JobFailed
from detector.verification import verified
from integrations.capabilities import Integration, Rereading
from integrations.catalogue import find, kinds
from integrations.http import SourceError
from store import operational


class Opened(Home, Protocol):
    """What the command line opened, with the integrations that are configured."""

    @property
    def setting(self) -> Setting: ...
    @property
    def pulled(self) -> Mapping[str, str]: ...
    def integration(self, name: str) -> Integration: ...


@click.group(invoke_without_command=True)
@click.pass_context
def integrations(context: click.Context) -> None:
    """What can be connected, and whether what is connected is read completely."""
    if context.invoked_subcommand is None:
        for kind in kinds():
            terminal.echo(find(kind))


@integrations.command("verify")
@click.argument("name")
@JSON
@click.pass_obj
def verify(home: Opened, name: str, as_json: bool) -> None:
    """Ask a configured integration for everything that it can do, and tell of each capability; nothing is written."""
    integration, can = _configured(home, name), find(home.pulled[name]).capabilities
    told = list(verified(integration, can, home.warehouse, home.clock()))
    if as_json:
        terminal.answer({"name": name, "capabilities": [vars(each) for each in told]})
    else:
        terminal.echo("\n".join(map(str, told)))
    if failed := [each.capability for each in told if each.state == "failed"]:
        reads_all = "" if "lists" in failed else f"; trueup sync {name} --full reads all again"
        why = f": {told[0].said}" if "lists" in failed else ""
        raise JobFailed(f"{name}: {', '.join(failed)} failed{why}{reads_all}")


@integrations.command("reconcile")
@click.argument("name")
@JSON
@click.pass_obj
def reconcile_command(home: Opened, name: str, as_json: bool) -> None:
    """Read everything again and compare it with the books, row by row; nothing is written."""
    integration = _configured(home, name)
    try:
        compared = reconcile.reconcile(home.setting, integration, find(home.pulled[name]).capabilities.reads)
    except SourceError as error:
        raise JobFailed(f"{name}: {error}") from None
    with closing(home.warehouse.connect(read_only=True)) as books:
        holes = flow.holes(books, name).get(name, ())
    if as_json:
        left_out = [{"after": hole.after, "before": hole.before, "numbers": hole.left_out} for hole in holes]
        tables = reconcile.compared_json(compared)
        terminal.answer({"name": name, "tables": tables, "invoice_numbers_left_out": left_out})
    else:
        lines = reconcile.compared_text(compared)
        lines += [f"MISSING {count(h.left_out, 'invoice number')} between {h.after} and {h.before}" for h in holes]
        terminal.echo("\n".join(lines))
    if apart := [each.table for each in compared if not each.agrees]:
        raise JobFailed(
            f"{name}: {', '.join(apart)} not as they are there; trueup integrations repair {name} TYPE ID... reads "
            f"single records again, trueup sync {name} --full all"
        )


@integrations.command("repair")
@click.argument("name")
@click.argument("record_type", metavar="TYPE")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.pass_obj
def repair(home: Opened, name: str, record_type: str, ids: tuple[str, ...]) -> None:
    """Read single records again, as they are in the system now: `repair stripe invoice in_1 in_2`."""
    integration = _configured(home, name)
    can = find(home.pulled[name]).capabilities.rereads
    if not isinstance(integration, Rereading):
        raise JobFailed(f"{name} cannot read single records; trueup sync {name} --full reads all again")
    if record_type not in can:
        raise click.UsageError(f"{name} reads single records of the types {', '.join(can)}, not {record_type}")
    for id in ids:
        try:
            stored = list(reconcile.repair(home.setting, integration, name, (record_type, id)))
        except SourceError as error:
            raise JobFailed(f"{name}: {record_type} {id}: {error}") from None
        for page, counts in stored:
            terminal.say_remarks(name, page.remarks)
            written = sum(each.written for each in counts.values())
            outcome = f"{count(written, 'row')} written" if written else "as it was"
            terminal.echo(f"{record_type} {id}: {outcome}")


@integrations.command("deliveries")
@click.argument("name", required=False)
@click.option("--retry", is_flag=True, help="Apply the failed ones of NAME again.")
@JSON
@click.pass_obj
def deliveries_command(home: Opened, name: str | None, retry: bool, as_json: bool) -> None:
    """Webhooks: how many were applied, wait, failed and were refused, and why."""
    if retry:
        if name is None:
            raise click.UsageError("name the integration whose deliveries are to be applied again")
        _configured(home, name)
        with operational.writing(home.engine) as session:
            again = deliveries.retry(session, name, home.clock())
        terminal.echo(f"{name}: {again} will be applied again by trueup serve")
        return
    with operational.reading(home.engine) as session:
        told = delivery_report.deliveries_json(session, name)
    if as_json:
        terminal.answer(told)
    else:
        terminal.echo("\n".join(delivery_report.deliveries_text(told)))


def _configured(home: Opened, name: str) -> Integration:
    if name not in home.pulled:
        raise click.UsageError(
            f"there is no integration {name} in the configuration; it has {', '.join(home.pulled) or 'none'}"
        )
    return home.integration(name)
