"""Why a cell stands out, in one readable line made of what was measured."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detector.unusual.cadence import Cadence
from detector.unusual.engine import Candidates
from detector.unusual.events import PLANNED, TOLD
from detector.unusual.features import UNITS

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
NEAR = 0.25
"""How near (log scale) a ratio must be to a unit factor to be called one."""


def reason(found: Candidates, at: int, value: float, expected: float, time: np.datetime64, cadence: Cadence) -> str:
    """The explanation of one candidate: what is odd, what is known, who else moved."""
    told = dict(zip(found.names, found.features[at].tolist(), strict=True))
    parts = [_what(told, value, expected, time, cadence), _known(told, cadence), *_others(told)]
    return "; ".join(part for part in parts if part)


def _what(told: dict[str, float], value: float, expected: float, time: np.datetime64, cadence: Cadence) -> str:
    if told["negative"] > 0:
        return "negative usage, the first of this series"
    if told["missing"] > 0:
        return f"no row; it has usage on {told['chance']:.0%} of its {_when(time, cadence)}"
    if told["ended"] > 0 and value > 0:
        return "usage after the contract ended"
    if told["silence"] > 1 and not value > 0:
        return f"no usage; it has usage on {told['chance']:.0%} of its {_when(time, cadence)}"
    if told["active"] < 0.5 and abs(_or_zero(told["z_amount"])) > 2:
        return f"{_times(value, float(np.exp(min(told['usual_amount'], 60))))} its usual amount on active days"
    if abs(_or_zero(told["z_month"])) >= 3:
        unit = _unit(told["residual"])
        ratio = _times(value, expected)
        return f"{ratio} its usual {_when(time, cadence)[:-1]}" + (
            f", as if a unit were changed by {unit}" if unit else ""
        )
    return _lasting(told, cadence)


def _lasting(told: dict[str, float], cadence: Cadence) -> str:
    shift = max(range(3), key=lambda k: abs(_or_zero(told[f"z_shift{k}"])))
    lost = max(_or_zero(told["z_profile0"]), _or_zero(told["z_profile1"]))
    drift, by = _or_zero(told["z_drift"]), _or_zero(told[f"z_shift{shift}"])
    if lost > max(abs(drift), abs(by)):
        return "its weekly profile is gone" if cadence.season <= 7 else "its daily and weekly profile is gone"
    if abs(drift) > abs(by):
        return f"drifts by {np.expm1(_or_zero(told['slope'])):+.0%} a week for weeks"
    if by:
        span = cadence.shifts[shift] // cadence.day
        return f"{np.expm1(_or_zero(told[f'shift{shift}'])):+.0%} over the last {span} days against those before"
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
