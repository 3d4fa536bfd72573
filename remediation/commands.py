"""The commands of actions and the gate. They open nothing themselves, see `options.Opened`."""

from __future__ import annotations

from collections.abc import Callable

import click

from detector import terminal
from detector.detail import amount
from detector.terminal import JSON, JobFailed
from remediation import execute, gate, holds, life, preview, report, verify
from remediation.advice import action_json
from remediation.batch_commands import batch_group
from remediation.options import AS, BY, REASON, Opened, refusals, signal_number
from store import operational
from store.action_tables import Action


@click.group()
def actions() -> None:
    """The actions that repair signals: approve, apply, verify, undo."""


@actions.command("list")
@click.argument("signal", required=False)
@JSON
@click.pass_obj
def list_command(home: Opened, signal: str | None, as_json: bool) -> None:
    """The actions of one signal, or of all."""
    number = signal_number(signal) if signal else None
    with operational.reading(home.engine) as session:
        found = life.of_signal(session, number)
        if as_json:
            terminal.answer([action_json(each) for each in found])
        else:
            terminal.show(report.action_table(found))


@actions.command("show")
@click.argument("id")
@JSON
@click.pass_obj
def show_command(home: Opened, id: str, as_json: bool) -> None:
    """One action with its journal."""
    _told(home, _number(id), as_json, whole=True)


@actions.command("approve")
@click.argument("id")
@AS
@REASON
@JSON
@click.pass_obj
def approve_command(home: Opened, id: str, actor: str, reason: str, as_json: bool) -> None:
    """Allow one action."""
    with refusals(), operational.writing(home.engine) as session:
        life.approve(
            session, _number(id), actor=actor, reason=reason, now=home.clock(), approvals=home.remedy.approvals
        )
    _told(home, _number(id), as_json)


def _ending(name: str, end: Callable[..., Action], told: str) -> click.Command:
    @click.command(name, help=told)
    @click.argument("id")
    @AS
    @REASON
    @JSON
    @click.pass_obj
    def command(home: Opened, id: str, actor: str, reason: str, as_json: bool) -> None:
        """End the action and show it."""
        with refusals(), operational.writing(home.engine) as session:
            end(session, _number(id), actor=actor, reason=reason, now=home.clock())
        _told(home, _number(id), as_json)

    return command


actions.add_command(_ending("reject", life.reject, "Say that an action is not to be done."))
actions.add_command(_ending("waive", life.waive, "Say that an action need not be done; what waits for it is free."))


@actions.command("preview")
@click.argument("id")
@BY
@JSON
@click.pass_obj
def preview_command(home: Opened, id: str, actor: str, as_json: bool) -> None:
    """What the billing system says that an action would come to; nothing is changed."""
    with refusals():
        found = preview.preview(home.remedy, _number(id), actor=actor)
    if as_json:
        money = [{"of": each.of, "before": amount(each.before, each.currency),
                  "after": amount(each.after, each.currency), "currency": each.currency} for each in found]  # fmt: skip
        terminal.answer(money)
    else:
        terminal.echo("\n".join(preview.told(each) for each in found))


@actions.command("apply")
@click.argument("id")
@click.option("--again", is_flag=True, help="You have looked at a parked action, and it was not done.")
@BY
@JSON
@click.pass_obj
def apply_command(home: Opened, id: str, again: bool, actor: str, as_json: bool) -> None:
    """Carry out an approved action, at most once."""
    with refusals():
        done = execute.apply(home.remedy, _number(id), actor=actor, again=again)
    _told(home, done.id, as_json)
    if done.status != "succeeded":
        raise JobFailed(f"{done.label} is {done.status}: {done.error}")


