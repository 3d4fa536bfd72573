"""The commands about the versions of rules and about what is set for them: save, compare, activate, restore, set."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click
from sqlalchemy.orm import Session

from detector import overrides, report, schedule, terminal, versions
from detector import trial_report as told
from detector.detail import instant
from detector.past import Span
from detector.replay import Contender
from detector.rule_commands import Opened, author, placed, rules, single, sound, text_of, version_of
from detector.rules import Rule
from detector.terminal import INSTANT, JSON
from detector.trial_commands import backtested, span_options, step_of
from store import operational
from store.operational_tables import RuleOverride, RuleVersion

__all__ = ["rules"]
"""The group with everything that this module and those that it reads add to it."""


@rules.command("push")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--note", default="", help="What changes, and why.")
@JSON
@click.pass_obj
def push(home: Opened, file: Path, note: str, as_json: bool) -> None:
    """Save a file as a version of a custom rule. It runs once it is activated."""
    with operational.writing(home.engine) as session:
        saved = _saved(home, session, file.read_text(encoding="utf-8"), note, file)
        _tell_version(session, saved, as_json, f"saved; try it: trueup dry-run {saved.label}")


@rules.command("versions")
@click.argument("rule")
@JSON
@click.pass_obj
def list_versions(home: Opened, rule: str, as_json: bool) -> None:
    """Every version of a rule, the newest first."""
    with operational.reading(home.engine) as session:
        found = versions.listed(session, rule)
        if not found:
            raise click.UsageError(f"no version of {rule} was ever kept; a system rule's is when it first runs")
        running = home.live.files.get(rule)
        if as_json:
            terminal.answer([version_json(session, each, running) for each in found])
        else:
            terminal.show(report.version_table(found, running.content_hash if running else None))


@rules.command("diff")
@click.argument("rule")
@click.argument("first", type=int, required=False)
@click.argument("second", type=int, required=False)
@click.option("--effect", is_flag=True, help="Also what each of both would have raised.")
@span_options("now")
@JSON
@click.pass_obj
def diff(
    home: Opened,
    rule: str,
    first: int | None,
    second: int | None,
    effect: bool,
    start: datetime | None,
    end: datetime | None,
    step: str | None,
    most: int,
    seconds: float,
    as_json: bool,
) -> None:
    """How two versions of a rule differ: by default the live one and the newest."""
    with operational.reading(home.engine) as session:
        before, after = _pair(session, rule, first, second)
    lines = versions.difference(before.text, after.text, (before.label, after.label))
    answer: dict[str, Any] = {"before": before.label, "after": after.label, "text": lines}
    if effect:
        older, newer = (sound(each.text, each.rule) for each in (before, after))
        stretch = Span(end or home.clock(), start, step_of(step), most)
        answer["effect"] = backtested(home, Contender(newer), stretch, seconds, older, before.label)
    if as_json:
        terminal.answer(answer)
        return
    terminal.echo("\n".join(lines or ["the texts are the same"]))
    if effect:
        terminal.echo("\n".join(told.backtest_text(answer["effect"])))


@rules.command("activate")
@click.argument("rule")
@click.argument("number", type=int, required=False)
@click.option("--note", required=True, help="What changes, and why.")
@JSON
@click.pass_obj
def activate(home: Opened, rule: str, number: int | None, note: str, as_json: bool) -> None:
    """Let a version run from now on: the newest one, unless NUMBER names another. It has to be run dry before."""
    with operational.writing(home.engine) as session:
        version = version_of(session, rule, number)
        try:
            versions.activate(session, version, actor=author(), note=note, now=home.clock())
        except (versions.NotTried, ValueError) as refusal:
            raise click.UsageError(str(refusal)) from None
        _tell_version(session, version, as_json, "is live")


@rules.command("retire")
@click.argument("rule")
@click.pass_obj
def retire(home: Opened, rule: str) -> None:
    """Let no version of a custom rule run any more; its versions and signals stay."""
    with operational.writing(home.engine) as session:
        version = versions.retire(session, rule, actor=author(), now=home.clock())
    if version is None:
        raise click.UsageError(f"no version of {rule} is live")
    terminal.echo(f"{version.label} does not run any more")


@rules.command("restore")
@click.argument("rule")
@click.argument("number", type=int)
@JSON
@click.pass_obj
def restore(home: Opened, rule: str, number: int, as_json: bool) -> None:
    """Make the text of an earlier version the newest one. It runs once it is activated."""
    with operational.writing(home.engine) as session:
        try:
            version = versions.restore(session, rule, number, author=author(), now=home.clock())
        except versions.NoVersion as error:
            raise click.UsageError(str(error)) from None
        except versions.Unsound as error:
            raise terminal.JobFailed("\n".join(str(problem) for problem in error.problems)) from None
        _tell_version(session, version, as_json, f"restored; try it: trueup dry-run {version.label}")


@rules.command("export")
@click.argument("rule")
@click.option("--to", "file", type=click.Path(dir_okay=False, path_type=Path), help="A new file, not the terminal.")
@click.pass_obj
def export(home: Opened, rule: str, file: Path | None) -> None:
    """The YAML of a rule as it was written; RULE@N is a version."""
    _, text = text_of(home, rule)
    if file is None:
        terminal.echo(text, nl=False)
        return
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError:
        raise click.UsageError(f"{file} is there already; choose another name") from None
    terminal.echo(f"{file}")


@rules.command("copy")
@click.argument("rule")
@click.argument("name")
@JSON
@click.pass_obj
def copy(home: Opened, rule: str, name: str, as_json: bool) -> None:
    """A custom rule that starts as this one, under another name. It runs once it is activated."""
    _, text = text_of(home, rule)
    with operational.writing(home.engine) as session:
        if versions.newest(session, name) is not None:
            raise click.UsageError(f"there is a rule {name} already; take another name")
        saved = _saved(home, session, versions.renamed(text, name), f"copy of {rule}", Path(f"{name}.yaml"))
        _tell_version(session, saved, as_json, f"saved; try it: trueup dry-run {saved.label}")


@rules.command("pause")
@click.argument("rule")
@click.option("--until", type=INSTANT, help="Until then; until it is resumed when left out.")
@click.pass_obj
def pause(home: Opened, rule: str, until: datetime | None) -> None:
    """Keep the clock and events from running a rule; it can still be run by hand."""
    chosen = single(home, rule)
    with operational.writing(home.engine) as session:
        schedule.pause(session, chosen.name, until, actor=author(), now=home.clock())
    terminal.echo(f"{chosen.name} is paused {f'until {until:%Y-%m-%d %H:%M} UTC' if until else 'until it is resumed'}")


@rules.command("resume")
@click.argument("rule")
@click.pass_obj
def resume(home: Opened, rule: str) -> None:
    """Let a rule run by its schedule again; what it missed is one run."""
    chosen = single(home, rule)
    with operational.writing(home.engine) as session:
        schedule.resume(session, chosen.name, actor=author(), now=home.clock())
    terminal.echo(f"{chosen.name} runs by its schedule again")


@rules.command("set")
@click.argument("rule")
@click.option("--param", "params", multiple=True, metavar="PARAM=VALUE", help="Another value for a parameter.")
@click.option("--severity", help="critical, high, medium or low.")
@click.option("--schedule", help='As in a rule: {daily: "06:00"}.')
@click.option("--off/--on", "off", default=None, help="Whether it runs by itself.")
@click.option("--until", type=INSTANT, help="With --off: until then.")
@click.option("--reset", is_flag=True, help="Everything as the rule's own text says.")
@JSON
@click.pass_obj
def set_rule(
    home: Opened,
    rule: str,
    params: tuple[str, ...],
    severity: str | None,
    schedule: str | None,
    off: bool | None,
    until: datetime | None,
    reset: bool,
    as_json: bool,
) -> None:
    """Set parameters, severity, schedule or off for a rule without touching its text; upgrades keep that."""
    chosen = single(home, rule)
    plain = home.live.plain(chosen.name) or chosen
    with operational.writing(home.engine) as session:
        before = None if reset else session.get(RuleOverride, chosen.name)
        wanted = overrides.Change(
            severity or (before.severity if before else None),
            schedule or (before.schedule if before else None),
            {**((before.params or {}) if before else {}), **terminal.assignments(params, "--param ")},
            off if off is not None else bool(before and before.state == "paused"),
            until or (before.paused_until if before else None),
        )
        try:
            kept = overrides.change(session, plain, wanted, actor=author(), now=home.clock())
        except overrides.BadOverride as error:
            raise click.UsageError(str(error)) from None
        answer = override_json(chosen.name, kept)
    if as_json:
        terminal.answer(answer)
    else:
        terminal.echo(
            f"{chosen.name}: "
            + (", ".join(f"{key} {value}" for key, value in answer["set"].items()) or "as its text says")
        )


def version_json(session: Session, version: RuleVersion, file: Rule | None = None) -> dict[str, Any]:
    """A version as JSON, without its text."""
    tried = versions.tried(session, version.content_hash)
    names = ("rule", "number", "content_hash", "origin", "author", "note", "activated_by", "activation_note")
    return {
        **{name: getattr(version, name) for name in names},
        "saved_at": instant(version.saved_at),
        "activated_at": instant(version.activated_at),
        "live": version.live or bool(file and file.content_hash == version.content_hash),
        "dry_run": tried.result if tried else None,
    }


def override_json(rule: str, override: RuleOverride | None) -> dict[str, Any]:
    """What is set for a rule, as JSON."""
    if override is None:
        return {"rule": rule, "set": {}}
    found = {"severity": override.severity, "schedule": override.schedule, **(override.params or {})}
    if override.state == "paused":
        found["off"] = f"until {instant(override.paused_until)}" if override.paused_until else "for good"
    return {
        "rule": rule,
        "set": {name: value for name, value in found.items() if value is not None},
        "changed_by": override.changed_by,
        "changed_at": instant(override.changed_at),
    }


def _saved(home: Opened, session: Session, text: str, note: str, file: Path) -> RuleVersion:
    try:
        return versions.save(
            session, text, author=author(), note=note, now=home.clock(), taken=frozenset(home.live.files)
        )
    except versions.Unsound as error:
        raise terminal.JobFailed("\n".join(placed(problem, file) for problem in error.problems)) from None


def _pair(session: Session, rule: str, first: int | None, second: int | None) -> tuple[RuleVersion, RuleVersion]:
    """Two versions: those named, else the live (or the one before) and the newest."""
    found = versions.listed(session, rule)
    if len(found) < 2 and (first is None or second is None):
        raise click.UsageError(f"{rule} has {report.count(len(found), 'version')}; a difference needs two")
    after = version_of(session, rule, second if second is not None else found[0].number)
    live = next((each for each in found if each.live and each.number != after.number), None)
    usual = live or next(each for each in found if each.number != after.number)
    return version_of(session, rule, first if first is not None else usual.number), after


def _tell_version(session: Session, version: RuleVersion, as_json: bool, words: str) -> None:
    if as_json:
        terminal.answer(version_json(session, version))
    else:
        terminal.echo(f"{version.label} {words}")
