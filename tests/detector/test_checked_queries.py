"""A query that was found sound is not checked again; anything else about it is."""

from pathlib import Path

import pytest

from detector import checked_queries, query, rules
from tests.detector.test_rules_loading import SOUND

PATH = Path("late_invoices.yaml")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "trueup" / "queries"


@pytest.fixture
def inspected(monkeypatch):
    """The queries that were really inspected."""
    seen = []
    inspect = query.inspect
    monkeypatch.setattr(query, "inspect", lambda sql, *more: seen.append(sql) or inspect(sql, *more))
    return seen


def parsed(text):
    name = next(line for line in text.splitlines() if line.startswith("name:")).partition(": ")[2]
    rule, problems = rules.parse(text, Path(f"{name}.yaml"))
    assert problems == []
    return rule


def test_the_second_reading_is_the_same_rule_without_a_second_check(inspected, folder):
    first = parsed(SOUND)
    assert parsed(SOUND) == first
    assert len(inspected) == 1
    assert len(list(folder.iterdir())) == 1


def test_a_changed_query_is_checked(inspected):
    parsed(SOUND)
    name = parsed(SOUND).name
    changed = SOUND.replace("FROM invoices", "FROM invoces")
    assert changed != SOUND
    _, problems = rules.parse(changed, Path(f"{name}.yaml"))
    assert "there is no relation 'invoces'" in str(problems[0])
    assert len(inspected) == 2


def test_what_is_refused_is_never_remembered(folder):
    for _ in range(2):
        _, problems = rules.parse(SOUND.replace("FROM invoices", "FROM secrets"), PATH)
        assert problems
    assert not folder.exists()


def test_another_version_of_the_program_checks_again(inspected, monkeypatch):
    parsed(SOUND)
    monkeypatch.setattr(checked_queries, "_surroundings", lambda: "another")
    parsed(SOUND)
    assert len(inspected) == 2


def test_a_damaged_memory_is_checked_again(inspected, folder):
    parsed(SOUND)
    for kept in folder.iterdir():
        kept.write_text("{")
    parsed(SOUND)
    assert len(inspected) == 2


def test_a_cache_that_cannot_be_written_costs_only_time(inspected, folder, tmp_path):
    (tmp_path / "trueup").write_text("a file where the folder should be")
    assert parsed(SOUND) == parsed(SOUND)
    assert len(inspected) == 2


def test_the_memory_stays_small(folder, monkeypatch):
    monkeypatch.setattr(checked_queries, "KEPT", 4)
    for days in range(7):
        parsed(SOUND.replace("FROM invoices", f"FROM invoices -- {days}\n "))
    assert len(list(folder.iterdir())) <= 4
