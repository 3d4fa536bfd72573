"""What a first visit may cost (console.md, section 4): bytes over the wire, requests, elements."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.e2e.conftest import Serve
from tests.e2e.traffic import KB, elements, load
from tests.web.company import Home

pytestmark = pytest.mark.e2e


def test_the_inbox_with_fifty_rows(page: Page, serve: Serve, many_signals: Home) -> None:
    traffic = load(page, serve(many_signals) + "/signals")
    assert page.locator("#signals tbody tr").count() == 50
    assert traffic.total <= 60 * KB
    assert traffic.of("Script") <= 30 * KB
    assert traffic.of("Stylesheet") <= 12 * KB
    assert len(traffic.sizes) <= 8
    assert elements(page) <= 1500


@pytest.mark.parametrize("code", ["TU-19", "TU-06"])
def test_the_page_of_a_signal(page: Page, serve: Serve, example_company: Home, code: str) -> None:
    base = serve(example_company)
    page.goto(f"{base}/signals?code={code}")
    address = page.locator("a[data-open]").first.get_attribute("href")
    traffic = load(page, f"{base}{address}?show=working")
    assert traffic.total <= 60 * KB
    assert len(traffic.sizes) <= 8
    assert elements(page) <= 2500


def test_the_page_of_a_signal_with_a_thousand_records(page: Page, serve: Serve, hostile_company: Home) -> None:
    traffic = load(page, serve(hostile_company) + "/signals/SIG-4")
    assert traffic.total <= 60 * KB
    assert elements(page) <= 2500


def test_our_own_script_is_small(page: Page, serve: Serve, many_signals: Home) -> None:
    traffic = load(page, serve(many_signals) + "/signals")
    own = [size for address, size in traffic.sizes.items() if "/console." in address and address.endswith(".js")]
    assert 0 < own[0] <= 6 * KB


def test_nothing_moves_after_the_first_paint(
    open_browser: Callable[..., Page], serve: Serve, many_signals: Home
) -> None:
    page = open_browser()
    page.add_init_script(
        "window.moved = 0; new PerformanceObserver(list => list.getEntries().forEach(one => window.moved += one.value))"
        ".observe({type: 'layout-shift', buffered: true})"
    )
    load(page, serve(many_signals) + "/signals")
    assert page.evaluate("window.moved") <= 0.02
