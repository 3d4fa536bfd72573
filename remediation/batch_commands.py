"""The commands of batches: approve, and carry out, the actions of one kind for one signal."""

from __future__ import annotations

import click

from detector import terminal
from detector.terminal import JSON
from remediation import batch
from remediation.options import AS, BY, REASON, Opened, refusals, signal_number
from store import operational


@click.group("batch")
def batch_group() -> None:
    """The actions of one kind for one signal as one decision, up to a cap."""


@batch_group.command("approve")
@click.argument("signal")
@click.argument("kind")
@click.option("--first", type=click.IntRange(1), help="Only the first so many.")
@AS
@REASON
@JSON
@click.pass_obj
def batch_approve_command(
    home: Opened, signal: str, kind: str, first: int | None, actor: str, reason: str, as_json: bool
) -> None:
    """Approve them together; their sum is held to the money limit."""
    remedy = home.remedy
    with refusals(), operational.writing(home.engine) as session:
        found = batch.approve(session, signal_number(signal), kind, actor=actor, reason=reason, now=home.clock(),
                              approvals=remedy.approvals, first=first)  # fmt: skip
    _told_batch(found, as_json)


@batch_group.command("apply")
@click.argument("signal")
@click.argument("kind")
@BY
@JSON
@click.pass_obj
def batch_apply_command(home: Opened, signal: str, kind: str, actor: str, as_json: bool) -> None:
    """Carry the approved ones out: the first is verified before the others, and the first that fails stops them."""
    tell = (lambda action: None) if as_json else (lambda action: terminal.echo(f"{action.label} is {action.status}"))
    with refusals():
        found = batch.apply(home.remedy, signal_number(signal), kind, actor=actor, tell=tell)
    _told_batch(found, as_json)


def _told_batch(found: batch.Batch, as_json: bool) -> None:
    if as_json:
        terminal.answer(found.as_json())
        return
    told = found.as_json()
    money = ", ".join(f"{total} {currency}" for currency, total in told["totals"].items())
    statuses = ", ".join(f"{label} {status}" for label, status in told["statuses"].items())
    terminal.echo(f"{len(found.actions)} {found.kind}{f' of {money}' if money else ''}: {statuses or 'none'}")
    for label, why in told["locked"].items():
        terminal.echo(f"  {label} is left out: {why}")
