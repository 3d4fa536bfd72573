"""The commands of remediation: advise, actions, gate. They open nothing themselves, see `Opened`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import click

from detector import inbox, terminal
from detector.commands import Opened as Home
from detector.terminal import JSON, JobFailed
from integrations.http import SourceError
from remediation import batch, execute, gate, holds, life, report, verify
from remediation.advice import action_json, advise
from remediation.advisor import exchanges
from remediation.advisor.report import after_text, exchange_json, exchange_text, sentence_text
from remediation.remedy import Remedy
from store import operational
from store.action_tables import Action
from store.advisor_tables import Exchange
from store.operational_tables import Signal

if TYPE_CHECKING:
    from remediation.advisor.model import Model


class Opened(Home, Protocol):
    """What the command line opened, with what remediation needs."""

    @property
    def remedy(self) -> Remedy: ...

    @property
    def model(self) -> Model | None: ...


AS = click.option("--as", "actor", required=True, metavar="NAME", help="Who does this.")
BY = click.option("--as", "actor", default="cli", show_default=True, metavar="NAME", help="Who does this.")
REASON = click.option("--reason", required=True, metavar="TEXT", help="Why; it stays with the action.")


@click.command("advise")
@click.argument("signal")
@click.option("--without-model", is_flag=True, help="Ask no language model, also where one is configured.")
@BY
@JSON
@click.pass_obj
def advise_command(home: Opened, signal: str, without_model: bool, actor: str, as_json: bool) -> None:
    """The root cause of a signal, and what to do in which order; what a language model says of it stands apart."""
    number = inbox.number(signal)
    found = advise(home.remedy, number) if number is not None else None
    if found is None:
        raise click.UsageError(f"there is no signal {signal}; trueup signals lists them")
    if not as_json:
        click.echo("\n".join(report.advice_text(found)))
    model = None if without_model else home.model
    said = _asked(home, model, found.signal.id, None, actor) if model is not None else None
    if as_json:
        terminal.answer({**found.as_json(), "model": exchange_json(said) if said else None})
    elif said is not None:
        click.echo("\n".join(["", *exchange_text(said)]))


@click.command("ask")
@click.argument("signal")
@click.argument("question")
@BY
@JSON
@click.pass_obj
def ask_command(home: Opened, signal: str, question: str, actor: str, as_json: bool) -> None:
    """Ask the language model about a signal; each sentence of the answer cites its evidence, or is dropped."""
    with operational.reading(home.engine) as session:
        number = inbox.number(signal)
        if number is None or session.get(Signal, number) is None:
            raise click.UsageError(f"there is no signal {signal}; trueup signals lists them")
    if home.model is None:
        raise JobFailed("no language model is configured; name one under advisor in config.yaml, or see trueup advise")
    told = (lambda sentence: None) if as_json else (lambda sentence: click.echo(sentence_text(sentence)))
    said = _asked(home, home.model, number, question, actor, told)
    if as_json:
        terminal.answer(exchange_json(said))
    else:
        click.echo("\n".join(after_text(said)))
    if said.status == "failed":
        raise JobFailed(f"there is no answer: {said.reason}")


def _asked(
    home: Opened, model: Model, signal: int, question: str | None, actor: str, tell: Callable[[Any], None] | None = None
) -> Exchange:
    """One exchange with the model, from the question to its end."""
    from remediation.advisor import conversation  # only here: nothing else waits for the openai SDK

    try:
        with operational.writing(home.engine) as session:
            made = exchanges.ask(session, signal, question=question, actor=actor, now=home.clock())
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    return conversation.respond(home.remedy, model, made.id, tell or (lambda sentence: None))


@click.group()
def actions() -> None:
    """The actions that repair signals: approve, apply, verify, undo."""


@actions.command("list")
@click.argument("signal", required=False)
@JSON
@click.pass_obj
def list_command(home: Opened, signal: str | None, as_json: bool) -> None:
    """The actions of one signal, or of all."""
    number = inbox.number(signal) if signal else None
    if signal and number is None:
        raise click.UsageError(f"there is no signal {signal}; trueup signals lists them")
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
    with _refusals(), operational.writing(home.engine) as session:
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
        with _refusals(), operational.writing(home.engine) as session:
            end(session, _number(id), actor=actor, reason=reason, now=home.clock())
        _told(home, _number(id), as_json)

    return command


actions.add_command(_ending("reject", life.reject, "Say that an action is not to be done."))
actions.add_command(_ending("waive", life.waive, "Say that an action need not be done; what waits for it is free."))


@actions.command("apply")
@click.argument("id")
@click.option("--again", is_flag=True, help="You have looked at a parked action, and it was not done.")
@BY
@JSON
@click.pass_obj
def apply_command(home: Opened, id: str, again: bool, actor: str, as_json: bool) -> None:
    """Carry out an approved action, at most once."""
    with _refusals():
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
    with _refusals():
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
    with _refusals():
        done = execute.reverse(home.remedy, _number(id), actor=actor, reason=reason)
    _told(home, done.id, as_json)
    if done.status != "rolled_back":
        raise JobFailed(f"{done.label} is {done.status}: {done.error}")


@actions.group("batch")
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
    with _refusals(), operational.writing(home.engine) as session:
        found = batch.approve(session, _signal(signal), kind, actor=actor, reason=reason, now=home.clock(),
                              approvals=remedy.approvals, most=remedy.batch, first=first)  # fmt: skip
    _told_batch(found, as_json)


@batch_group.command("apply")
@click.argument("signal")
@click.argument("kind")
@BY
@JSON
@click.pass_obj
def batch_apply_command(home: Opened, signal: str, kind: str, actor: str, as_json: bool) -> None:
    """Carry the approved ones out: the first is verified before the others, and the first that fails stops them."""
    tell = (lambda action: None) if as_json else (lambda action: click.echo(f"{action.label} is {action.status}"))
    with _refusals():
        found = batch.apply(home.remedy, _signal(signal), kind, actor=actor, tell=tell)
    _told_batch(found, as_json)


def _signal(text: str) -> int:
    number = inbox.number(text)
    if number is None:
        raise click.UsageError(f"there is no signal {text}; trueup signals lists them")
    return number


def _told_batch(found: batch.Batch, as_json: bool) -> None:
    if as_json:
        terminal.answer(found.as_json())
        return
    told = found.as_json()
    money = ", ".join(f"{total} {currency}" for currency, total in told["totals"].items())
    statuses = ", ".join(f"{label} {status}" for label, status in told["statuses"].items())
    click.echo(f"{len(found.actions)} {found.kind}{f' of {money}' if money else ''}: {statuses or 'none'}")
    for label, why in told["locked"].items():
        click.echo(f"  {label} is left out: {why}")


@click.command("gate")
@click.argument("invoice_id", required=False)
@click.option("--hold", is_flag=True, help="Hold what is blocked now, by the standing approval gate.hold: automatic.")
@click.option("--reconcile", is_flag=True, help="Ask the billing system whether what is held here is held there.")
@JSON
@click.pass_obj
def gate_command(home: Opened, invoice_id: str | None, hold: bool, reconcile: bool, as_json: bool) -> None:
    """What holds drafts back, and why."""
    if reconcile:
        _reconcile(home, as_json)
        return
    if hold and not home.remedy.gate.automatic:
        raise click.UsageError("there is no standing approval; gate.hold: automatic gives it, else approve each hold")
    if hold:
        gate.enforce(home.remedy)
    found = gate.drafts(home.remedy, invoice_id)
    if invoice_id and not found:
        raise click.UsageError(f"there is no draft {invoice_id}; `trueup gate` lists them")
    if as_json:
        terminal.answer([each.as_json() for each in found])
    else:
        click.echo("\n".join(report.gate_text(found)))


def _reconcile(home: Opened, as_json: bool) -> None:
    with _refusals():
        held = holds.reconcile(home.remedy)
    if as_json:
        terminal.answer([each.as_json() for each in held])
    else:
        for each in held:
            click.echo(
                f"{each.state:<8} {each.invoice}  {each.action.label}{f'  ALERT {each.alert}' if each.alert else ''}"
            )
        click.echo(f"{len(held)} held drafts, {sum(1 for each in held if each.alert)} alerts")


class _refusals:  # noqa: N801 (used as a statement)
    """What policy refuses is a failed job with its reason, an id that is not there a wrong argument."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, life.UnknownAction):
            raise click.UsageError(str(error)) from None
        if isinstance(error, life.Refused | SourceError):
            raise JobFailed(str(error)) from None


def _number(id: str) -> int:
    found = life.number(id)
    if found is None:
        raise click.UsageError(f"{id!r} is no action; trueup actions list names them")
    return found


def _told(home: Opened, id: int, as_json: bool, whole: bool = False) -> None:
    with _refusals(), operational.reading(home.engine) as session:
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
            click.echo("\n".join(report.action_text(action, entries if whole else ())))
