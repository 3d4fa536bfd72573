"""The commands that may ask a language model: advise and ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from detector import inbox, terminal
from detector.terminal import JSON, JobFailed
from remediation import report
from remediation.advice import advise
from remediation.advisor import exchanges
from remediation.advisor.report import after_text, exchange_json, exchange_text, sentence_text
from remediation.options import BY, Opened
from store import operational
from store.advisor_tables import Exchange
from store.operational_tables import Signal

if TYPE_CHECKING:
    from remediation.advisor.model import Model


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
        terminal.echo("\n".join(report.advice_text(found)))
    model = None if without_model else home.model
    said = _asked(home, model, found.signal.id, None, actor) if model is not None else None
    if as_json:
        terminal.answer({**found.as_json(), "model": exchange_json(said) if said else None})
    elif said is not None:
        terminal.echo("\n".join(["", *exchange_text(said)]))


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
    told = (lambda sentence: None) if as_json else (lambda sentence: terminal.echo(sentence_text(sentence)))
    said = _asked(home, home.model, number, question, actor, told)
    if as_json:
        terminal.answer(exchange_json(said))
    else:
        terminal.echo("\n".join(after_text(said)))
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
