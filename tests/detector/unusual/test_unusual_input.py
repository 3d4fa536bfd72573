"""Whatever a file holds, `trueup series` gives a result or one line that names file, row, column and remedy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from detector.unusual import lone, score, threshold
from tests.cli.conftest import Commands
from tests.detector.unusual.conftest import START, calm, framed

HEAD = "series,time,value\n"
SOUND = HEAD + "".join(f"a,2026-01-{day:02d},{100 + day}\n" for day in range(1, 29))


@pytest.fixture
def trueup(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Commands:
    return Commands(tmp_path / "home", capfd, monkeypatch)


BAD = {
    "text": (HEAD + "a,2026-01-01,1\na,2026-01-02,many\n", ["row 3", "column value", "'many'", "plain number"]),
    "no time": (HEAD + "a,yesterday,1\n", ["row 2", "column time", "'yesterday'", "2026-11-01"]),
    "no series": (HEAD + ",2026-01-01,1\n", ["row 2", "column series", "empty"]),
    "other columns": ("customer,day,usage\na,2026-01-01,1\n", ["row 1", "no column series", "name the columns"]),
    "nothing": ("", ["no column series"]),
    "no rows": (HEAD, ["no rows"]),
    "far away": (HEAD + "a,9999-01-01,1\n", ["row 2", "column time", "mend the time"]),
    "no text at all": ("\x00\xff\x00" * 50, []),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_used_is_named_in_one_line(trueup: Commands, tmp_path: Path, name: str) -> None:
    content, wanted = BAD[name]
    file = tmp_path / "usage.csv"
    file.write_bytes(content.encode("latin-1"))
    answer = trueup("series", file, "--out", tmp_path / "out.csv")
    assert answer.code == 1
    assert answer.out == ""
    assert len(answer.lines) == 1
    assert str(file) in answer.err
    for part in wanted:
        assert part in answer.err
    assert sorted(each.name for each in tmp_path.iterdir()) == ["usage.csv"], "nothing half written"


@pytest.mark.parametrize(
    "arguments",
    [
        ["missing.csv"],
        ["usage.csv", "--budget", "0"],
        ["usage.csv", "--out", "out.xlsx"],
        ["usage.csv", "--out", "no/x.csv"],
    ],
)
def test_bad_arguments_end_with_two(
    trueup: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "usage.csv").write_text(SOUND)
    answer = trueup("series", *arguments)
    assert answer.code == 2
    assert len(answer.lines) == 1


def test_a_parquet_that_is_none_is_named(trueup: Commands, tmp_path: Path) -> None:
    file = tmp_path / "usage.parquet"
    file.write_text(SOUND)
    answer = trueup("series", file)
    assert answer.code == 1
    assert "cannot be read" in answer.err
    assert len(answer.lines) == 1


def test_a_bad_known_change_is_named(trueup: Commands, tmp_path: Path) -> None:
    file, events = tmp_path / "usage.csv", tmp_path / "events.csv"
    file.write_text(SOUND)
    events.write_text("series,kind,start,end\na,plan_change,2026-01-09,\na,holiday,2026-01-10,\n")
    answer = trueup("series", file, "--events", events)
    assert answer.code == 1
    assert "row 3, column kind: 'holiday' is unknown; use plan_change" in answer.err


GOOD = {
    "one point": HEAD + "a,2026-01-01,5\n",
    "gaps": HEAD + "a,2026-01-01,5\na,2026-01-09,5\nb,2026-01-01,\n",
    "twice": SOUND + "a,2026-01-05,7\n",
    "infinite": SOUND + "a,2026-01-29,inf\na,2026-01-30,nan\na,2026-01-31,-inf\n",
    "more columns": "plan,value,series,time\np,1,a,2026-01-01\np,2,a,2026-01-02\n",
    "huge": HEAD + "".join(f"a,2026-01-{day:02d},{'9' * 200}\n" for day in range(1, 29)),
    "begins today": SOUND + "b,2026-01-28,3\n",
    "clock changes": HEAD
    + "".join(f"a,2026-03-{day:02d}T00:00:00+0{1 if day < 29 else 2}:00,{day}\n" for day in range(1, 32)),
    "hourly in summer time": HEAD
    + "".join(
        f"a,{time.isoformat()},3\n" for time in pd.date_range("2026-03-28", periods=72, freq="h", tz="Europe/Berlin")
    ),
    "years apart": HEAD + "a,1971-01-01,1\na,2026-01-01,1\n",
}


@pytest.mark.parametrize("name", GOOD)
def test_odd_but_usable_files_give_a_result(trueup: Commands, tmp_path: Path, name: str) -> None:
    file, out = tmp_path / "usage.csv", tmp_path / "out.csv"
    file.write_text(GOOD[name])
    answer = trueup("series", file, "--out", out, "--json")
    assert answer.code == 0, answer.err
    assert answer.json["series"] in (1, 2)
    found = pd.read_csv(out)
    given = pd.read_csv(file)
    assert len(found) >= len(given.drop_duplicates(["series", "time"])) - (name == "gaps")
    assert found["score"].notna().all()
    assert not np.isinf(found[["expected", "lower", "upper", "score"]].to_numpy(dtype=float)).any()


def test_duplicates_and_infinities_are_told(trueup: Commands, tmp_path: Path) -> None:
    file = tmp_path / "usage.csv"
    file.write_text(GOOD["twice"] + "a,2026-01-29,inf\n")
    answer = trueup("series", file)
    assert answer.code == 0
    assert "1 rows repeat a series and time; the last of them counts" in answer.err
    assert "1 values are infinite" in answer.err


def test_a_clock_change_does_not_double_a_day() -> None:
    days = pd.date_range("2026-01-01", periods=120, freq="D", tz="Europe/Berlin")
    frame = pd.DataFrame({"series": "a", "time": days, "value": 100.0})
    found = score(frame)
    assert len(found) == 120
    assert not found["alarm"].any()


def test_a_million_equal_points_are_nothing_unusual() -> None:
    found = lone.score_alone(np.arange(200_000) * 60, np.full(200_000, 7.0))
    assert np.nanmax(found.score) < threshold(1)


def test_an_irregular_series_with_a_clear_break_is_highest_there() -> None:
    rng = np.random.default_rng(1)
    second = np.cumsum(rng.integers(240, 360, 4000))
    value = -20 + 5 * np.sin(second / 86400 * 2 * np.pi) + rng.normal(0, 0.5, 4000)
    value[3000:3004] = [60, 62, 61, 60]
    found = lone.score_alone(second, value)
    assert 3000 <= int(np.nanargmax(found.score)) <= 3004
    assert np.nanmax(found.score) >= threshold(1)


def test_json_says_what_was_found_and_the_file_has_every_row(trueup: Commands, tmp_path: Path) -> None:
    values = calm(series=30, days=80)
    values[3, 70] *= 50
    values[4, 72] = np.nan
    file, events, out = tmp_path / "usage.parquet", tmp_path / "events.csv", tmp_path / "out.parquet"
    framed(values).to_parquet(file)
    events.write_text("series,kind,start,end\nc009,plan_change,2026-03-01,\n")
    answer = trueup("series", file, "--events", events, "--budget", "10", "--out", out, "--json")
    assert answer.code == 0, answer.err
    told = json.loads(answer.out)
    assert {key: told[key] for key in ("series", "rows", "budget", "out")} == {
        "series": 30, "rows": 30 * 80 - 1, "budget": 10.0, "out": str(out),
    }  # fmt: skip
    assert told["alarms"] >= 1
    highest = {row["series"]: row for row in told["highest"]}
    assert highest["c003"]["time"] == "2026-03-16T00:00:00Z"
    assert "times its usual Monday" in highest["c003"]["reason"]
    found = pd.read_parquet(out)
    assert list(found.columns) == ["series", "time", "value", "expected", "lower", "upper", "score", "alarm", "reason"]
    assert len(found) == 30 * 80, "the missing day is a row without a value"
    assert found["alarm"].sum() == told["alarms"]
    assert (found["alarm"] == (found["score"] >= threshold(10))).all()


def test_a_silence_of_weeks_is_an_alarm_on_each_of_its_days() -> None:
    values = calm(series=30, days=80)
    values[3, 60:] = np.nan
    found = score(framed(values), method="screen").query("series == 'c003'").set_index("time")
    silent = found.loc[START + pd.Timedelta(days=62) :]
    assert len(silent) >= 9
    assert silent["alarm"].all()
