"""The screenshots of docs/screens, made by `make screens`; an ordinary test run makes none and changes no file."""

import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page

from tests.e2e.conftest import Serve
from tests.web.company import Home, example_home
from web.preferences import COOKIE

FOLDER = os.environ.get("TRUEUP_SCREENS", "docs/screens")
pytestmark = [pytest.mark.e2e, pytest.mark.screens]
Window = Callable[..., Page]


@pytest.fixture(scope="session")
def larger_company(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The example company large enough to look like one."""
    return example_home(tmp_path_factory.mktemp("larger"), customers=120, events_per_customer=1500)


def at_home(page: Page, address: str) -> None:
    """The first steps were read in this browser long ago."""
    cookie = {"name": COOKIE, "value": "tour=done", "url": "{0.scheme}://{0.netloc}".format(urlsplit(address))}
    page.context.add_cookies([cookie])  # type: ignore[list-item]


def shoot(page: Page, address: str, name: str, *, whole: bool = True) -> None:
    """One screenshot, of the whole page unless it is about what is on the screen."""
    at_home(page, address)
    page.goto(address)
    page.locator(".waiting").wait_for(state="detached")
    page.reload()  # now the font is in the cache, and the working on its shelf
    page.evaluate("document.fonts.ready")
    picture(page, name, whole=whole)


def picture(page: Page, name: str, *, whole: bool = False) -> None:
    """The page as it is now. The caret stays as it is: hiding it would need a style that the policy refuses."""
    if whole:
        page.evaluate("scrollTo(0, 0)")  # the bar sticks where the page was scrolled to
    page.screenshot(path=Path(FOLDER) / f"{name}.png", full_page=whole, caret="initial")


def address_of(page: Page, base: str, code: str) -> str:
    page.goto(f"{base}/signals?code={code}")
    return base + str(page.locator("a[data-open]").first.get_attribute("href"))


@pytest.mark.parametrize(
    ("look", "width", "scheme"), [("light", 1440, "light"), ("dark", 1440, "dark"), ("narrow", 390, "light")]
)
def test_screens(open_browser: Window, serve: Serve, larger_company: Home, look: str, width: int, scheme: str) -> None:
    page = open_browser(width=width, scheme=scheme)
    base = serve(larger_company)
    shoot(page, f"{base}/signals", f"inbox-{look}", whole=False)
    for code, name in (
        ("TU-19", "tier-mode"),
        ("TU-06", "spike"),
        ("TU-39", "unbilled"),
        ("TU-13", "mismatch"),
        ("TU-20", "bounds"),
        ("TU-22", "price"),
        ("TU-34", "invoice"),
        ("TU-40", "overlap"),
        ("TU-52", "ledger"),
    ):
        if name == "tier-mode" or look == "light":
            shoot(page, address_of(page, base, code), f"signal-{name}-{look}")
    page.goto(address_of(page, base, "TU-19"))
    pack = page.get_by_role("link", name="Evidence pack").get_attribute("href")
    shoot(page, f"{base}{pack}", f"pack-{look}", whole=False)
    shoot(page, f"{base}/settings", f"settings-{look}", whole=False)
    shoot(page, f"{base}/scoreboard", f"scoreboard-{look}", whole=False)
    shoot(page, f"{base}/runs", f"runs-{look}", whole=False)
    shoot(page, f"{base}/rules", f"rules-{look}", whole=False)
    shoot(page, f"{base}/data", f"data-{look}", whole=False)


def test_screens_of_triage(open_browser: Window, serve: Serve, larger_company: Home) -> None:
    page = open_browser()
    base = serve(larger_company)
    page.goto(f"{base}/signals")
    picture(page, "inbox-first-steps-light")
    at_home(page, base)
    page.goto(f"{base}/signals")
    for key in ("j", "x", "j", "x", "j", "x"):
        page.keyboard.press(key)
    picture(page, "inbox-selected-light")
    page.keyboard.press("d")
    page.locator("#bulk-dismiss").wait_for()
    picture(page, "inbox-dismiss-light")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Filter").click()
    picture(page, "inbox-filter-light")
    shoot(page, f"{base}/rules/wrong_tier_mode", "rule-light")
    page.get_by_role("button", name="Run it dry").click()
    page.locator("#answer").wait_for(timeout=60_000)
    picture(page, "rule-dry-run-light", whole=True)


def test_screens_of_the_rule_editor(open_browser: Window, serve: Serve, larger_company: Home, tmp_path: Path) -> None:
    page = open_browser()
    base = serve(larger_company.copy(tmp_path / "home"))
    shoot(page, f"{base}/rules/payment_retries_exhausted/edit", "rule-settings-light")
    page.get_by_role("button", name="Copy to a custom rule").click()
    page.locator("#copy .primary").click()
    page.locator("#text").wait_for()
    page.locator("#param-min_attempts").fill("4")
    page.locator("#param-min_attempts").press("Tab")
    page.get_by_text("not saved", exact=True).wait_for()
    page.get_by_role("button", name="Dry run").click()
    page.locator("#answer").wait_for(timeout=60_000)
    picture(page, "rule-editor-light", whole=True)
    page.get_by_role("button", name="Calibrate").click()
    page.locator("#trial figure").wait_for(timeout=60_000)
    picture(page, "rule-calibration-light", whole=True)


def test_screens_of_records_and_of_nothing(
    open_browser: Window,
    serve: Serve,
    larger_company: Home,
    empty_company: Home,
    hostile_company: Home,
    many_signals: Home,
) -> None:
    page = open_browser()
    base = serve(larger_company)
    page.goto(address_of(page, base, "TU-19"))
    records = page.locator("#records")
    for kind, name in (("/customers/", "customer"), ("/subscriptions/", "subscription"), ("/invoices/", "invoice"),
                       ("/lines/", "line"), ("/usage?", "usage")):  # fmt: skip
        address = str(records.locator(f'a[href^="{kind}"]').first.get_attribute("href"))
        other = page.context.new_page()
        shoot(other, base + address, f"{name}-light", whole=False)
        other.close()
    page.goto(f"{base}/bill-runs")
    run = page.locator("tr", has=page.locator("td.strong")).locator("a").first.get_attribute("href")
    shoot(page, f"{base}{run}", "bill-run-light", whole=False)
    shoot(page, f"{serve(empty_company)}/signals", "inbox-empty-light", whole=False)
    shoot(page, f"{serve(hostile_company)}/signals", "inbox-hostile-light", whole=False)
    shoot(page, f"{serve(many_signals)}/signals", "inbox-growing-light", whole=False)


def test_screens_of_the_team(open_browser: Window, serve: Serve, larger_company: Home, tmp_path: Path) -> None:
    page = open_browser()
    base = serve(larger_company.copy(tmp_path / "home"))
    at_home(page, base)
    page.goto(f"{base}/team")
    for name in ("Ana Lind", "Bob Okafor", "Cid Marsh"):
        page.locator("#member").fill(name)
        page.locator("#member").press("Enter")
        page.locator("td.strong", has_text=name).wait_for()
    page.get_by_role("button", name="Hand out by load").click()
    page.locator(".notice", has_text="Handed out").wait_for()
    page.goto(f"{base}/signals")
    for key in ("j", "x", "d"):
        page.keyboard.press(key)
    page.locator("#bulk-dismiss").get_by_label("Too small").check()
    page.locator("#bulk-dismiss .primary").click()
    page.locator(".notice", has_text="Suppressed").wait_for()
    page.locator("#signals tbody tr").first.focus()
    page.keyboard.press("Space")
    page.locator("#peek:popover-open").wait_for()
    picture(page, "inbox-peek-light")
    shoot(page, f"{base}/team", "team-light", whole=False)
    shoot(page, f"{base}/reports/manager?period=2026-11&show=written_off&compare=before", "report-light", whole=False)
    shoot(page, f"{base}/notifications", "notifications-light", whole=False)
