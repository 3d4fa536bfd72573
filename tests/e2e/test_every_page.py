"""Every page, light and dark, wide and narrow: nothing logged or refused, accessible, within its budget."""

from collections.abc import Callable
from typing import Literal

import pytest
from playwright.sync_api import Page

from tests.e2e.axe import violations
from tests.e2e.conftest import Serve
from tests.e2e.pages import ADDRESSES, ERRORS, LONG, NO_PAGES, OPEN, PARTS, SIGNED_IN, TRIALS, found
from tests.e2e.traffic import KB, elements, load
from tests.web.company import Home

pytestmark = pytest.mark.e2e
Window = Callable[..., Page]


def sideways(page: Page) -> int:
    """How many pixels the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def cut_off(page: Page) -> int:
    """How many of the four numbers do not fit their boxes."""
    return int(
        page.evaluate(
            "[...document.querySelectorAll('.match .cell')].filter(c => c.scrollWidth > c.clientWidth).length"
        )
    )


def visit(page: Page, address: str) -> None:
    page.goto(address)
    page.locator(".waiting").wait_for(state="detached")


def look(page: Page, width: int, scheme: Literal["light", "dark"]) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)


def test_no_page_is_forgotten(empty_company: Home) -> None:
    rules = empty_company.app().url_map.iter_rules()
    asked = {rule.endpoint for rule in rules if "GET" in (rule.methods or ())}
    served = {name for name in asked if not name.startswith(("api.", "events."))} | {"api.reference"}
    told = {*OPEN, *SIGNED_IN, *TRIALS, *PARTS, *NO_PAGES}
    assert served - told == set(), "tests/e2e/pages.py says at which address the gates look at it"
    assert told - served == set()


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_page_in_every_look(open_browser: Window, serve: Serve, example_company: Home, address: str) -> None:
    page = open_browser(expect_errors=address in ERRORS)
    traffic = load(page, serve(example_company) + found(example_company, address))
    page.locator(".waiting").wait_for(state="detached")
    assert traffic.total <= (100 if address in LONG else 60) * KB
    assert len(traffic.sizes) <= 8
    assert elements(page) <= LONG.get(address, 2_500)
    assert violations(page) == [], "light, wide"
    look(page, 390, "dark")
    assert violations(page) == [], "dark, narrow"
    assert sideways(page) == 0
    look(page, 390, "light")
    assert violations(page, looks_only=True) == [], "light, narrow"
    look(page, 1440, "dark")
    assert violations(page, looks_only=True) == [], "dark, wide"
    for width in (1440, 320):
        look(page, width, "light")
        assert sideways(page) == 0, width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("address", ["/signals", "/signals/SIG-1", "/signals/SIG-2", "/data"])
def test_hostile_names_endless_words_and_huge_amounts(
    open_browser: Window, serve: Serve, hostile_company: Home, address: str, scheme: str
) -> None:
    page = open_browser(width=1440, scheme=scheme)
    for width in (1440, 390, 320):
        page.set_viewport_size({"width": width, "height": 844})
        visit(page, serve(hostile_company) + address)
        assert (sideways(page), cut_off(page)) == (0, 0), width
    assert violations(page) == []


def test_before_any_data(open_browser: Window, serve: Serve, empty_company: Home) -> None:
    page = open_browser()
    for address in ("/signals", "/data", "/rules"):
        visit(page, serve(empty_company) + address)
        assert violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("name", ["keys", "preferences", "facets", "arrange", "save-view", "schedule", "nav-team"])
def test_menus_and_sheets(
    open_browser: Window, serve: Serve, example_company: Home, name: str, scheme: str, width: int
) -> None:
    page = open_browser(width=width, scheme=scheme)
    visit(page, serve(example_company) + "/signals")
    if name in ("save-view", "schedule"):
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
