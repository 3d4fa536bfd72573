"""Unusual usage: this detector beside a robust z-score, a seasonal one and an isolation forest, on worlds of its own.

The first seed only sets thresholds; they are carried to the others, where false alarms and recall are counted. Scored
from day 56: fault windows against clean weeks, as in section 2 of detectors.md. Nothing of the world is told to the
detector but rows and known changes; each detector is given the same.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
import warnings
from typing import Any

import numpy as np

from benchmarks import _unusual_baselines as baselines
from benchmarks import _unusual_events as events
from benchmarks import unusual_world
from benchmarks.unusual_world import World
from detector.unusual import cells, engine, threshold
from detector.unusual.cadence import DAILY, HOURLY
from detector.unusual.events import KINDS, Changes

GOALS = {"average_precision": 0.75, "recall_1": 0.65, "recall_10": 0.75, "recall_10_inside_known_changes": 0.5}
RATES = (1, 10)
OURS = ("boosting", "screen", "forest")
OTHERS = {
    "robust_z": baselines.robust_z,
    "seasonal_z": baselines.seasonal_z,
    "isolation_forest": baselines.pooled_forest,
}


def main() -> None:
    """Score every world with every detector, print."""
    warnings.filterwarnings("ignore", category=RuntimeWarning)
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--series", type=int, default=4000)
    arguments.add_argument("--days", type=int, default=180)
    arguments.add_argument("--seeds", type=int, nargs="+", default=[31, 32])
    arguments.add_argument("--ours", nargs="+", choices=OURS, default=["boosting", "screen"])
    arguments.add_argument("--hourly", type=int, default=0, help="Series of an hourly world besides, 60 days.")
    chosen = arguments.parse_args()
    found: dict[str, Any] = {"goals": GOALS, "series": chosen.series, "days": chosen.days, "seeds": {}}
    carried: dict[str, dict[int, float]] = {}
    for seed in chosen.seeds:
        world = unusual_world.make(seed, chosen.series, chosen.days)
        found["seeds"][seed] = _world(world, chosen.ours, carried)
    if chosen.hourly:
        world = unusual_world.make_hourly(chosen.seeds[0], chosen.hourly)
        found["hourly"] = _world(world, chosen.ours, {})
    found["peak_gb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2)
    print(json.dumps(found, indent=2))


def _world(world: World, ours: list[str], carried: dict[str, dict[int, float]]) -> dict[str, Any]:
    """The figures of every detector; `carried` gets the thresholds of the first world."""
    told: dict[str, Any] = {}
    for name in ours:
        began = time.perf_counter(), time.process_time()
        score = engine.run(usage(world), name).score
        spent = {"seconds": round(time.perf_counter() - began[0], 1), "cpu": round(time.process_time() - began[1], 1)}
        told[name] = spent | _figures(name, score, world, carried)
        judged = events.judge(score, world.faults, world.values, world.per_day)
        told[name]["at_its_own_budget_1_10"] = [
            {
                "false_alarms": round(judged.false_alarms(threshold(rate)), 2),
                "recall": round(judged.recall(threshold(rate)), 3),
            }
            for rate in RATES
        ]
    for name, detector in OTHERS.items() if world.per_day == 1 else ():
        score = detector(world.values)
        told[f"{name}_bare"] = _short(_figures(f"{name}_bare", score, world, carried))
        held = baselines.guarded(score, world.values, world.events)
        told[f"{name}_guarded"] = _short(_figures(f"{name}_guarded", held, world, carried))
    return told


def _figures(name: str, score: np.ndarray, world: World, carried: dict[str, dict[int, float]]) -> dict[str, Any]:
    judged = events.judge(score, world.faults, world.values, world.per_day)
    told = events.figures(score, judged, world.per_day)
    if name in carried:
        told["carried_1_10"] = [
            {
                "false_alarms": round(judged.false_alarms(carried[name][rate]), 2),
                "recall": round(judged.recall(carried[name][rate]), 3),
            }
            for rate in RATES
        ]
    else:
        carried[name] = {rate: judged.threshold(rate) for rate in RATES}
    return told


def _short(told: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in told.items() if name not in ("delay_days_10", "faults", "inside")}


def usage(world: World) -> cells.Usage:
    """A world as the engine takes it; a third of the series is held back from teaching."""
    steps = world.values.shape[1]
    known = world.events
    changes = Changes.none()
    if len(known):
        changes = Changes(
            known["index"].to_numpy(np.int32),
            known["kind"].map({kind: number + 1 for number, kind in enumerate(KINDS)}).to_numpy(np.int32),
            known["first"].to_numpy(np.int32),
            known["last"].fillna(-1).to_numpy(np.int32),
        )
    first = np.argmax(~np.isnan(world.values), axis=1).astype(np.int32)
    step = np.timedelta64(24 // world.per_day, "h")
    times = np.datetime64(unusual_world.START.replace(tzinfo=None), "s") + np.arange(steps) * step
    held = np.random.default_rng(0).random(len(first)) < 1 / 3
    cadence = DAILY if world.per_day == 1 else HOURLY
    return cells.Usage(world.values, first, held, times, changes, cadence)


if __name__ == "__main__":
    main()
