"""Signals, runs and rules as a terminal shows them, and the advice of a rule's playbook as steps in order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table

from detector import ledger
from detector.cycle import RunResult
from detector.detail import SignalDetail, amount, as_json, instant
from detector.inbox import Total
from detector.rules import Rule
from detector.similar import issue_json, recurrence_json
from detector.terminal import columns
from store.loads import Loading
from store.operational_tables import CoveredFinding, RuleVersion, Run, Signal, SignalEntity, SignalImpact
from store.upsert import Counts

PHASES = ("contain", "root_cause", "downstream", "verify")
FOUR_NUMBERS = ("metered", "recorded", "billed", "expected")

CSV_COLUMNS = (
    "id",
    "rule",
    "code",
    "severity",
    "category",
    "status",
    "priority",
    "title",
    "integration",
    "cause",
    "period_start",
    "period_end",
    "first_seen",
    "last_seen",
)
CSV_MONEY = ("currency", "under", "over", "exposure")


def signal_table(signals: Iterable[Signal]) -> Table:
    """One line per signal: what, how bad, how much, since when."""
    table = columns("ID", "CODE", "SEVERITY", "STATUS", "MONEY", "RECORDS", "LAST SEEN", "TITLE", right=("RECORDS",))
    for signal in signals:
        money = "; ".join(_money(impact) for impact in signal.impacts) or "-"
        seen = f"{signal.last_seen:%Y-%m-%d %H:%M}"
        cells = (signal.label, signal.code, signal.severity, signal.status, money, str(signal.entity_count), seen)
        table.add_row(*cells, printable(signal.title))
    return table


def totals(found: Sequence[Total]) -> str:
    """The money of a list, per currency."""
    return "; ".join(_money(total) for total in found) or "no money at stake"


def signal_text(detail: SignalDetail, advice: Sequence[Mapping[str, Any]]) -> list[str]:
    """One signal as lines: head, money, records, evidence, timeline, advice."""
    signal = detail.signal
    lines = [
        f"{signal.label}  {printable(signal.title)}",
        f"{signal.severity}, {signal.status}, {signal.priority}, {signal.confidence}; rule {signal.rule} "
        f"({signal.code}); cause {printable(signal.cause)}; {signal.integration}",
        f"first seen {instant(signal.first_seen)}, last seen {instant(signal.last_seen)} in run {detail.run.id} "
        f"on snapshot {detail.run.snapshot}",
        f"money: {'; '.join(_money(impact) for impact in detail.impacts) or '-'}",
        "",
        f"records ({detail.entities.total})",
        *(f"  {_entity(entity)}" for entity in detail.entities.items),
    ]
    if detail.entities.next:
        lines.append(f"  ... {detail.entities.total - len(detail.entities.items)} more; --json lists all")
    lines += ["", "evidence", *(f"  {line}" for finding in detail.findings[:5] for line in _evidence(finding))]
    if detail.issue is not None:
        others = ", ".join(each.label for each in detail.issue.signals)
        lines += ["", f"one issue with {count(detail.issue.customers, 'customer')}: {others}; "
                  f"one repair, by the playbook of {detail.issue.repair}"]  # fmt: skip
    if detail.also_seen:
        seen = (f"  {row.rule} ({row.code}): {printable(row.title)}" for row in detail.also_seen)
        lines += ["", f"also seen by, and not among the money of {signal.rule} ({signal.code})", *seen]
    if detail.covered_by:
        lines += ["", f"explained better by {', '.join(f'SIG-{number}' for number in detail.covered_by)}"]
    lines += ["", "timeline", *(_event(event) for event in reversed(detail.timeline))]
    lines += [
        "",
        "advice",
        *(f"  {step['order']}. [{step['phase']}, {step['system']}] {step['change']}" for step in advice),
    ]
    return lines


def signal_json(
    detail: SignalDetail,
    records: Iterable[SignalEntity],
    advice: Sequence[Mapping[str, Any]],
    version: int | None = None,
) -> dict[str, Any]:
    """One signal as `trueup signal show --json` prints it; `version` is the rule's that last found it."""
    return {
        **as_json(detail.signal, records),
        "run": {
            "id": detail.run.id,
            "rule_hash": detail.run.rule_hash,
            "rule_version": version,
            "snapshot": detail.run.snapshot,
            "as_of": instant(detail.run.as_of),
        },
        "evidence": [_evidence_json(finding) for finding in detail.findings],
        "timeline": [_event_json(event) for event in detail.timeline],
        "advice": list(advice),
        "also_seen_by": [_also_seen(row) for row in detail.also_seen],
        "covered_by": [f"SIG-{number}" for number in detail.covered_by],
        "issue": issue_json(detail.issue),
        "recurrence": recurrence_json(detail.recurrence),
        "similar": [{"id": other.signal.label, "why": other.why} for other in detail.similar],
    }


