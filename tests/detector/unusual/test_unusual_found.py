"""Each kind of fault of an obvious size is found, known changes move the expectation, and clean data keeps quiet."""

from __future__ import annotations

import itertools

import duckdb
import numpy as np
import pandas as pd
import pytest

from detector.unusual import newest_day, score
from tests.detector.unusual.conftest import START, calm, framed

AT = 100
FAULTS = {
    "x3": (slice(AT, AT + 1), lambda row: row * 3),
    "x10": (slice(AT, AT + 1), lambda row: row * 10),
    "x100": (slice(AT, AT + 1), lambda row: row * 100),
    "x1000": (slice(AT, AT + 1), lambda row: row * 1000),
    "unit_x1000": (slice(AT, AT + 5), lambda row: row * 1000),
    "unit_x1024": (slice(AT, AT + 5), lambda row: row * 1024),
    "unit_x60": (slice(AT, AT + 5), lambda row: row * 60),
    "unit_/1000": (slice(AT, AT + 5), lambda row: row / 1000),
    "zero": (slice(AT, AT + 5), lambda row: row * 0),
    "missing_day": (slice(AT, AT + 1), lambda row: row * np.nan),
    "negative": (slice(AT, AT + 1), lambda row: -row),
    "level_-30": (slice(AT - 7, AT + 7), lambda row: row * 0.6),
    "level_+30": (slice(AT - 7, AT + 7), lambda row: row * 1.6),
    "drift_up": (slice(AT - 28, AT + 12), lambda row: row * np.exp(0.03 * np.arange(1, len(row) + 1))),
    "drift_down": (slice(AT - 28, AT + 12), lambda row: row * np.exp(-0.03 * np.arange(1, len(row) + 1))),
    "season_break": (slice(AT - 5, AT + 9), lambda row: np.full(len(row), row.mean())),
}
SEEN = 2.0
"""The score of one in a hundred series-months."""


@pytest.fixture(scope="module")
def broken() -> pd.DataFrame:
    """Sixteen calm series with one fault each, among as many times six without."""
    values = calm(series=16 * 7)
    for number, (window, fault) in enumerate(FAULTS.values()):
        values[number, window] = fault(values[number, window])
    return score(framed(values))


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_of_an_obvious_size_is_found(broken: pd.DataFrame, kind: str) -> None:
    number = list(FAULTS).index(kind)
    window = FAULTS[kind][0]
    row = broken[broken["series"] == f"c{number:03d}"]
    within = row["time"].between(START + pd.Timedelta(days=window.start), START + pd.Timedelta(days=window.stop - 1))
    found = row[within]
    assert found["score"].max() >= SEEN
    assert found.loc[found["score"].idxmax(), "reason"]
    if not kind.startswith(("level", "drift", "season")):
        assert found["score"].iloc[0] >= SEEN, "on the same day"


def test_the_reason_says_what_is_odd(broken: pd.DataFrame) -> None:
    def at(kind: str) -> str:
        row = broken[(broken["series"] == f"c{list(FAULTS).index(kind):03d}")]
        return str(row.loc[row["time"] == START + pd.Timedelta(days=AT), "reason"].iloc[0])

    assert "times its usual Wednesday; no known change" in at("x10")
    assert "as if a unit were changed by" in at("unit_x1000")
    assert at("negative").startswith("negative usage")
    assert at("missing_day").startswith("no row; it has usage on")
    assert at("zero").startswith("no usage; it has usage on")


def test_what_is_clean_is_mostly_quiet(broken: pd.DataFrame) -> None:
    clean = broken[broken["series"] >= "c016"]
    late = clean[clean["time"] >= START + pd.Timedelta(days=56)]
    signals = late.loc[late["alarm"], ["series"]].drop_duplicates()
    assert len(signals) <= 3, "a thousandth of some 180 series-months, and some luck in so small a pool"


