"""What an import or sync leaves in the ledger of loads, and whose home a folder is."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from store import home, operational
from store.loads import recorded
from store.operational_tables import Load
from store.upsert import Counts

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def loads(engine: Engine) -> list[Load]:
    with operational.reading(engine) as session:
        return list(session.scalars(select(Load).order_by(Load.id)))


def test_a_load_is_there_while_it_runs_and_says_afterwards_what_came_in(engine: Engine) -> None:
    with recorded(engine, "import", "files", "/books", lambda: NOW) as loading:
        assert [load.status for load in loads(engine)] == ["running"]
        loading.add({"customers": Counts(inserted=2), "invoices": Counts(updated=1)})
        loading.add({"customers": Counts(inserted=1, unchanged=4)})
    (load,) = loads(engine)
    assert (load.status, load.error, load.finished_at) == ("ok", None, NOW)
    assert load.rows is not None
    assert load.rows["customers"] == {
        "inserted": 3,
        "updated": 0,
        "unchanged": 4,
        "older": 0,
        "conflicts": 0,
        "bad": 0,
    }


def test_a_load_that_refused_rows_is_partial(engine: Engine) -> None:
    with recorded(engine, "import", "files", None, lambda: NOW) as loading:
        loading.bad, loading.report = {"customers": 3}, "/rejected/report.json"
    assert [(load.status, load.report) for load in loads(engine)] == [("partial", "/rejected/report.json")]


@pytest.mark.parametrize("error", [RuntimeError("hung up"), KeyboardInterrupt()])
def test_a_load_that_ends_early_failed_and_says_why(engine: Engine, error: BaseException) -> None:
    with pytest.raises(type(error)), recorded(engine, "sync", "stripe", None, lambda: NOW):
        raise error
    (load,) = loads(engine)
    assert (load.status, load.error) == ("failed", str(error) or "KeyboardInterrupt")


def test_the_demo_takes_an_empty_folder_and_uses_it_again(tmp_path: Path) -> None:
    place = tmp_path / "home"
    first = home.for_demo(place)
    assert first.ready is None
    first.complete({"customers": 300})
    again = home.for_demo(place)
    assert again.ready is not None
    assert again.ready["customers"] == 300


def test_a_demo_that_was_not_finished_is_made_anew(tmp_path: Path) -> None:
    place = tmp_path / "home"
    home.for_demo(place)
    (place / "operational.sqlite").write_text("half of it")
    (place / "warehouse").mkdir()
    assert home.for_demo(place).ready is None
    assert sorted(path.name for path in place.iterdir()) == ["demo.json"]


def test_the_demo_never_touches_somebodys_own_data(tmp_path: Path) -> None:
    (tmp_path / "operational.sqlite").write_text("mine")
    with pytest.raises(home.HomeInUse, match=r"choose another folder for it: TRUEUP_HOME=.*trueup-demo trueup demo"):
        home.for_demo(tmp_path)
    assert (tmp_path / "operational.sqlite").read_text() == "mine"


def test_a_mark_that_cannot_be_read_is_an_unfinished_demo(tmp_path: Path) -> None:
    (tmp_path / "demo.json").write_text("{")
    assert home.for_demo(tmp_path).ready is None
