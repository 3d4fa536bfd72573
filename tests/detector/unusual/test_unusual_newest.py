"""Only the newest day or hour: few series are laid out for it, and none that has an alarm then is left out."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from detector.unusual import newest_day, reading, score
from tests.cli.conftest import Commands
from tests.detector.unusual.conftest import START, calm, framed

HOURS = 24 * 28
SERIES = 60


@pytest.fixture
def trueup(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Commands:
    return Commands(tmp_path / "home", capfd, monkeypatch)


@pytest.fixture(scope="module")
def hours() -> pd.DataFrame:
    """Calm hourly series with days and weeks, and of the newest hour: twenty times, nothing, nothing for ten hours, and
    a day that lies three times as high.
    """
    rng = np.random.default_rng(8)
    hour = np.arange(HOURS)
    shape = np.exp(0.6 * np.sin(hour % 24 / 24 * 2 * np.pi)) * np.where(hour // 24 % 7 < 5, 1, 0.5)
    values = np.exp(rng.normal(6, 1, (SERIES, 1))) * shape * np.exp(rng.normal(0, 0.1, (SERIES, HOURS)))
    values[0, -1] *= 20
    values[1, -1] = np.nan
    values[2, -10:] = np.nan
    values[3, -24:] *= 3
    rows, steps = np.nonzero(~np.isnan(values))
    names = np.array([f"c{number:03d}" for number in range(SERIES)])
    times = START + pd.to_timedelta(steps, unit="h")
    return pd.DataFrame({"series": names[rows], "time": times, "value": values[rows, steps]})


def let_through(frame: pd.DataFrame, *, hourly: bool) -> set[str]:
    with duckdb.connect() as con:
        con.register("frame", frame)
        con.execute("CREATE TABLE given AS FROM frame")
        assert newest_day.is_hourly(con, "given") == hourly
        return set(newest_day.candidates(con, "given", hourly=hourly))


def test_the_screen_of_the_newest_hour_lets_its_alarms_through_and_few_others(hours: pd.DataFrame) -> None:
    found = score(hours, method="screen")
    latest = found[found["time"] == found["time"].max()]
    alarms = set(latest.loc[latest["score"] >= 2, "series"])
    through = let_through(hours, hourly=True)
    assert {"c000", "c002"} <= alarms <= through
    assert {"c001", "c003"} <= through
    assert len(through) < SERIES / 4


def test_of_hourly_series_only_the_newest_hour_is_told(trueup: Commands, tmp_path: Path, hours: pd.DataFrame) -> None:
    file, out = tmp_path / "o'clock.parquet", tmp_path / "out.parquet"
    hours.assign(time=hours["time"].dt.tz_localize("UTC")).to_parquet(file)
    answer = trueup("series", file, "--newest", "--method", "screen", "--out", out, "--json")
    assert answer.code == 0, answer.err
    found = pd.read_parquet(out)
    assert set(found["time"]) == {START + pd.Timedelta(hours=HOURS - 1)}
    assert "c000" in set(found.loc[found["alarm"], "series"])
    assert answer.json["alarms"] == found["alarm"].sum()


def test_of_daily_series_only_the_newest_day_whatever_the_file(trueup: Commands, tmp_path: Path) -> None:
    values = calm(series=30, days=80)
    values[3, -1] *= 50
    frame = framed(values)
    frame.to_parquet(tmp_path / "usage.parquet")
    frame.to_csv(tmp_path / "usage.csv", index=False)
    outs = []
    for name in ("usage.parquet", "usage.csv"):
        answer = trueup("series", tmp_path / name, "--newest", "--method", "screen", "--out", tmp_path / "out.csv")
        assert answer.code == 0, answer.err
        outs.append(pd.read_csv(tmp_path / "out.csv"))
    assert len(outs[0]) == 30
    assert set(outs[0].loc[outs[0]["alarm"], "series"]) == {"c003"}
    pd.testing.assert_frame_equal(outs[0], outs[1])


def test_what_cannot_be_used_is_named_in_a_file_that_stays_where_it_is(trueup: Commands, tmp_path: Path) -> None:
    frame = framed(calm(series=3, days=30)).astype({"series": object})
    frame.loc[40, "series"] = None
    frame.to_parquet(tmp_path / "usage.parquet")
    answer = trueup("series", tmp_path / "usage.parquet", "--newest")
    assert answer.code == 1
    assert "row 41, column series: it is empty" in answer.err


def test_a_silence_is_let_through_for_eight_weeks_and_no_longer() -> None:
    values = calm(series=30, days=112)
    values[0, -20:] = 0
    values[1, -40:] = np.nan
    values[2, -70:] = 0
    values[3, ::2] = 0
    through = let_through(framed(values), hourly=False)
    assert {"c000", "c001"} <= through
    assert not {"c002", "c003"} & through


def test_of_very_many_series_those_are_read_that_stand_out_and_a_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(newest_day, "SAMPLE", 5)
    values = calm(series=200, days=80)
    values[150, -1] *= 50
    framed(values).to_parquet(tmp_path / "usage.parquet")
    rows = reading.read_series(tmp_path / "usage.parquet", newest=True)
    assert {"c000", "c004", "c150"} <= set(rows.names)
    assert len(rows.names) < 50
    assert rows.newest == np.datetime64("2026-03-25")
