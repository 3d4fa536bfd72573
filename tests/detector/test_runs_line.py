"""What a job of many runs says of itself: one line that a person reads, with the names of what failed."""

from decimal import Decimal

from detector.cycle import RunResult
from detector.evaluate import _title
from detector.report import run_line, runs_line

GOOD = RunResult("usage_spike", "TU-06", "ok", findings=2)
UNCHANGED = RunResult("wrong_tier_mode", "TU-19", "skipped", "unchanged", findings=1)


def bad(name: str) -> RunResult:
    return RunResult(name, "TU-01", "failed", "error", "no such column")


def test_one_run_speaks_for_itself() -> None:
    assert runs_line([GOOD]) == run_line(GOOD)
    assert runs_line([]) == ""


def test_many_are_counted_and_those_that_failed_are_named() -> None:
    assert runs_line([GOOD, UNCHANGED]) == "2 rules, 3 findings, 1 skipped"
    told = runs_line([GOOD, *(bad(f"rule_{number}") for number in range(5))])
    assert told == "6 rules, 2 findings, 5 failed (rule_0, rule_1, rule_2 and 2 more)"


def test_a_title_counts_in_words() -> None:
    assert _title("{n} day(s), {m} time(s)", {"n": Decimal(3), "m": 1}, "") == "3 days, 1 time"