def advice(rule: Rule | None) -> list[dict[str, Any]]:
    """The rule's playbook as steps in the order in which they are taken; none when the rule is gone."""
    if rule is None:
        return []
    steps = [(phase, step) for phase in PHASES for step in getattr(rule.playbook, phase)]
    return [
        {"order": order, "phase": phase, "system": step.system, "change": step.change, "outcome": step.outcome}
        for order, (phase, step) in enumerate(steps, 1)
    ]


def csv_rows(signals: Iterable[Mapping[str, Any]]) -> Iterator[list[Any]]:
    """The rows of the sheet of signals: the names of the columns, then one per signal and currency."""
    yield [*CSV_COLUMNS, *CSV_MONEY, "records"]
    for signal in signals:
        head = [signal[name] for name in CSV_COLUMNS]
        for money in signal["impact"] or [dict.fromkeys(CSV_MONEY)]:
            yield [*head, *(money[name] for name in CSV_MONEY), len(signal["entities"])]


def json_rows(signals: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The signals as one JSON list, a line each, as they come."""
    before = "["
    for signal in signals:
        yield f"{before}\n{json.dumps(signal, ensure_ascii=False)}"
        before = ","
    yield "[]\n" if before == "[" else "\n]\n"


def run_line(result: RunResult) -> str:
    """What one run came to, in one line."""
    head = f"{result.code} {result.rule}"
    if result.reason == "unchanged":
        return f"{head}: {count(result.findings, 'finding')} as before; skipped, nothing it reads has changed"
    if result.status != "ok":
        return f"{head}: {result.status} ({result.reason}){': ' + result.error if result.error else ''}"
    decided = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in sorted(result.decisions.items()))
    late = f"; resolves nothing, {result.reason}" if result.reason and result.reason.startswith("stale") else ""
    return f"{head}: {count(result.findings, 'finding')} ({decided or 'no signal'}) in {result.seconds:.2f} s{late}"


NAMED = 3
"""How many failed rules a summary names."""


def runs_line(results: Sequence[RunResult]) -> str:
    """What some runs came to, in one line: the run itself when it is one, else how many, and which failed."""
    if len(results) < 2:
        return "".join(map(run_line, results))
    failed = [result for result in results if result.status == "failed"]
    skipped = sum(result.status == "skipped" for result in results)
    found = sum(result.findings for result in results)
    parts = [count(len(results), "rule"), count(found, "finding")]
    parts += [f"{skipped:,} skipped"] if skipped else []
    if failed:
        more = f" and {len(failed) - NAMED} more" if len(failed) > NAMED else ""
        parts.append(f"{len(failed)} failed ({', '.join(result.rule for result in failed[:NAMED])}{more})")
    return ", ".join(parts)


def run_table(runs: Iterable[Run]) -> Table:
    """One line per run of the ledger."""
    table = columns("RUN", "RULE", "STARTED", "WHY", "SNAPSHOT", "TOOK", "RESULT", right=("RUN", "SNAPSHOT", "TOOK"))
    for run in runs:
        length = ledger.took(run)
        took = f"{length.total_seconds():.2f} s" if length is not None else "-"
        said = count(run.findings, "finding") if run.status == "ok" and run.findings is not None else run.error or ""
        result = " ".join(filter(None, [run.status, f"({run.reason})" if run.reason else "", said]))
        started = f"{run.started_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(str(run.id), run.rule, started, ledger.why(run), str(run.snapshot), took, printable(result))
    return table


def run_json(result: RunResult) -> dict[str, Any]:
    """What one run came to, as JSON."""
    return {
        "rule": result.rule,
        "code": result.code,
        "status": result.status,
        "reason": result.reason,
        "error": result.error,
        "run": result.run_id,
        "findings": result.findings,
        "decisions": dict(result.decisions),
        "seconds": round(result.seconds, 3),
    }


def load_line(load: Loading) -> str:
    """What an import or sync brought in, in one line."""
    totals = _load_totals(load)
    parts = [f"{count:,} {name}" for name, count in totals.items() if count]
    report = f"; the refused rows are in {load.report}" if load.report else ""
    return f"{', '.join(parts) or 'nothing'} in {count(len(load.counts), 'table')}{report}"


def load_json(load: Loading, name: str) -> dict[str, Any]:
    """What an import or sync brought in, as JSON."""
    return {
        "name": name,
        "load": load.id,
        "rows": _load_totals(load),
        "tables": {table: _load_counts(count) for table, count in load.counts.items()},
        "report": load.report,
    }


def loads_json(loads: Sequence[tuple[str, Loading]]) -> dict[str, Any]:
    """What several syncs brought in, together and each by its name."""
    told = [load_json(load, name) for name, load in loads]
    names = ("inserted", "updated", "unchanged", "older", "conflicts", "bad")
    return {"rows": {name: sum(each["rows"][name] for each in told) for name in names}, "syncs": told}


def rule_table(rules: Iterable[Rule]) -> Table:
    """One line per rule."""
    table = columns("CODE", "RULE", "SEVERITY", "CATEGORY", "GATE", "SCHEDULE", "FINDS")
    for rule in rules:
        table.add_row(
            rule.code, rule.name, rule.severity, rule.category, rule.gate, rhythm(rule), rule.why.split(". ")[0]
        )
    return table


def version_table(versions: Iterable[RuleVersion], running: str | None) -> Table:
    """One line per version; `running` is the content hash that runs by its file."""
    table = columns("VERSION", "STATE", "SAVED", "AUTHOR", "HASH", "NOTE")
    for version in versions:
        state = "live" if version.live or version.content_hash == running else ""
        saved = f"{version.saved_at:%Y-%m-%d %H:%M}"
        cells = (str(version.number), state, saved, version.author, version.content_hash[:12])
        table.add_row(*cells, printable(version.note or version.origin))
    return table


def rule_json(rule: Rule) -> dict[str, Any]:
    """What a rule is, as JSON."""
    names = ("name", "code", "severity", "category", "confidence", "gate", "priority")
    return {
        **{name: str(getattr(rule, name)) for name in names},
        "schedule": rhythm(rule),
        "why": rule.why,
        "path": str(rule.path),
        "content_hash": rule.content_hash,
    }


def rhythm(rule: Rule) -> str:
    """When the rule runs, in words."""
    plan = rule.schedule
    parts = []
    if plan.every is not None:
        parts.append(f"every {plan.every.mean_seconds // 60} min")
    if plan.hourly is not None:
        parts.append(f"hourly at :{plan.hourly:02}")
    if plan.daily is not None:
        parts.append(f"daily at {plan.daily:%H:%M} {plan.timezone}")
    if plan.cron is not None:
        parts.append(f"cron {plan.cron} {plan.timezone}")
    return ", ".join([*parts, *(f"on {event}" for event in plan.on)])


def printable(text: str) -> str:
    """The text without control characters: a record's name must not steer a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _load_totals(load: Loading) -> dict[str, int]:
    totals = {"inserted": 0, "updated": 0, "unchanged": 0, "older": 0, "conflicts": 0}
    for count in load.counts.values():
        for name, value in _load_counts(count).items():
            totals[name] += value
    return {**totals, "bad": sum(load.bad.values())}


def _load_counts(count: Counts) -> dict[str, int]:
    names = ("inserted", "updated", "unchanged", "older", "conflicts")
    return {name: getattr(count, name) for name in names}


def _money(total: Total | SignalImpact) -> str:
    parts = [
        f"{word} {amount(value, total.currency)}"
        for word, value in (("under", total.under), ("over", total.over), ("exposed", total.exposure))
        if value
    ]
    return f"{total.currency} {', '.join(parts) or '0'}"


def _entity(entity: SignalEntity) -> str:
    words = [entity.role, f"{entity.type}:{entity.entity_id}", entity.name or "", entity.status or ""]
    if entity.expected is not None or entity.actual is not None:
        expected, actual = amount(entity.expected, entity.unit), amount(entity.actual, entity.unit)
        words.append(f"expected {expected or '-'}, actual {actual or '-'} {entity.unit or ''}")
    gone = f"(not found since {instant(entity.gone_since)})" if entity.gone_since else ""
    return printable("  ".join(filter(None, [*words, gone])))


def _evidence(finding: Any) -> list[str]:
    numbers = [f"{name} {finding.evidence[name]}" for name in FOUR_NUMBERS if finding.evidence.get(name) is not None]
    return [printable(finding.title), *([f"  {', '.join(numbers)}"] if numbers else [])]


def _evidence_json(finding: Any) -> dict[str, Any]:
    return {
        "title": finding.title,
        "subject": f"{finding.subject_type}:{finding.subject_id}",
        "period_start": instant(finding.period_start),
        "period_end": instant(finding.period_end),
        "currency": finding.currency,
        **{name: amount(getattr(finding, name), finding.currency) for name in ("under", "over", "exposure")},
        "run": finding.run_id,
        "rule_hash": finding.rule_hash,
        "gone_since": instant(finding.gone_since),
        "row": finding.evidence,
    }


def _also_seen(row: CoveredFinding) -> dict[str, Any]:
    """What another rule found and this signal explains; none of it is among the signal's money."""
    return {
        "rule": row.rule,
        "code": row.code,
        "title": row.title,
        "subject": f"{row.subject_type}:{row.subject_id}",
        "period_start": instant(row.period_start),
        "period_end": instant(row.period_end),
        "currency": row.currency,
        **{name: amount(getattr(row, name), row.currency) for name in ("under", "over", "exposure")},
        "own_signal": f"SIG-{row.own_signal_id}" if row.own_signal_id else None,
        "run": row.run_id,
    }


def _event(event: Any) -> str:
    return printable(
        f"  {instant(event.at)}  {event.actor}: {event.reason}{' - ' + event.detail if event.detail else ''}"
    )


def _event_json(event: Any) -> dict[str, Any]:
    names = ("id", "change_id", "actor", "kind", "reason", "detail", "before", "after", "run_id", "undone_by")
    return {"at": instant(event.at), **{name: getattr(event, name) for name in names}}


def count(number: int, noun: str) -> str:
    """How many, in words: `1 finding`, `1,204 findings`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
