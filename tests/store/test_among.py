"""A column is one of many values, on SQLite and PostgreSQL, with texts as awkward as they come."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, select

from store import operational
from store.among import among
from store.operational_tables import Signal
from tests.detector.signal_stories import a_finding, day, fold_run

AWKWARD = ("g'1", 'g"2', "g,3", "g\\4", "gü☃5", "", "7")


@pytest.fixture
def storied(engine: Engine) -> Engine:
    fold_run(engine, day(0), [a_finding(f"il_{at}", group=group) for at, group in enumerate(AWKWARD)])
    return engine


def test_every_named_text_is_found_and_no_other(storied: Engine) -> None:
    with operational.reading(storied) as session:
        for group in AWKWARD:
            found = session.scalars(select(Signal.group_key).where(among(Signal.group_key, [group]))).all()
            assert found == [group]
        wanted = [
            *AWKWARD[:3],
            *(f"none {number}" for number in range(70_000)),
        ]
        many = session.scalars(select(Signal.group_key).where(among(Signal.group_key, wanted))).all()
        assert sorted(many) == sorted(AWKWARD[:3])
        assert session.scalars(select(Signal.id).where(among(Signal.group_key, []))).all() == []


def test_numbers_are_found_as_numbers(storied: Engine) -> None:
    with operational.reading(storied) as session:
        assert sorted(session.scalars(select(Signal.id).where(among(Signal.id, [2, 5, 99])))) == [2, 5]
