"""The chart of a calibration: at each value of a parameter, the signals that it raises, by what people made of them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from detector.trial_report import money_text
from web.charts import Axis, Bar, Chart, axis, percent

GAP = Decimal("0.4")
"""The part of a value's width that stays empty between bars."""

LEAST_TOP = Decimal(4)
"""The axis counts whole signals."""

LOOKS = (("right", "resolved"), ("wrong", "dismissed"), ("unjudged", "not judged"))


def calibration_chart(told: Mapping[str, Any]) -> Chart:
    """One stacked bar per value, from the smallest to the largest; the value that holds now is marked below it."""
    values = told["values"]
    scale = axis(max([LEAST_TOP, *(Decimal(each["signals"]) for each in values)]))
    return Chart(
        title=f"Signals at each value of {told['parameter'].replace('_', ' ')}",
        note=_note(told),
        axis=scale,
        along=tuple(each["value"] for each in values),
        slots=True,
        columns=("Value", "Signals", "Resolved", "Dismissed", "Precision", "Money"),
        rows=tuple(
            (
                each["value"] + (" (now)" if each["value"] == told["current"] else ""),
                str(each["signals"]),
                str(each["right"]),
                str(each["wrong"]),
                _precision(each["precision"]),
                money_text(each["impact"]) or "none",
            )
            for each in values
        ),
        legend=tuple((look, words) for look, words in LOOKS if any(_count(each, look) for each in values)),
        bars=tuple(
            bar for place, each in enumerate(values) for bar in _stack(place, len(values), each, scale, told["current"])
        ),
    )


def _note(told: Mapping[str, Any]) -> str:
    labels = told["labels"]
    judged = labels["right"] + labels["wrong"]
    few = (
        f"; a rate needs {labels['least_for_a_rate']}, so these are counts"
        if judged < labels["least_for_a_rate"]
        else ""
    )
    return f"{judged} of them were judged by people: {labels['right']} resolved, {labels['wrong']} dismissed{few}."


def _precision(value: str | None) -> str:
    return "\u2013" if value is None else percent(Decimal(value))


def _count(each: Mapping[str, Any], look: str) -> int:
    return int(each[look]) if look != "unjudged" else int(each["signals"] - each["right"] - each["wrong"])


def _stack(place: int, count: int, each: Mapping[str, Any], scale: Axis, current: str) -> list[Bar]:
    """The parts of one value's bar, from below."""
    slot = Decimal(1) / max(count, 1)
    left, wide = slot * place + slot * GAP / 2, slot * (1 - GAP)
    bars, below = [], Decimal(0)
    if each["value"] == current:
        bars.append(Bar("period", percent(slot * place), "0%", percent(slot), "100%"))
    for look, words in LOOKS:
        part = Decimal(_count(each, look))
        if part:
            below += part
            label = f"{each['value']}: {part} {words}"
            bars.append(Bar(look, percent(left), scale.down(below), percent(wide), scale.height(part), label))
    return bars
