"""How well the rules find what is planted in the example company: recall, precision, money and records, by code.

The reference is `truth.jsonl`, which the company's maker writes from what it did, not from what a query sees. Findings
are folded and grouped as signals are: what a covering rule explains is left out, the rest counts by code and cause. A
second company of the same seed has no faults: whatever is found in it is a false alarm.
`python -m benchmarks.detection [--customers N] [--seeds 1,2,3]` prints a table besides the JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from billing.money import minor_unit
from detector import covering, derived, evaluate, rules
from detector.findings import Finding
from integrations import example, files
from store.warehouse import Warehouse

FIRST = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
BETWEEN_SEEDS = timedelta(days=37, hours=5)
"""Every seed's company is looked at on another day of another month, at another hour."""
RULES = Path(__file__).parents[1] / "rules"
KINDS = ("under", "over", "exposure")

Cause = tuple[str, str]
"""A code and a cause such as `price:price_123`: what one signal is about."""


@dataclass
class Case:
    """What is true, or was found, of one cause: money by currency and kind, records, and how many entries it has."""

    money: defaultdict[tuple[str, str], Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    records: set[tuple[str, str]] = field(default_factory=set)
    entries: int = 0


@dataclass
class Score:
    """Counts of one code over all companies."""

    faults: int = 0
    caught: int = 0
    false_alarms: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    money_true: Decimal = Decimal(0)
    money_off: Decimal = Decimal(0)
    wrong_money: list[str] = field(default_factory=list)
    records: int = 0
    records_listed: int = 0
    unlisted: list[str] = field(default_factory=list)


def main() -> None:
    """Make, load and examine the companies, and print what was measured."""
    options = _options()
    scores: defaultdict[str, Score] = defaultdict(Score)
    seconds: defaultdict[str, float] = defaultdict(float)
    for seed in options.seeds:
        for faults in ("all", "none"):
            as_of = FIRST + (seed - 1) * BETWEEN_SEEDS
            with _books(options.customers, seed, faults, as_of, seconds) as (con, folder):
                found = _cases_found(_findings(con, as_of, seconds))
                _compare(scores, _cases_true(folder), found, f"{seed}/{faults}")
    if options.verbose:
        _details(scores)
    _table(scores)
    print(json.dumps(_summary(scores, options, seconds), indent=2))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=300)
    parser.add_argument("--seeds", type=lambda text: [int(seed) for seed in text.split(",")], default=[1, 2, 3, 4, 5])
    parser.add_argument("--verbose", action="store_true", help="name every miss, false alarm and wrong amount")
    return parser.parse_args()


@contextmanager
def _books(
    customers: int, seed: int, faults: str, as_of: datetime, seconds: defaultdict[str, float]
) -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """An example company in a warehouse of its own, with the derived relations; the folder holds its truth."""
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "books"
        with _timed(seconds, "example"):
            example.write(folder, customers=customers, seed=seed, faults=faults, as_of=as_of)
        warehouse = Warehouse(f"sqlite:{home}/catalog.sqlite", Path(home) / "lake")
        warehouse.create()
        with _timed(seconds, "import"):
            _load(warehouse, folder, as_of)
        con = warehouse.connect(snapshot=warehouse.snapshot())
        with _timed(seconds, "derive"):
            derived.build(con, as_of)
        yield con, folder
        con.close()
        warehouse.close()


def _load(warehouse: Warehouse, folder: Path, as_of: datetime) -> None:
    con = warehouse.connect()
    staged = files.read(folder, con)
    if staged.problem_count:
        raise SystemExit(f"the example's files have {staged.problem_count} problems: {staged.problems[:3]}")
    warehouse.upsert(con, staged.tables, version_at=as_of)
    con.close()


