"""Unusual usage in a real browser: the chart with its usual range and alarms, a label and its undoing, the budget."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.axe import violations
from tests.e2e.conftest import Serve
from tests.e2e.test_every_page import sideways
from tests.unusual_home import make, make_hourly

pytestmark = pytest.mark.e2e
SOON = 60_000


def well(page: Page) -> None:
    """Accessible, and no wider than the window; the notice, which covers what is below it, has gone."""
    page.locator(".notice").evaluate_all("notices => notices.forEach(notice => notice.remove())")
    assert violations(page) == []
    assert sideways(page) == 0


def test_a_silence_is_seen_labelled_and_counted(
    open_browser: Callable[..., Page], serve: Serve, tmp_path: Path
) -> None:
    base = serve(make(tmp_path / "home"))
    page = open_browser(width=390, scheme="dark")
    page.goto(f"{base}/signals/SIG-1?show=working")
    chart = page.get_by_role("region", name="Usage by day, and what was expected", exact=True)
    expect(chart.locator("svg.plot circle")).not_to_have_count(0, timeout=SOON)
    expect(chart.locator("svg.plot rect.band")).not_to_have_count(0)
    chart.get_by_text("Show as a table").click()
    last = chart.locator("tbody tr").last
    expect(last).to_contain_text("no events")
    expect(last).to_contain_text("yes")
    well(page)
    page.get_by_role("button", name="Not a fault").click()
    expect(page.locator(".line").first).to_contain_text("False positive")
    expect(page.get_by_role("button", name="Not a fault")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("link", name="How labels move the alarms").click()
    moved = page.get_by_role("region", name="What labels moved", exact=True)
    expect(moved.locator("tbody tr").first).to_contain_text("Silence", timeout=SOON)
    expect(page.get_by_role("heading", name="What a budget comes to")).to_be_visible()
    well(page)
    page.go_back()
    page.reload()
    page.goto(f"{base}/usage?item=item_c07&from=2026-10-01&to=2026-11-21")
    page.get_by_label("with its usual range").check()
    page.get_by_role("button", name="Show").click()
    expect(page.locator("svg.plot rect.band")).not_to_have_count(0, timeout=SOON)
    well(page)


def test_hours_are_seen_labelled_and_counted(open_browser: Callable[..., Page], serve: Serve, tmp_path: Path) -> None:
    base = serve(make_hourly(tmp_path / "home"))
    page = open_browser(width=390)
    page.goto(f"{base}/signals/SIG-2?show=working")
    chart = page.get_by_role("region", name="Usage by hour", exact=True)
    expect(chart.locator("svg.plot circle")).not_to_have_count(0, timeout=SOON)
    well(page)
    page.get_by_role("button", name="Planned").click()
    expect(page.get_by_role("button", name="Planned")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("link", name="How labels move the alarms").click()
    moved = page.get_by_role("region", name="What labels moved", exact=True)
    expect(moved.locator("tbody tr").first).to_contain_text("High hours", timeout=SOON)
