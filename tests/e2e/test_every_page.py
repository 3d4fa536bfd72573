"""Every page, light and dark, wide and narrow: nothing logged, nothing refused, accessible, no sideways scrolling."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.e2e.axe import violations
from tests.e2e.conftest import Serve
from tests.web.company import Home

pytestmark = pytest.mark.e2e
MAIN = ["/signals", "/signals/SIG-1", "/rules", "/runs?rule=usage_spike", "/data", "/scoreboard?show=after_issue"]
OTHERS = [
    "/bill-runs",
    "/team",
    "/notifications",
    "/settings",
    "/reports/manager?period=2026-11&show=written_off",
    "/signals?group=cause",
    "/signals?q=nosuchthing",
    "/rules/wrong_tier_mode",
    "/rules/usage_spike/edit",
    "/integrations",
    "/jump?q=a",
    "/api/v1/",
    "/nope",
]
RECORDS = ["/customers/", "/subscriptions/", "/invoices/", "/lines/", "/usage?", "/records/price/"]
Window = Callable[..., Page]


def sideways(page: Page) -> int:
    """How many pixels the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def visit(page: Page, address: str) -> None:
    page.goto(address)
    page.locator(".waiting").wait_for(state="detached")


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("address", MAIN)
def test_main_pages(
    open_browser: Window, serve: Serve, example_company: Home, address: str, scheme: str, width: int
) -> None:
    page = open_browser(width=width, scheme=scheme)
    visit(page, serve(example_company) + address)
    assert violations(page) == []
    assert sideways(page) == 0


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
@pytest.mark.parametrize("address", OTHERS)
def test_other_pages(
    open_browser: Window, serve: Serve, example_company: Home, address: str, scheme: str, width: int
) -> None:
    page = open_browser(width=width, scheme=scheme, expect_errors=address in ("/nope", "/jump?q=a"))
    visit(page, serve(example_company) + address)
    assert violations(page) == []
    assert sideways(page) == 0


@pytest.mark.parametrize(("scheme", "width"), [("dark", 1440), ("light", 390)])
def test_pages_of_records(open_browser: Window, serve: Serve, example_company: Home, scheme: str, width: int) -> None:
    page = open_browser(width=width, scheme=scheme)
    base = serve(example_company)
    page.goto(f"{base}/signals?code=TU-19")
    page.locator("a[data-open]").first.click()
    addresses = [
        page.locator(f'#records a[href^="{kind}"]').first.get_attribute("href")
        for kind in RECORDS
        if page.locator(f'#records a[href^="{kind}"]').count()
    ]
    assert len(addresses) >= 5
    page.goto(f"{base}/bill-runs")
    addresses.append(page.locator('main a[href^="/bill-runs/"]').first.get_attribute("href"))
    for address in addresses:
        visit(page, f"{base}{address}")
        assert violations(page) == [], address
        assert sideways(page) == 0, address


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("address", ["/signals", "/signals/SIG-1", "/signals/SIG-2", "/data"])
def test_hostile_names_endless_words_and_huge_amounts(
    open_browser: Window, serve: Serve, hostile_company: Home, address: str, scheme: str
) -> None:
    page = open_browser(width=1440, scheme=scheme)
    for width in (1440, 390, 320):
        page.set_viewport_size({"width": width, "height": 844})
        visit(page, serve(hostile_company) + address)
        assert sideways(page) == 0, width
    assert violations(page) == []


@pytest.mark.parametrize("address", [*MAIN, *OTHERS[:4], "/signals/SIG-1/pack"])
def test_nothing_is_wider_than_320_pixels(
    open_browser: Window, serve: Serve, example_company: Home, address: str
) -> None:
    page = open_browser(width=320)
    visit(page, serve(example_company) + address)
    assert sideways(page) == 0


def test_before_any_data(open_browser: Window, serve: Serve, empty_company: Home) -> None:
    page = open_browser()
    for address in ("/signals", "/data", "/rules"):
        visit(page, serve(empty_company) + address)
        assert violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("name", ["keys", "preferences", "facets", "arrange", "save-view", "nav-team"])
def test_menus_and_sheets(
    open_browser: Window, serve: Serve, example_company: Home, name: str, scheme: str, width: int
) -> None:
    page = open_browser(width=width, scheme=scheme)
    visit(page, serve(example_company) + "/signals")
    if name == "save-view":
        page.locator('[popovertarget="arrange"]').first.click()
    page.locator(f'[popovertarget="{name}"]').first.click()
    page.locator(f"#{name}:popover-open").wait_for()
    assert violations(page) == []
    assert sideways(page) == 0


@pytest.mark.parametrize("deed", ["assign", "status", "snooze", "dismiss", "resolve", "priority", "merge"])
def test_the_sheet_of_every_deed(open_browser: Window, serve: Serve, example_company: Home, deed: str) -> None:
    page = open_browser(scheme="dark")
    visit(page, serve(example_company) + "/signals/SIG-1")
    page.locator(f'[popovertarget="one-{deed}"]').first.click()
    page.locator(f"#one-{deed}:popover-open").wait_for()
    assert violations(page) == []
