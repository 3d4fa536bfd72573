"""The commands of the rule catalogue, and how the other commands about rules find the one that is meant.

`trueup.py` adds them to its own. They work with whatever the command line opened, told here as a protocol.
"""

from __future__ import annotations

import getpass
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import click
import yaml
from sqlalchemy.orm import Session

from detector import cases, commands, draft_rule, report, rule_schema, terminal, versions
from detector.cycle import Setting
from detector.live_rules import LiveRules
from detector.replay import Contender
from detector.rules import Rule, RuleProblem
from detector.terminal import JSON
from store import operational
from store.operational_tables import RuleVersion


class Opened(commands.Opened, Protocol):
    """What the command line opened, and where rules run and come from."""

    @property
    def setting(self) -> Setting: ...
    @property
    def live(self) -> LiveRules: ...
    @property
    def rules_folder(self) -> Path: ...


@click.group()
def rules() -> None:
    """The rule catalogue."""


@rules.command("list")
@JSON
@click.pass_obj
def list_rules(home: Opened, as_json: bool) -> None:
    """Every rule that runs, and every mistake in a rule file."""
    found = home.rules(())
    if as_json:
        terminal.answer([report.rule_json(rule) for rule in found])
    else:
        terminal.show(report.rule_table(found))
    fail_on_mistakes(home)


@rules.command("show")
@click.argument("rule")
@JSON
@click.pass_obj
def show_rule(home: Opened, rule: str, as_json: bool) -> None:
    """One rule as its text says it; RULE@N shows a version."""
    shown = [text_of(home, rule)] if "@" in rule else [(each, each.text) for each in home.rules([rule])]
    for chosen, text in shown:
        if as_json:
            terminal.answer({**report.rule_json(chosen), "file": yaml.safe_load(text)})
        else:
            terminal.echo(f"# {chosen.path}\n{text}", nl=False)


@rules.command("test")
@click.argument("names", nargs=-1, metavar="[RULE]...")
@click.pass_obj
def test_rules(home: Opened, names: tuple[str, ...]) -> None:
    """Run the cases inside each rule; a path tests a file that is not among the rules yet."""
    passed, failed = 0, 0
    paths = [name for name in names if is_path(name)]
    chosen = [text_of(home, path)[0] for path in paths]
    named = [name for name in names if name not in paths]
    for rule in [*chosen, *(home.rules(named) if named or not paths else ())]:
        results = cases.run(rule)
        for result in results:
            passed, failed = passed + result.passed, failed + (not result.passed)
            for failure in result.failures:
                terminal.echo(f"{rule.path}: case {result.case!r}: {failure}")
        terminal.echo(f"{rule.code} {rule.name}: {sum(each.passed for each in results)} of {len(results)} cases pass")
    terminal.echo(f"{passed} cases pass, {failed} fail")
    if failed:
        raise terminal.JobFailed(f"{failed} cases fail")
    if not paths:
        fail_on_mistakes(home)


@rules.command("new")
@click.argument("name")
@click.option("--folder", default="own", show_default=True, help="Below the rules' folder, by what goes wrong.")
@click.option("--to", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write this file, for rules push.")
@click.option("--copy", "copied", metavar="RULE", help="Start from this rule rather than from the template.")
@click.pass_obj
def new_rule(home: Opened, name: str, folder: str, file: Path | None, copied: str | None) -> None:
    """Write a new rule to start from: it loads, and its cases pass."""
    own = [int(rule.code.removeprefix("OWN-")) for rule in home.catalogue[0] if rule.code.startswith("OWN-")]
    content = (
        versions.renamed(text_of(home, copied)[1], name) if copied else draft_rule.text(name, max(own, default=0) + 1)
    )
    try:
        path, problems = draft_rule.write(file or home.rules_folder / folder / f"{name}.yaml", content, name)
    except FileExistsError as error:
        raise click.UsageError(f"there is a rule {name} already: {error.filename}") from None
    if problems:
        raise click.UsageError("; ".join(problem.message for problem in problems))
    next_step = f"trueup rules push {path}" if file else f"trueup rules test {name}; trueup dry-run {name}"
    terminal.echo(f"{path}  (try it: {next_step})")


@rules.command("schema")
def schema() -> None:
    """The JSON Schema of a rule file, for editors."""
    terminal.echo(rule_schema.text(), nl=False)


def single(home: Opened, name: str) -> Rule:
    """The one rule of a name or code."""
    found = home.rules([name])
    if len(found) > 1:
        found = [rule for rule in found if rule.name == name] or found
    if len(found) > 1:
        raise click.UsageError(f"{name} is the code of {', '.join(rule.name for rule in found)}; name one of them")
    return found[0]


def contender_of(home: Opened, name: str, params: dict[str, str]) -> Contender:
    """The rule of a name, a code, `name@version` or a file, with parameters."""
    if is_path(name) or "@" in name:
        return Contender(text_of(home, name)[0], params)
    with suppress(click.UsageError):
        return Contender(single(home, name), params)
    with operational.reading(home.engine) as session:
        draft = versions.newest(session, name)
        if draft is not None and draft.origin == "custom":
            return Contender(sound(draft.text, draft.rule), params)
    return Contender(single(home, name), params)


def text_of(home: Opened, name: str) -> tuple[Rule, str]:
    """A rule and its text, by name, code, `name@version` or file."""
    if is_path(name):
        text = Path(name).read_text(encoding="utf-8")
        return sound(text, None, Path(name)), text
    if "@" in name:
        rule, _, number = name.rpartition("@")
        with operational.reading(home.engine) as session:
            version = version_of(session, rule, int(number) if number.isdigit() else -1)
        return sound(version.text, version.rule), version.text
    chosen = contender_of(home, name, {}).rule
    return chosen, chosen.text


def sound(text: str, name: str | None, file: Path | None = None) -> Rule:
    """The rule of a text. Raises JobFailed with every mistake, at its line of the file."""
    rule, problems = versions.read(text, name=name)
    if rule is None:
        raise terminal.JobFailed("\n".join(placed(problem, file) for problem in problems))
    return rule


def placed(problem: RuleProblem, file: Path | None) -> str:
    """A mistake where the file, rather than the store, has it."""
    return str(RuleProblem(file, problem.line, problem.message, problem.column) if file else problem)


def version_of(session: Session, rule: str, number: int | None) -> RuleVersion:
    """A version, the newest without a number. Raises UsageError."""
    try:
        newest = versions.newest(session, rule)
        return versions.numbered(session, rule, number if number is not None else newest.number if newest else 1)
    except versions.NoVersion as error:
        raise click.UsageError(str(error)) from None


def author() -> str:
    """Who works at this terminal."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "terminal"


def is_path(name: str) -> bool:
    """Whether a rule is named by its file."""
    return name.endswith((".yaml", ".yml")) and Path(name).is_file()


def fail_on_mistakes(home: Opened, consequence: str = "") -> None:
    """Raise JobFailed when a rule file cannot be used; each mistake was said when the rules were read."""
    if problems := home.catalogue[1]:
        mistakes = "1 mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
        raise terminal.JobFailed(f"{mistakes} in rule files{consequence}")