def test_a_score_does_not_depend_on_the_unit_of_a_series() -> None:
    values = calm()
    values[7, AT] *= 4
    plain = score(framed(values), method="screen")
    values[7] *= 5000
    scaled = score(framed(values), method="screen")
    one = plain.loc[plain["series"] == "c007", "score"].to_numpy()
    other = scaled.loc[scaled["series"] == "c007", "score"].to_numpy()
    np.testing.assert_allclose(one, other, atol=0.02)


def test_a_greater_fault_scores_no_lower(changed: pd.DataFrame) -> None:
    heights = [_row(changed, f"x{factor}").loc[DAY, "score"] for factor in GREATER]
    assert all(later >= earlier - 0.3 for earlier, later in itertools.pairwise(heights))


KINDS = ("plan_change", "contract_end", "start", "planned")
GREATER = (4, 10, 100, 1000)
DAY = START + pd.Timedelta(days=AT)
CHANGED = AT - 10


@pytest.fixture(scope="module")
def changed() -> pd.DataFrame:
    """Each known change, once alone and once with usage thirty times too high ten days later, among calm series."""
    values, events = calm(series=120), []
    for number, kind in enumerate(KINDS):
        for place in (number, number + 10):
            _change(values[place], kind)
            end = START + pd.Timedelta(days=CHANGED + 13) if kind == "planned" else pd.NaT
            events.append((f"c{place:03d}", kind, START + pd.Timedelta(days=CHANGED), end))
        values[number + 10, AT] = values[20, AT] * 30 if kind == "contract_end" else values[number + 10, AT] * 30
    values[31 : 30 + len(GREATER)] = values[30]
    for number, factor in enumerate(GREATER):
        values[30 + number, AT] *= factor
    return score(framed(values), pd.DataFrame(events, columns=["series", "kind", "start", "end"]))


def _change(row: np.ndarray, kind: str) -> None:
    if kind == "plan_change":
        row[CHANGED:] *= 4
    elif kind == "contract_end":
        row[CHANGED:] = 0
    elif kind == "start":
        row[:CHANGED] = np.nan
    else:
        row[CHANGED : CHANGED + 14] *= 4


def _row(found: pd.DataFrame, name: str) -> pd.DataFrame:
    place = {f"x{factor}": 30 + number for number, factor in enumerate(GREATER)}
    place |= {kind: number for number, kind in enumerate(KINDS)}
    place |= {f"{kind}_and_fault": number + 10 for number, kind in enumerate(KINDS)}
    return found[found["series"] == f"c{place[name]:03d}"].set_index("time")


@pytest.mark.parametrize("kind", KINDS)
def test_a_known_change_moves_the_expectation_and_mutes_nothing(changed: pd.DataFrame, kind: str) -> None:
    alone = _row(changed, kind)
    assert alone.loc[alone.index >= START + pd.Timedelta(days=CHANGED), "score"].max() < 3, "the change is no alarm"
    broken = _row(changed, f"{kind}_and_fault")
    assert broken.loc[DAY, "score"] >= SEEN
    said = "contract ended" if kind == "contract_end" else "expectation follows"
    assert said in broken.loc[DAY, "reason"]


def test_the_expectation_follows_a_plan_change_within_days(changed: pd.DataFrame) -> None:
    after = _row(changed, "plan_change").loc[START + pd.Timedelta(days=CHANGED + 4) :]
    assert len(after) > 10
    assert np.median(np.abs(np.log(after["value"] / after["expected"]))) < 0.2


def test_the_screen_of_the_newest_day_lets_every_alarm_of_that_day_through(broken: pd.DataFrame) -> None:
    until = START + pd.Timedelta(days=AT)
    known = broken[broken["time"] <= until]
    alarms = set(known.loc[(known["time"] == until) & (known["score"] >= SEEN), "series"])
    with duckdb.connect() as con:
        con.register("frame", known[["series", "time", "value"]])
        con.execute("CREATE TABLE given AS FROM frame")
        let_through = set(newest_day.candidates(con, "given"))
    assert len(alarms) >= 9
    assert alarms <= let_through
    assert len(let_through) < 40
