"""Why a cell stands out, in one readable line made of what was measured."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from detector.unusual.cadence import Cadence
from detector.unusual.cells import Candidates
from detector.unusual.events import PLANNED, TOLD
from detector.unusual.features import UNITS

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
ODDNESS = (
    "spike", "drop", "rise", "fall", "drift_up", "drift_down", "silence", "unit", "negative", "after_end", "profile",
)  # fmt: skip
"""What can be unusual: of a day, over weeks, and what is of its own kind."""
DRIFT_WEEKS = 4
"""A drift is told by the levels of so many weeks and the one before; on the mean it has gone half of its way."""
NEAR = 0.25
"""How near (log scale) a ratio must be to a unit factor to be called one."""


def reason(found: Candidates, at: int, value: float, expected: float, time: np.datetime64, cadence: Cadence) -> str:
    """The explanation of one candidate: what is odd, what is known, who else moved."""
    told = dict(zip(found.names, found.features[at].tolist(), strict=True))
    parts = [_what(told, value, expected, time, cadence), _known(told, cadence), *_others(told)]
    return "; ".join(part for part in parts if part)


def oddness(told: Mapping[str, float], value: float) -> str:
    """What a candidate is, in one word of `ODDNESS`, by its features; `value` is its usage, NaN without a row."""
    if told["negative"] > 0:
        return "negative"
    if told["missing"] > 0:
        return "silence"
    if told["ended"] > 0 and value > 0:
        return "after_end"
    if told["silence"] > 1 and not value > 0:
        return "silence"
    amount, point = _or_zero(told["z_amount"]), _or_zero(told["z_month"])
    if told["active"] < 0.5 and abs(amount) > 2:
        return "spike" if amount > 0 else "drop"
    if abs(point) >= 3:
        return "unit" if _unit(told["residual"]) else "spike" if point > 0 else "drop"
    return _lasting_oddness(told)


def _lasting_oddness(told: Mapping[str, float]) -> str:
    by, drift = _or_zero(told[f"z_shift{_shift(told)}"]), _or_zero(told["z_drift"])
    if max(_or_zero(told["z_profile0"]), _or_zero(told["z_profile1"])) > max(abs(drift), abs(by)):
        return "profile"
    if abs(drift) > abs(by):
        return "drift_up" if drift > 0 else "drift_down"
    if by:
        return "rise" if by > 0 else "fall"
    return "spike" if _or_zero(told["z"]) > 0 else "drop"


def extent(told: Mapping[str, float], what: str, value: float, expected: float, cadence: Cadence) -> tuple[int, float]:
    """Over how many steps an oddness of `ODDNESS` lasts so far, and how many times the usual the usage is meanwhile."""
    if what in ("rise", "fall"):
        shift = _shift(told)
        return cadence.shifts[shift], float(np.exp(_or_zero(told[f"shift{shift}"])))
    if what in ("drift_up", "drift_down"):
        return DRIFT_WEEKS * cadence.season, float(np.exp(_or_zero(told["slope"]) * DRIFT_WEEKS / 2))
    return 1, max(_or_zero(value), 0.0) / expected if expected > 0 else np.inf


def _shift(told: Mapping[str, float]) -> int:
    """Which of the spans shows the greatest change of level."""
    return max(range(3), key=lambda k: abs(_or_zero(told[f"z_shift{k}"])))


def _what(told: Mapping[str, float], value: float, expected: float, time: np.datetime64, cadence: Cadence) -> str:
    is_sparse = told["active"] < 0.5 and abs(_or_zero(told["z_amount"])) > 2
    is_point = abs(_or_zero(told["z_month"])) >= 3
    match oddness(told, value):
        case "negative":
            return "negative usage, the first of this series"
        case "after_end":
            return "usage after the contract ended"
        case "silence":
            missing = "no row" if told["missing"] > 0 else "no usage"
            return f"{missing}; it has usage on {told['chance']:.0%} of its {_when(time, cadence)}"
        case "spike" | "drop" if is_sparse:
            return f"{_times(value, float(np.exp(min(told['usual_amount'], 60))))} its usual amount on active days"
        case "spike" | "drop" if is_point:
            return f"{_times(value, expected)} its usual {_when(time, cadence)[:-1]}"
        case "unit":
            usual = f"{_times(value, expected)} its usual {_when(time, cadence)[:-1]}"
            return f"{usual}, as if a unit were changed by {_unit(told['residual'])}"
        case "profile":
            return "its weekly profile is gone" if cadence.season <= 7 else "its daily and weekly profile is gone"
        case "drift_up" | "drift_down":
            return f"drifts by {np.expm1(_or_zero(told['slope'])):+.0%} a week for weeks"
        case "rise" | "fall":
            shift = _shift(told)
            span = cadence.shifts[shift] // cadence.day
            change = np.expm1(_or_zero(told[f"shift{shift}"]))
            return f"{change:+.0%} over the last {span} days against those before"
    return f"{abs(_or_zero(told['z'])):.1f} deviations from what was expected"


def _known(told: dict[str, float], cadence: Cadence) -> str:
    kind, since = int(told["change"]), told["since_change"]
    if not kind or np.isnan(since) or since > 28 * cadence.day:
        return "no known change"
    days = int(since // cadence.day)
    if kind == PLANNED:
        return f"within or after a planned change that the expectation follows ({days} days)"
    return f"{days} days after a {TOLD[kind]} that the expectation follows"


def _others(told: dict[str, float]) -> list[str]:
    together = np.exp(told["together"])
    return [f"{together:.0f} times as many series as usual moved alike"] if together >= 3 else []


def _when(time: np.datetime64, cadence: Cadence) -> str:
    day = WEEKDAYS[(int(time.astype("datetime64[D]").astype(np.int64)) + 3) % 7]
    if cadence.day == 1:
        return f"{day}s"
    return f"{day} {int((time - time.astype('datetime64[D]')).astype('timedelta64[h]').astype(int)):02d}:00 hours"


def _times(value: float, expected: float) -> str:
    if not expected > 0 or not np.isfinite(value):
        return "far more than"
    ratio = value / expected
    if ratio >= 1.5:
        return f"{ratio:,.0f} times" if ratio >= 10 else f"{ratio:.1f} times"
    return f"{ratio:.0%} of" if ratio >= 0.01 else f"a {1 / max(ratio, 1e-9):,.0f}th of" if ratio > 0 else "nothing of"


def _unit(residual: float) -> str:
    if np.isnan(residual):
        return ""
    factor, name = min(UNITS.items(), key=lambda each: abs(abs(residual) - np.log(each[0])))
    return name if abs(abs(residual) - np.log(factor)) < NEAR and factor >= 60 else ""


def _or_zero(value: float) -> float:
    return 0.0 if np.isnan(value) else value


def reasons(
    found: Candidates, chosen: NDArray[np.intp], values: NDArray[np.float64], expected: NDArray[np.float32],
    times: NDArray[np.datetime64], cadence: Cadence,
) -> list[str]:  # fmt: skip
    """The reasons of some candidates."""
    return [
        reason(
            found, at, float(values[found.row[at], found.step[at]]), float(expected[found.row[at], found.step[at]]),
            times[found.step[at]], cadence,
        )
        for at in chosen.tolist()
    ]  # fmt: skip