@contextmanager
def _timed(seconds: defaultdict[str, float], what: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[what] += time.perf_counter() - start


def _findings(
    con: duckdb.DuckDBPyConnection, as_of: datetime, seconds: defaultdict[str, float]
) -> list[tuple[str, Finding]]:
    """What every rule finds and no rule that covers it explains, each with the rule's code."""
    everything: list[tuple[rules.Rule, Finding]] = []
    loaded, problems = rules.load(RULES)
    for problem in problems:
        print(f"left out: {problem}", file=sys.stderr)
    for rule in loaded:
        with _timed(seconds, "rules"), _timed(seconds, f"rule {rule.name}"):
            found = evaluate.evaluate(con, rule, as_of)
        everything += ((rule, finding) for finding in found)
    return [(rule.code, finding) for rule, finding in covering.speaking(everything)]


def _cases_found(findings: Iterable[tuple[str, Finding]]) -> dict[Cause, Case]:
    cases: defaultdict[Cause, Case] = defaultdict(Case)
    for code, finding in findings:
        case = cases[code, str(finding.cause)]
        case.entries += 1
        case.records |= {(str(entity.type), entity.id) for entity in finding.entities}
        for kind in KINDS:
            case.money[finding.currency or "", kind] += getattr(finding, kind)
    return dict(cases)


def _cases_true(folder: Path) -> dict[Cause, Case]:
    cases: defaultdict[Cause, Case] = defaultdict(Case)
    for text in (folder / "truth.jsonl").read_text(encoding="utf-8").splitlines():
        fault: dict[str, Any] = json.loads(text)
        case = cases[fault["code"], fault["cause"]]
        case.entries += 1
        case.records |= {(entity["type"], entity["id"]) for entity in fault["entities"]}
        for kind in KINDS:
            case.money[fault["currency"], kind] += Decimal(fault[kind])
    return dict(cases)


def _compare(scores: defaultdict[str, Score], true: dict[Cause, Case], found: dict[Cause, Case], where: str) -> None:
    for (code, cause), case in found.items():
        if (code, cause) not in true:
            scores[code].false_alarms.append(f"{where} {cause} {_money(case)}")
    for (code, cause), case in true.items():
        score = scores[code]
        score.faults += case.entries
        score.records += len(case.records)
        match = found.get((code, cause))
        if match is None:
            score.missed.append(f"{where} {cause} {_money(case)}")
            continue
        score.caught += case.entries
        listed = case.records & match.records
        score.records_listed += len(listed)
        score.unlisted += [f"{where} {cause} {':'.join(record)}" for record in sorted(case.records - listed)]
        _compare_money(score, case, match, f"{where} {cause}")


def _compare_money(score: Score, true: Case, found: Case, where: str) -> None:
    """Money off by more than a minor unit per fault is wrong; sums are in mixed currencies, for the share only."""
    for currency, kind in sorted(true.money.keys() | found.money.keys()):
        expected, actual = true.money[currency, kind], found.money[currency, kind]
        score.money_true += expected
        if abs(expected - actual) > minor_unit(currency) * true.entries:
            score.money_off += abs(expected - actual)
            score.wrong_money.append(f"{where} {kind} {currency}: {expected} is true, {actual} was found")


def _money(case: Case) -> str:
    return ", ".join(f"{kind} {amount} {currency}" for (currency, kind), amount in case.money.items() if amount)


def _table(scores: dict[str, Score]) -> None:
    form = "{:8} {:>6} {:>7} {:>12} {:>12} {:>9}"
    print(form.format("code", "faults", "caught", "false alarms", "money off", "records"), file=sys.stderr)
    for code, score in sorted(scores.items()):
        listed = f"{score.records_listed}/{score.records}"
        off = str(len(score.wrong_money))
        print(form.format(code, score.faults, score.caught, len(score.false_alarms), off, listed), file=sys.stderr)


def _details(scores: dict[str, Score]) -> None:
    """The first dozen of each kind of mistake."""
    for code, score in sorted(scores.items()):
        for what in ("missed", "false_alarms", "wrong_money", "unlisted"):
            for each in getattr(score, what)[:12]:
                print(f"{code} {what}: {each}", file=sys.stderr)


def _summary(scores: dict[str, Score], options: argparse.Namespace, seconds: dict[str, float]) -> dict[str, Any]:
    return {
        "customers": options.customers,
        "seeds": options.seeds,
        "seconds": {what: round(taken, 2) for what, taken in sorted(seconds.items())},
        "codes": {code: _rates(score) for code, score in sorted(scores.items())},
    }


def _rates(score: Score) -> dict[str, Any]:
    alarms = score.caught + len(score.false_alarms)
    return {
        "faults": score.faults,
        "recall": round(score.caught / score.faults, 4) if score.faults else None,
        "precision": round(score.caught / alarms, 4) if alarms else None,
        "false_alarms": len(score.false_alarms),
        "amounts_wrong": len(score.wrong_money),
        "money_error": float(round(score.money_off / score.money_true, 6)) if score.money_true else 0.0,
        "records_listed": round(score.records_listed / score.records, 4) if score.records else None,
    }


if __name__ == "__main__":
    main()
