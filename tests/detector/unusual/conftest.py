"""Small worlds, made once, and frames of plain series to put one fault into."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from benchmarks import unusual_world
from benchmarks.unusual_world import World
from detector.unusual.cells import Usage
from detector.unusual.gridding import grids
from detector.unusual.scoring import _event_rows, _rows

DAYS = 112
CALM = 60
START = pd.Timestamp("2026-01-05")


@pytest.fixture(scope="package")
def daily() -> World:
    return unusual_world.make(5, 160, 80)


@pytest.fixture(scope="package")
def hourly() -> World:
    return unusual_world.make_hourly(5, 22, 38)


def usage_of(frame: pd.DataFrame, events: pd.DataFrame | None = None) -> Usage:
    """What the engine is given for one rhythm."""
    made, alone = grids(_rows(frame), _event_rows(events))
    assert len(made) == 1
    assert not len(alone)
    return made[0].usage


def calm(seed: int = 3, series: int = CALM, days: int = DAYS) -> np.ndarray:
    """(series, days) of usage with a week and a little noise, and nothing wrong."""
    rng = np.random.default_rng(seed)
    week = np.array([1, 1.05, 1.1, 1.05, 1, 0.6, 0.5])
    level = np.exp(rng.normal(7, 1, (series, 1)))
    return level * week[np.arange(days) % 7] * np.exp(rng.normal(0, 0.08, (series, days)))


def framed(values: np.ndarray) -> pd.DataFrame:
    """Rows of a matrix (series, days); NaN is no row."""
    rows, days = np.nonzero(~np.isnan(values))
    names = np.array([f"c{number:03d}" for number in range(len(values))])
    return pd.DataFrame(
        {"series": names[rows], "time": START + pd.to_timedelta(days, unit="D"), "value": values[rows, days]}
    )


Broken = Callable[[np.ndarray], None]
