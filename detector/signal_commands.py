"""What people do with signals, at the terminal: the deeds of the console, under `trueup signals`, and `trueup undo`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import click
from sqlalchemy.orm import Session

from detector import cycle, inbox, merged, merging, terminal, triage, usage_labels
from detector.commands import Opened, signals
from detector.detail import number
from detector.explain import UnknownLineError, explain
from detector.learned import Verdict
from detector.report import count
from detector.terminal import JSON, JobFailed
from detector.triage import Change
from store import operational
from store.operational_tables import OPEN_STATUSES

__all__ = ["signals", "undo"]

AS = click.option("--as", "actor", default="cli", show_default=True, metavar="NAME", help="Who does this.")
EXPLAINED = 3
"""Lines of one signal that are worked out unless somebody wants more."""


def _deed(name: str, said: str, *options: Any, together: bool = True) -> Callable[[Callable[..., Change]], None]:
    """Makes a function of a session, signals and options a command that does it to named signals or all that match.

    `together`: what is done to a signal is done to those that are merged into it.
    """

    def register(deed: Callable[..., Change]) -> None:
        """Makes the deed a command of `trueup signals`."""

        @click.argument("ids", nargs=-1, metavar="[SIG-n]...")
        @click.option("--all", "every", is_flag=True, help="All that the options before this command choose.")
        @AS
        @JSON
        @click.pass_context
        def command(
            context: click.Context, /, ids: tuple[str, ...], every: bool, actor: str, as_json: bool, **chosen: Any
        ) -> None:
            """Do the deed to the chosen signals and say what came of it."""
            home: Opened = context.obj
            with _refusals(), operational.writing(home.engine) as session:
                found = _chosen(session, context, ids, every)
                wanted = merged.with_merged(session, found) if together else found
                change = deed(session, wanted, actor=actor, now=home.clock(), **chosen)
                _tell(change, as_json)

        for option in reversed(options):
            command = option(command)
        signals.command(name, help=said)(command)

    return register


@_deed("assign", "Hand signals to a person, or with --nobody take them back.",
       click.option("--to", metavar="NAME", help="Who gets them."), click.option("--nobody", is_flag=True))  # fmt: skip
def _assign(session: Session, ids: list[int], *, to: str | None, nobody: bool, **who: Any) -> Change:
    if (to is None) != nobody:
        raise click.UsageError("say who gets them: --to NAME, or --nobody")
    return triage.assign(session, ids, to, **who)


@_deed("status", "Move signals to another open state.", click.argument("status", type=click.Choice(OPEN_STATUSES)))
def _status(session: Session, ids: list[int], *, status: str, **who: Any) -> Change:
    return triage.change_status(session, ids, status, **who)


@_deed("priority", "Set how soon signals are to be handled.",
       click.argument("priority", type=click.Choice(triage.PRIORITIES)))  # fmt: skip
def _priority(session: Session, ids: list[int], *, priority: str, **who: Any) -> Change:
    return triage.set_priority(session, ids, priority, **who)


@_deed("snooze", "Take signals out of the inbox for some hours (0 wakes them), or until something happens.",
       click.option("--hours", type=click.IntRange(0, 24 * 366)),
       click.option("--until", "wakes", type=click.Choice([*triage.WAKES]), help="money, recurrence or bill_run."),
       )  # fmt: skip
def _snooze(session: Session, ids: list[int], *, hours: int | None, wakes: str | None, **who: Any) -> Change:
    if (hours is None) == (wakes is None):
        raise click.UsageError("say for how long: either --hours or --until")
    until = who["now"] + timedelta(hours=hours) if hours else None
    return triage.snooze(session, ids, until=until, wakes=wakes or "", **who)


@_deed("dismiss", "Put signals aside with a reason.",
       click.option("--reason", required=True, type=click.Choice([*triage.DISMISSALS])),
       click.option("--detail", metavar="TEXT"))  # fmt: skip
def _dismiss(session: Session, ids: list[int], *, reason: str, detail: str | None, **who: Any) -> Change:
    return triage.dismiss(session, ids, reason, detail=detail, **who)


@_deed("resolve", "Close signals, saying what it was.",
       click.option("--cause", required=True, metavar="TEXT"),
       click.option("--waiver", metavar="TEXT", help="Why without a run that came back without it."))  # fmt: skip
def _resolve(session: Session, ids: list[int], *, cause: str, waiver: str | None, **who: Any) -> Change:
    return triage.resolve(session, ids, cause, waiver=waiver, **who)


@_deed("comment", "Write a remark into the timeline.", click.option("--text", required=True), together=False)
def _comment(session: Session, ids: list[int], *, text: str, **who: Any) -> Change:
    return triage.comment(session, ids, text, **who)


@_deed("merge", "Make one case of several signals.", click.option("--why", metavar="TEXT"), together=False)
def _merge(session: Session, ids: list[int], *, why: str | None, **who: Any) -> Change:
    return merging.merge(session, ids, reason=why, **who)


@_deed("split", "Take signals out of their case again.", together=False)
def _split(session: Session, ids: list[int], **who: Any) -> Change:
    return merging.split(session, ids, **who)


@_deed("label", "Say of a signal of unusual usage what it was; the next model learns from it.",
       click.argument("verdict", type=click.Choice([str(each) for each in Verdict])), together=False)  # fmt: skip
def _label(session: Session, ids: list[int], *, verdict: str, **who: Any) -> Change:
    if len(ids) != 1:
        raise click.UsageError("label one signal at a time")
    return usage_labels.label(session, ids[0], Verdict(verdict), **who)


@signals.command("explain")
@click.argument("id", metavar="SIG-n")
@click.option("--most", type=click.IntRange(1, 100), default=EXPLAINED, show_default=True, help="Lines at most.")
@JSON
@click.pass_obj
def explain_command(home: Opened, id: str, most: int, as_json: bool) -> None:
    """Each line that a signal names as wrong: expected beside billed, step by step."""
    wanted = number(id)
    with operational.reading(home.engine) as session:
        detail = inbox.signal(session, wanted) if wanted is not None else None
        if detail is None:
            raise click.UsageError(f"there is no signal {id}; trueup signals lists them")
        names = [str(found.evidence["line_id"]) for found in detail.findings if found.evidence.get("line_id")]
        names += [each.entity_id for each in inbox.entities(session, detail.signal.id, type="invoice_line").items]
        integration, as_of = detail.signal.integration, detail.run.as_of
    explained = []
    with cycle.books_at(home.warehouse, home.warehouse.snapshot()) as con:
        for line in list(dict.fromkeys(names))[:most]:
            try:
                explained.append(explain(con, line, as_of, integration, home.warehouse.dialects))
            except UnknownLineError:
                continue
    if as_json:
        terminal.answer([each.as_json() for each in explained])
    else:
        terminal.echo("\n".join(each.as_text() for each in explained) or "it names no invoice line")


@click.command("undo")
@click.argument("change")
@AS
@JSON
@click.pass_obj
def undo(home: Opened, change: str, actor: str, as_json: bool) -> None:
    """Restore what a change replaced, for every signal that still stands as the change left it."""
    with _refusals(), operational.writing(home.engine) as session:
        _tell(triage.undo(session, change, actor=actor, now=home.clock()), as_json)


def _chosen(session: Session, context: click.Context, ids: Sequence[str], every: bool) -> list[int]:
    """The numbers of the signals that are named, or of all that the options of `signals` choose."""
    if bool(ids) == every:
        raise click.UsageError("name signals, or say --all for all that the options of `trueup signals` choose")
    if not every:
        numbers = {each: number(each) for each in ids}
        if wrong := [each for each, found in numbers.items() if found is None]:
            raise click.UsageError(f"there is no signal {wrong[0]}; trueup signals lists them")
        return [found for found in numbers.values() if found is not None]
    assert context.parent is not None
    given = {name: value for name, value in context.parent.params.items() if name in inbox.Filter.__dataclass_fields__}
    home: Opened = context.obj
    found = inbox.matching(session, inbox.Filter(view="every", **given), home.clock())
    if not found:
        raise click.UsageError("no signal is chosen by these options")
    return found


def _tell(change: Change, as_json: bool) -> None:
    if as_json:
        labels = [f"SIG-{event.signal_id}" for event in change.events]
        terminal.answer({"id": change.id, "changed": labels, "refused": [vars(each) for each in change.refused]})
        return
    terminal.echo(f"{count(len(change.events), 'signal')}; taken back by: trueup undo {change.id}")
    for each in change.refused:
        terminal.echo(f"  {each.signal} is left as it was: {each.reason}")


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except (triage.UnknownSignal, LookupError, inbox.BadFilter) as reason:
        raise click.UsageError(str(reason)) from None
    except (triage.IllegalTransition, ValueError) as reason:
        raise JobFailed(str(reason)) from None
