"""The words of units, as many of them are told."""

import pytest

from web.words import units


@pytest.mark.parametrize(
    ("unit", "told"),
    [
        ("request", "requests"),
        ("GB-hours", "GB-hours"),
        ("GB", "GB"),
        ("query", "queries"),
        ("day", "days"),
        ("batch", "batches"),
        (None, "units"),
    ],
)
def test_a_unit_is_told_of_many(unit: str | None, told: str) -> None:
    assert units(unit) == told
