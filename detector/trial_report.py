"""What a dry run and a calibration came to: as JSON for command line, console and the job's row, and as lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from detector.backtest import Backtest, Difference, Overlap
from detector.calibration import LEAST_LABELS, Calibration, Tried, total
from detector.decisions import ENDED
from detector.detail import amount, instant
from detector.findings import Finding
from detector.labels import Label, Verdict
from detector.overrides import iso, written
from detector.replay import Money, Raised, Replay
from detector.report import count, printable

MOST = 500
"""Signals and findings that an answer lists; its sums are of all."""

LINES = 50


def backtest_json(tried: Backtest) -> dict[str, Any]:
    """What a dry run came to."""
    rule, outcome, span = tried.contender.rule, tried.outcome, tried.span
    known = tried.overlap.known
    return {
        "rule": rule.name,
        "code": rule.code,
        "content_hash": rule.content_hash,
        "params": {name: str(tried.contender.params.get(name, each.default)) for name, each in rule.params.items()},
        "from": instant(span.start),
        "to": instant(span.end),
        "step": iso(span.step) if span.step else f"schedule {written(rule.schedule)}",
        "thinned": tried.thinned,
        **_replay_json(tried.replay),
        "signals": len(outcome.raised),
        "open": sum(each.is_open for each in outcome.raised),
        "records": outcome.records,
        "impact": [_money_json(money) for money in total(outcome.raised)],
        "would_raise": [_raised_json(each, known.get(each.fingerprint)) for each in outcome.raised[:MOST]],
        "findings": [_finding_json(each) for each in outcome.findings[:MOST]],
        "finding_count": len(outcome.findings),
        "difference": difference_json(tried.difference, known) if tried.difference else None,
        "overlap": _overlap_json(tried.overlap, outcome.raised),
    }


def difference_json(difference: Difference, known: Mapping[str, Label]) -> dict[str, Any]:
    """How two rules differ by what they raise, with what people made of it."""

    def told(signals: Sequence[Raised]) -> list[dict[str, Any]]:
        """The first signals of a side, each with the one that there is already."""
        return [_raised_json(each, known.get(each.fingerprint)) for each in signals[:MOST]]

    return {
        "against": difference.against,
        "failed": difference.failed,
        "added": told(difference.added),
        "gone": told(difference.gone),
        "changed": [
            {"before": _raised_json(before), "after": _raised_json(after)}
            for before, after in difference.changed[:MOST]
        ],
        "counts": {
            "added": len(difference.added),
            "gone": len(difference.gone),
            "changed": len(difference.changed),
            "same": difference.same,
        },
    }


def calibration_json(found: Calibration) -> dict[str, Any]:
    """The curve of a parameter."""
    return {
        "rule": found.rule.name,
        "code": found.rule.code,
        "content_hash": found.rule.content_hash,
        "parameter": found.parameter,
        "current": found.current,
        "why": found.rule.params[found.parameter].why,
        "labels": {"right": found.right, "wrong": found.wrong, "least_for_a_rate": LEAST_LABELS},
        **_replay_json(found.replay),
        "values": [_tried_json(each) for each in found.tried],
        "suggested": _tried_json(found.suggested) if found.suggested else None,
    }


def backtest_text(told: Mapping[str, Any]) -> list[str]:
    """What `backtest_json` told, as lines."""
    lines = [_signal_line(each) for each in told["would_raise"][:LINES]]
    if told["signals"] > LINES:
        lines.append(f"... {told['signals'] - LINES} more; --json lists {min(told['signals'], MOST)}")
    still = f", {told['open']} of them open at the end" if told["open"] != told["signals"] else ""
    lines.append(
        f"{told['code']} {told['rule']} would raise {count(told['signals'], 'signal')}{still}, with "
        f"{count(told['records'], 'record')}; {money_text(told['impact']) or 'no money at stake'}"
    )
    lines += _difference_lines(told["difference"])
    lines += _overlap_lines(told["overlap"])
    return [*lines, *_replay_lines(told), "nothing was kept"]


def calibration_text(told: Mapping[str, Any]) -> list[str]:
    """What `calibration_json` told, as lines."""
    labels = told["labels"]
    judged = labels["right"] + labels["wrong"]
    lines = [
        f"{told['code']} {told['rule']}, {told['parameter']}: {told['why']}",
        f"{count(judged, 'judged signal')}: {labels['right']} right, {labels['wrong']} wrong"
        + ("" if judged >= LEAST_LABELS else f"; too few for a rate, which needs {LEAST_LABELS}"),
        f"{'VALUE':>12} {'SIGNALS':>8} {'RIGHT':>6} {'WRONG':>6} {'PRECISION':>10}  MONEY",
        *(_value_line(each, told["current"]) for each in told["values"]),
        suggestion_text(told),
    ]
    return [*lines, *_replay_lines(told), "nothing was changed"]


def suggestion_text(told: Mapping[str, Any]) -> str:
    """In one sentence, the value that may be better and what it would lose."""
    better = told["suggested"]
    if told["labels"]["wrong"] == 0:
        return "nobody dismissed a signal of it, so there is none to spare"
    if better is None:
        return "no value spares a wrong signal without losing more than one right one in twenty"
    lost = better["lost"]
    cost = f"loses {', '.join(each['signal'] for each in lost[:10])} ({_labels_money(lost)})" if lost else "loses none"
    current = next(each for each in told["values"] if each["value"] == told["current"])
    spared = current["wrong"] - better["wrong"]
    return f"suggested: {better['value']}; it spares {count(spared, 'wrong signal')} and of the right ones {cost}"


def money_text(impacts: Iterable[Mapping[str, Any]]) -> str:
    """Money per currency in words; what is zero is left out."""
    words = (("under", "under"), ("over", "over"), ("exposure", "exposed"))
    return "; ".join(
        f"{money['currency']} " + ", ".join(f"{word} {money[name]}" for name, word in words if not _zero(money[name]))
        for money in impacts
    )


def where_text(told: Mapping[str, Any]) -> str:
    """On what the answer was found: how many instants, and on which snapshots."""
    points = told["instants"]["evaluated"]
    if not points:
        return "no instant was evaluated"
    of_then = sum(point["of_that_time"] for point in points)
    snapshots = sorted({point["snapshot"] for point in points})
    span = f"snapshot {snapshots[0]}" if len(snapshots) == 1 else f"snapshots {snapshots[0]} to {snapshots[-1]}"
    if of_then == len(points):
        kind = "of that time"
    elif of_then == 0:
        kind = "the current one, as it was known then"
    else:
        kind = f"{of_then} of that time, {len(points) - of_then} the current one as it was known then"
    return f"{count(len(points), 'instant')} on {span} ({kind})"


def _replay_json(replayed: Replay) -> dict[str, Any]:
    return {
        "instants": {
            "asked": replayed.asked,
            "evaluated": [
                {"as_of": instant(point.as_of), "snapshot": point.snapshot, "of_that_time": point.of_then}
                for point in replayed.points
            ],
        },
        "snapshot": replayed.points[-1].snapshot if replayed.points else None,
        "rows": replayed.rows,
        "seconds": round(replayed.seconds, 3),
        "partial": replayed.stopped,
    }


def _replay_lines(told: Mapping[str, Any]) -> list[str]:
    thinned = "; more were due, --most takes more of them" if told.get("thinned") else ""
    lines = [f"{told['rows']:,} rows read in {told['seconds']:.2f} s: {where_text(told)}{thinned}"]
    return [f"PARTIAL: {told['partial']}", *lines] if told["partial"] else lines


def _raised_json(signal: Raised, label: Label | None = None) -> dict[str, Any]:
    return {
        "title": signal.title,
        "cause": signal.cause,
        "integration": signal.integration,
        "group": signal.group,
        "customer": signal.customer,
        "status": "resolved" if signal.status in ENDED else "open",
        "first_seen": instant(signal.first_seen),
        "last_seen": instant(signal.last_seen),
        "findings": signal.findings,
        "records": signal.records,
        "impact": [_money_json(money) for money in signal.impacts],
        "fingerprint": signal.fingerprint,
        "known": _label_json(label) if label else None,
    }


def _label_json(label: Label) -> dict[str, Any]:
    return {
        "signal": label.signal,
        "title": label.title,
        "verdict": str(label.verdict),
        "word": label.word,
        "impact": [_money_json(money) for money in label.impacts],
    }


def _finding_json(finding: Finding) -> dict[str, Any]:
    return {
        "title": finding.title,
        "subject": str(finding.subject),
        "cause": str(finding.cause),
        "integration": finding.integration,
        "period_start": instant(finding.period_start),
        "period_end": instant(finding.period_end),
        "currency": finding.currency,
        **{name: amount(getattr(finding, name), finding.currency) for name in ("under", "over", "exposure")},
        "entities": [f"{entity.role} {entity.reference}" for entity in finding.entities],
    }


def _tried_json(tried: Tried) -> dict[str, Any]:
    precision = tried.precision()
    return {
        "value": tried.value,
        "signals": tried.signals,
        "right": tried.right,
        "wrong": tried.wrong,
        "precision": f"{precision}" if precision is not None else None,
        "impact": [_money_json(money) for money in tried.impacts],
        "lost": [_label_json(label) for label in tried.lost],
        "spared": [_label_json(label) for label in tried.spared],
    }


def _money_json(money: Money) -> dict[str, Any]:
    names = ("under", "over", "exposure")
    return {"currency": money.currency, **{name: amount(getattr(money, name), money.currency) for name in names}}


def _overlap_json(overlap: Overlap, raised: Sequence[Raised]) -> dict[str, Any]:
    ours = {each.fingerprint for each in raised}
    verdicts = Counter(label.verdict for key, label in overlap.known.items() if key in ours)
    return {
        "resolved": verdicts[Verdict.RIGHT],
        "dismissed": verdicts[Verdict.WRONG],
        "open": verdicts[Verdict.OPEN],
        "new": len(ours - set(overlap.known)),
        "missed": [_label_json(label) for label in overlap.missed],
    }


def _overlap_lines(told: Mapping[str, Any]) -> list[str]:
    lines = [
        f"people resolved {told['resolved']} of them and dismissed {told['dismissed']}; "
        f"{told['open']} are signals that nobody has judged, {told['new']} are new"
    ]
    if told["missed"]:
        named = ", ".join(each["signal"] for each in told["missed"][:10])
        lines.append(f"it would have missed {count(len(told['missed']), 'signal')} that people resolved: {named}")
    return lines


def _difference_lines(told: Mapping[str, Any] | None) -> list[str]:
    if told is None:
        return []
    if told["failed"]:
        return [f"{told['against']} could not be evaluated: {told['failed']}"]
    counts = told["counts"]
    head = (
        f"beside {told['against']}: {counts['added']} added, {counts['gone']} gone, {counts['changed']} changed, "
        f"{counts['same']} the same"
    )
    return [
        head,
        *(f"  + {_signal_line(each)}" for each in told["added"][:10]),
        *(f"  - {_signal_line(each)}" for each in told["gone"][:10]),
        *(
            f"  ~ {_signal_line(each['after'])}, was {money_text(each['before']['impact']) or 'no money'}"
            for each in told["changed"][:10]
        ),
    ]


def _signal_line(told: Mapping[str, Any]) -> str:
    known = told["known"]
    judged = f"  {known['signal']} {known['word']}" if known else ""
    ended = ", cleared by itself" if told["status"] == "resolved" else ""
    return printable(f"{told['title']}  [cause {told['cause']}, {count(told['records'], 'record')}{ended}]{judged}")


def _value_line(told: Mapping[str, Any], current: str) -> str:
    mark = "*" if told["value"] == current else " "
    precision = f"{told['precision']}" if told["precision"] else "-"
    return (
        f"{mark}{told['value']:>11} {told['signals']:>8} {told['right']:>6} {told['wrong']:>6} {precision:>10}  "
        f"{money_text(told['impact']) or '-'}"
    )


def _labels_money(labels: Sequence[Mapping[str, Any]]) -> str:
    return "; ".join(filter(None, (money_text(each["impact"]) for each in labels[:10]))) or "no money"


def _zero(text: str | None) -> bool:
    return not (text or "").strip("0.")
