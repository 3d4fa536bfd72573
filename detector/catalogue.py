"""The page of all rules for people, written from the rule files so that it cannot say anything else.

`python -m detector.catalogue` writes docs/rules.md; a test fails while the page is not what this makes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path

from detector.parameters import Parameter
from detector.rule_format import Schedule, Step
from detector.rules import Rule, load

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "rules.md"

_HEAD = """# The rules

Written from the files in `rules/` by `python -m detector.catalogue`, do not edit. How a rule is written:
[writing rules](writing-rules.md). Codes are those of the fault table.
"""
_PHASES = (("contain", "Contain"), ("root_cause", "Root cause"), ("downstream", "Downstream"), ("verify", "Verify"))


def page(rules: Iterable[Rule]) -> str:
    """The catalogue as Markdown: a table of all rules, then each with its reason, parameters, remedy and cases."""
    ordered = sorted(rules, key=lambda rule: (_folder(rule), rule.code, rule.name))
    parts = [_HEAD, _overview(ordered)]
    for folder, members in groupby(ordered, key=_folder):
        parts.append(f"## {folder.capitalize()}\n")
        parts.extend(_entry(rule) for rule in members)
    return "\n".join(parts)


def _folder(rule: Rule) -> str:
    return rule.path.parent.name


def _overview(rules: Iterable[Rule]) -> str:
    rows = [
        f"| [{rule.name}](#{rule.name}) | {rule.code} | {rule.severity} "
        f"| {rule.category.replace('_', ' ')} | {rule.gate} | {when(rule.schedule)} |"
        for rule in rules
    ]
    head = ["| rule | code | severity | category | gate | runs |", "| --- | --- | --- | --- | --- | --- |"]
    return "\n".join([*head, *rows]) + "\n"


def _entry(rule: Rule) -> str:
    lines = [
        f"### {rule.name}",
        "",
        f"{rule.code}, {rule.severity}, {rule.confidence}. One signal per {rule.cause.type}"
        + (f" and {', '.join(rule.group)}" if rule.group else "")
        + ".",
        "",
        " ".join(rule.why.split()),
        "",
        *_parameters(rule.params),
        *_playbook(rule),
        f"Finds: {'; '.join(case.name for case in rule.cases if case.fires)}.",
        "",
        f"Lets be: {'; '.join(case.name for case in rule.cases if not case.fires)}.",
        "",
    ]
    return "\n".join(lines)


def _parameters(params: Mapping[str, Parameter]) -> Iterator[str]:
    if not params:
        return
    yield from ("| parameter | default | from - to | what for |", "| --- | --- | --- | --- |")
    for name, parameter in params.items():
        bounds = f"{parameter.min} - {parameter.max}" if parameter.min is not None else ""
        yield f"| `{name}` | {parameter.default} | {bounds} | {parameter.why} |"
    yield ""


def _playbook(rule: Rule) -> Iterator[str]:
    for phase, heading in _PHASES:
        steps: tuple[Step, ...] = getattr(rule.playbook, phase)
        yield from (f"- **{heading}** ({step.system}): {_flat(step.change)} {_flat(step.outcome)}" for step in steps)
    yield ""


def _flat(text: str) -> str:
    return " ".join(text.split())


def when(schedule: Schedule) -> str:
    """The schedule in words: `every 60 minutes, on invoice.draft`."""
    words = []
    if schedule.every is not None:
        minutes = schedule.every.mean_seconds // 60
        words.append(f"every {minutes} minutes" if minutes < 48 * 60 else f"every {minutes // 1440} days")
    if schedule.hourly is not None:
        words.append(f"every hour at :{schedule.hourly:02}")
    if schedule.daily is not None:
        words.append(f"daily at {schedule.daily:%H:%M} {schedule.timezone}")
    if schedule.cron is not None:
        words.append(f"cron {schedule.cron} {schedule.timezone}")
    return ", ".join([*words, *(f"on {event}" for event in schedule.on)])


if __name__ == "__main__":
    PAGE.write_text(page(load(ROOT / "rules")[0]), encoding="utf-8")
