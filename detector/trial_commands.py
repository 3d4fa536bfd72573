"""The commands that try a rule out: a dry run over the past, and what a parameter does at each value."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import click

from billing.periods import Duration, parse_duration
from detector import backtest, calibration, terminal, trials, versions
from detector import trial_report as told
from detector.parameters import settle
from detector.past import MOST, Span
from detector.replay import Contender, Limits
from detector.rule_commands import Opened, author, contender_of, rules
from detector.rules import Rule
from detector.terminal import INSTANT, JSON
from store import operational

AT_TERMINAL = 600
"""Seconds that a trial may take at a terminal, where somebody can stop it at any time."""


def span_options(default: str) -> Callable[[Any], Any]:
    """The options that choose a stretch of the past and how long looking at it may take."""

    def add(command: Any) -> Any:
        """The command with the options of a range."""
        for option in reversed(
            (
                click.option("--from", "start", type=INSTANT, help="Where the range begins; one instant without it."),
                click.option("--to", "end", type=INSTANT, help=f"Where it ends; {default} when left out."),
                click.option("--step", help="As ISO 8601: P1D; by the rule's schedule when left out."),
                click.option("--most", type=click.IntRange(1, 2000), default=MOST, show_default=True,
                             help="Instants at most, evenly spread."),
                click.option("--seconds", type=click.FloatRange(min=0.1), default=AT_TERMINAL, show_default=True,
                             help="Stop then, and say what was found so far."),
            )
        ):  # fmt: skip
            command = option(command)
        return command

    return add


@rules.command("calibrate")
@click.argument("rule")
@click.argument("parameter", metavar="PARAM")
@click.option("--value", "values", multiple=True, help="A value to try; some between the bounds when left out.")
@click.option("--seconds", type=click.FloatRange(min=0.1), default=AT_TERMINAL, show_default=True)
@JSON
@click.pass_obj
def calibrate(home: Opened, rule: str, parameter: str, values: tuple[str, ...], seconds: float, as_json: bool) -> None:
    """What a numeric parameter does at each value: signals, money, and how many were right and wrong."""
    chosen = contender_of(home, rule, {})
    with terminal.progress() as bar:
        try:
            found = calibration.calibrate(
                home.warehouse, home.engine, chosen.rule, parameter, home.setting.policy, home.clock(), values=values,
                limits=Limits(seconds), tell=lambda done, total: bar(done, total, "instants"),
            )  # fmt: skip
        except ValueError as error:
            raise click.UsageError(str(error)) from None
    answer = told.calibration_json(found)
    if as_json:
        terminal.answer(answer)
    else:
        terminal.echo("\n".join(told.calibration_text(answer)))


@click.command("dry-run")
@click.argument("rule", metavar="RULE|RULE@N|FILE")
@span_options("now")
@click.option("--set", "params", multiple=True, metavar="PARAM=VALUE", help="Another value for a parameter.")
@JSON
@click.pass_obj
def dry_run(
    home: Opened,
    rule: str,
    start: datetime | None,
    end: datetime | None,
    step: str | None,
    most: int,
    seconds: float,
    params: tuple[str, ...],
    as_json: bool,
) -> None:
    """Evaluate a rule, a version or a file over the past without keeping anything.

    At each instant of its schedule from --from to --to, or at the one instant --to. Ctrl-C says what was found so far.
    """
    chosen = contender_of(home, rule, terminal.assignments(params, "--set "))
    running = next((each for each in home.catalogue[0] if each.name == chosen.rule.name), None)
    stretch = Span(end or home.clock(), start, step_of(step), most)
    answer = backtested(home, chosen, stretch, seconds, running, "the live version")
    _note(home, chosen, answer)
    if as_json:
        terminal.answer(answer)
    else:
        terminal.echo("\n".join(told.backtest_text(answer)))


def backtested(
    home: Opened, chosen: Contender, stretch: Span, seconds: float, live: Rule | None, against: str
) -> dict[str, Any]:
    """The answer of a dry run, with its progress at the terminal. Raises UsageError for what cannot be tried."""
    with terminal.progress() as bar:
        try:
            settle(chosen.rule.params, chosen.params)
            found = backtest.backtest(
                home.warehouse, home.engine, chosen, stretch, home.setting.policy, live=live, against=against,
                limits=Limits(seconds), tell=lambda done, total: bar(done, total, "instants"),
            )  # fmt: skip
        except ValueError as error:
            raise click.UsageError(str(error)) from None
    return told.backtest_json(found)


def _note(home: Opened, chosen: Contender, answer: dict[str, Any]) -> None:
    """Note the dry run of a version that is kept, so that it may be activated; of any other rule nothing is kept."""
    about = trials.about(chosen)
    if about is None or not answer["instants"]["evaluated"]:
        return
    with operational.writing(home.engine) as session:
        version = versions.of_hash(session, chosen.rule.name, about)
        if version is not None and version.origin == "custom":
            status = "partial" if answer["partial"] else "ok"
            trials.note(session, answer, status, about, actor=author(), now=home.clock())


def step_of(text: str | None) -> Duration | None:
    """The step that an option says. Raises UsageError."""
    try:
        return parse_duration(text) if text else None
    except ValueError as error:
        raise click.UsageError(f"--step: {error}") from None
