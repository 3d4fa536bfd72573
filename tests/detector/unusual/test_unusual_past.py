"""No score uses anything after its time: what comes later is garbled, or cut off, and no earlier score changes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks.unusual_world import World
from detector.unusual import engine, lone, score
from detector.unusual.cells import Usage
from detector.unusual.scoring import METHODS
from tests.detector.unusual.conftest import usage_of


def garbled(frame: pd.DataFrame, cut: pd.Timestamp) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    later = (frame["time"] >= cut).to_numpy()
    kept = frame.copy()
    junk = rng.choice([0, -5, 1e15, 3, np.nan], later.sum()) * rng.random(later.sum())
    kept.loc[later, "value"] = junk
    return kept[~later | (rng.random(len(kept)) < 0.7)]


@pytest.mark.parametrize("method", METHODS)
def test_a_daily_score_uses_nothing_after_it(daily: World, method: str) -> None:
    frame = daily.frame()
    cut = frame["time"].min() + pd.Timedelta(days=66)
    _same_before(frame, daily.events, cut, method)


@pytest.mark.parametrize("method", METHODS)
def test_an_hourly_score_uses_nothing_after_it(hourly: World, method: str) -> None:
    frame = hourly.frame()
    cut = frame["time"].min() + pd.Timedelta(days=30, hours=5)
    _same_before(frame, None, cut, method)


def _same_before(frame: pd.DataFrame, events: pd.DataFrame | None, cut: pd.Timestamp, method: str) -> None:
    whole = _before(score(frame, events, method=method), cut)
    for other in (garbled(frame, cut), frame[frame["time"] < cut]):
        again = _before(score(other, events, method=method), cut)
        both = whole.merge(again, on=["series", "time"], how="outer", suffixes=("", "_again"), indicator=True)
        assert (both["_merge"] == "both").all()
        for column in ("score", "expected", "lower", "upper"):
            np.testing.assert_array_equal(both[column], both[f"{column}_again"], column)
        assert (both["reason"] == both["reason_again"]).all()


def _before(found: pd.DataFrame, cut: pd.Timestamp) -> pd.DataFrame:
    return found[found["time"] < cut]


def test_a_given_model_uses_nothing_after_either(daily: World) -> None:
    usage = usage_of(daily.frame(), daily.events)
    taught = engine.run(usage)
    assert taught.model is not None
    cut = 60
    values = usage.values.copy()
    values[:, cut:] = np.random.default_rng(2).random(values[:, cut:].shape)
    again = engine.run(
        Usage(values, usage.first, usage.held, usage.times, usage.changes, usage.cadence), model=taught.model
    )
    first = engine.run(usage, model=taught.model)
    np.testing.assert_array_equal(first.score[:, :cut], again.score[:, :cut])


def test_a_lone_score_uses_nothing_after_it() -> None:
    rng = np.random.default_rng(4)
    second = np.arange(3000) * 300
    value = 50 + 10 * np.sin(second / 86400 * 2 * np.pi) + rng.normal(0, 1, 3000)
    whole = lone.score_alone(second, value)
    value[2000:] = rng.normal(0, 1e6, 1000)
    again = lone.score_alone(second, value)
    np.testing.assert_allclose(whole.score[:2000], again.score[:2000], rtol=0, atol=1e-9)
    np.testing.assert_allclose(whole.expected[:2000], again.expected[:2000], rtol=0, atol=1e-9)
