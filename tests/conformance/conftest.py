"""A folder without cases of some kind has no test of that kind: nothing is skipped."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    without_cases = [item for item in items if _is_empty(item)]
    if without_cases:
        config.hook.pytest_deselected(items=without_cases)
        items[:] = [item for item in items if item not in without_cases]


def _is_empty(item: pytest.Item) -> bool:
    marks = item.iter_markers("skip")
    return any(str(mark.kwargs.get("reason")).startswith("got empty parameter set") for mark in marks)