@actions.command("verify")
@click.argument("id")
@click.option("--reason", default="", metavar="TEXT", help="For work of people: what was done.")
@BY
@JSON
@click.pass_obj
def verify_command(home: Opened, id: str, reason: str, actor: str, as_json: bool) -> None:
    """Pull what an action touched, run the rule on it, compare with what was promised."""
    with refusals():
        action, verdict = verify.verify(home.remedy, _number(id), actor=actor, reason=reason)
    _told(home, action.id, as_json)
    if not verdict.verified:
        raise JobFailed(f"{action.label} is not verified: {verdict.found}")


@actions.command("reverse")
@click.argument("id")
@AS
@REASON
@JSON
@click.pass_obj
def reverse_command(home: Opened, id: str, actor: str, reason: str, as_json: bool) -> None:
    """Undo what an action did, where that can be."""
    with refusals():
        done = execute.reverse(home.remedy, _number(id), actor=actor, reason=reason)
    _told(home, done.id, as_json)
    if done.status != "rolled_back":
        raise JobFailed(f"{done.label} is {done.status}: {done.error}")


actions.add_command(batch_group)


@click.command("gate")
@click.argument("id", required=False, metavar="[INVOICE|BILL RUN]")
@click.option(
    "--fail-on",
    type=click.Choice(["warn", "hold"]),
    help="Fail when a draft is held back (hold) or warned about (warn), for a pipeline.",
)
@click.option("--hold", is_flag=True, help="Hold what is blocked now, by the standing approval gate.hold: automatic.")
@click.option("--reconcile", is_flag=True, help="Ask the billing system whether what is held here is held there.")
@JSON
@click.pass_obj
def gate_command(home: Opened, id: str | None, fail_on: str | None, hold: bool, reconcile: bool, as_json: bool) -> None:
    """What holds drafts back, and why: of all, of one, or of a bill run."""
    if reconcile:
        _reconcile(home, as_json)
        return
    if hold and not home.remedy.gate.automatic:
        raise click.UsageError("there is no standing approval; gate.hold: automatic gives it, else approve each hold")
    if hold:
        gate.enforce(home.remedy)
    found = gate.drafts(home.remedy, id)
    if id and not found:
        raise click.UsageError(
            f"there is no draft {id}, and no bill run of that id with drafts; `trueup gate` lists them"
        )
    if as_json:
        terminal.answer([each.as_json() for each in found])
    else:
        terminal.echo("\n".join(report.gate_text(found)))
    failing = {"hold": ("blocked", "held"), "warn": ("blocked", "held", "warned")}.get(fail_on or "", ())
    if kept := [each.invoice for each in found if each.state in failing]:
        raise JobFailed(f"{len(kept)} drafts do not pass: {', '.join(kept[:10])}{' ...' * (len(kept) > 10)}")


def _reconcile(home: Opened, as_json: bool) -> None:
    with refusals():
        held = holds.reconcile(home.remedy)
    if as_json:
        terminal.answer([each.as_json() for each in held])
    else:
        for each in held:
            terminal.echo(
                f"{each.state:<8} {each.invoice}  {each.action.label}{f'  ALERT {each.alert}' if each.alert else ''}"
            )
        terminal.echo(f"{len(held)} held drafts, {sum(1 for each in held if each.alert)} alerts")


def _number(id: str) -> int:
    found = life.number(id)
    if found is None:
        raise click.UsageError(f"{id!r} is no action; trueup actions list names them")
    return found


def _told(home: Opened, id: int, as_json: bool, whole: bool = False) -> None:
    with refusals(), operational.reading(home.engine) as session:
        action = session.get(Action, id)
        if action is None:
            raise life.UnknownAction(id)
        entries = life.journal(session, id)
        if as_json:
            told = [
                {"at": each.at.isoformat(), "actor": each.actor, "kind": each.kind, "key": each.key,
                 "request": each.request, "reply": each.reply, "detail": each.detail}
                for each in entries
            ]  # fmt: skip
            terminal.answer({**action_json(action), **({"journal": told} if whole else {})})
        else:
            terminal.echo("\n".join(report.action_text(action, entries if whole else ())))
