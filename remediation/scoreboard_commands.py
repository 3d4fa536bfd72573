"""The commands about what was prevented: `scoreboard`, and the label of what was missed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import partial

import click
from sqlalchemy.orm import Session

from detector import inbox, terminal
from detector.detail import amount
from detector.report import printable
from detector.terminal import INSTANT, JSON
from remediation.options import AS, Opened
from remediation.scoreboard import (
    CAUGHT,
    MONEY_OF,
    TITLES,
    Scoreboard,
    Tally,
    behind,
    miss,
    scoreboard,
    scoreboard_json,
)
from store import operational

USUAL = timedelta(days=30)
"""How far back the numbers go, unless somebody says otherwise."""

SHOWN = 5
"""Signals that are named beside a number; --json names all."""


@click.group("scoreboard", invoke_without_command=True)
@click.option("--since", type=INSTANT, help="Signals first seen, and closed, from then on; 30 days ago.")
@click.option("--until", type=INSTANT, help="... and before this; now.")
@JSON
@click.pass_context
def scoreboard_command(context: click.Context, since: datetime | None, until: datetime | None, as_json: bool) -> None:
    """What was caught in time and what was not, and the money of each; estimates stand apart from what is verified."""
    if context.invoked_subcommand is not None:
        return
    home: Opened = context.obj
    end = until or home.clock()
    start = since or end - USUAL
    if start >= end:
        raise click.UsageError("--until must be after --since")
    with operational.reading(home.engine) as session:
        found = scoreboard(session, start, end)
        if as_json:
            terminal.answer(scoreboard_json(session, found))
        else:
            terminal.echo("\n".join(lines(session, found)))


@scoreboard_command.command("miss")
@click.option("--at", type=INSTANT, required=True, help="When it went out wrong.")
@click.option("--under", metavar="AMOUNT", help="How much too little was charged; or")
@click.option("--over", metavar="AMOUNT", help="how much too much.")
@click.option("--currency", required=True, metavar="USD")
@click.option("--note", required=True, metavar="TEXT", help="How it came to light.")
@click.option("--code", metavar="TU-19", help="The fault of the catalogue, where it is known.")
@click.option("--record", metavar="TYPE:ID", help="What was wrong, such as invoice:in_1.")
@click.option("--signal", metavar="SIG-12", help="A signal that has found it since.")
@AS
@click.pass_obj
def miss_command(
    home: Opened,
    at: datetime,
    under: str | None,
    over: str | None,
    currency: str,
    note: str,
    code: str | None,
    record: str | None,
    signal: str | None,
    actor: str,
) -> None:
    """Label a fault that somebody else found before any rule did."""
    if (under is None) == (over is None):
        raise click.UsageError("say either --under or --over")
    try:
        money = Decimal(under or over or "")
        number = None if signal is None else inbox.number(signal)
        if signal is not None and number is None:
            raise ValueError(f"there is no signal {signal}")
        with operational.writing(home.engine) as session:
            made = miss(session, happened_at=at, kind="under" if under else "over", currency=currency, amount=money,
                        note=note, actor=actor, now=home.clock(), code=code, record=record,
                        signal_id=number)  # fmt: skip
            terminal.echo(f"{made.label} is labelled as missed")
    except InvalidOperation:
        raise click.UsageError(f"{under or over!r} is no amount; write a decimal such as 120.50") from None
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def lines(session: Session, found: Scoreboard) -> Iterator[str]:
    """The numbers as a terminal shows them."""
    named = partial(_named, session, found)
    yield f"{found.since:%Y-%m-%d} to {found.until:%Y-%m-%d}"
    for name in CAUGHT:
        tally = found.numbers[name]
        yield f"{TITLES[name]:<28}{tally.count}{named(name)}"
        yield from (f"    open, estimated: {money}" for money in _estimated(tally))
    yield f"{TITLES['missed']:<28}{len(found.misses)}"
    for each in found.misses:
        record = f" {printable(each.record)}" if each.record else ""
        money = f"{each.kind} {amount(each.amount, each.currency)} {each.currency}"
        yield f"    {each.label}{record}: {money}, {printable(each.note)}"
    for name in MONEY_OF:
        tally = found.numbers[name]
        money = ", ".join(f"{amount(total, currency)} {currency}" for currency, total in sorted(tally.money.items()))
        yield f"{TITLES[name]:<28}{money or 'nothing confirmed'}{named(name)}"
        yield from (f"    estimated: {amount(each, code)} {code}" for (_, code), each in sorted(tally.estimate.items()))
    for name, times in found.times.items():
        half, most = times.median, times.within(9)
        told = "nothing to tell" if half is None else f"{_long(half)} in the middle"
        yield f"{TITLES[name]:<28}{told}{'' if most is None else f', nine of ten within {_long(most)}'}{named(name)}"


def _estimated(tally: Tally) -> Iterator[str]:
    for (kind, currency), total in sorted(tally.estimate.items()):
        yield f"{kind} {amount(total, currency)} {currency}"


def _named(session: Session, found: Scoreboard, name: str) -> str:
    """The first of the signals behind a number."""
    if not found.count(name):
        return ""
    labels = [f"SIG-{id}" for id in behind(session, found, name)]
    more = f" and {len(labels) - SHOWN} more" if len(labels) > SHOWN else ""
    return f"  {', '.join(labels[:SHOWN])}{more}"


def _long(length: timedelta) -> str:
    hours = length.total_seconds() / 3600
    return f"{hours:.1f} hours" if hours < 48 else f"{hours / 24:.1f} days"
