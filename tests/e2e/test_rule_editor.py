"""The rule editor in a real browser: from a copy of a system rule to its activation, by mouse, by keys, on a phone."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import func, select

from store import operational
from store.operational_tables import Job
from tests.e2e.axe import violations
from tests.e2e.conftest import Serve
from tests.e2e.test_every_page import sideways
from tests.web.company import Home

pytestmark = pytest.mark.e2e
Window = Callable[..., Page]
SOON = 60_000


def copy(page: Page, base: str) -> None:
    """The editor of a fresh copy."""
    page.goto(f"{base}/rules/payment_retries_exhausted")
    page.get_by_role("button", name="Copy", exact=True).click()
    page.locator("#copy-name").fill("retries_own")
    page.locator("#copy").get_by_role("button", name="Copy").click()
    expect(page).to_have_url(re.compile("/rules/retries_own/edit"))


def well(page: Page) -> None:
    """Accessible, and no wider than the window; the notice, which covers what is below it, has gone."""
    page.evaluate("scrollTo(0, 0)")  # the bar sticks, and covers what it is scrolled over
    page.locator(".notice").evaluate_all("notices => notices.forEach(notice => notice.remove())")
    assert violations(page) == []
    assert sideways(page) == 0


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_from_a_copy_to_its_activation(open_browser: Window, serve: Serve, home: Home, scheme: str, width: int) -> None:
    page = open_browser(width=width, scheme=scheme)
    copy(page, serve(home))
    text = page.locator("#text")
    expect(text).to_have_value(re.compile("^name: retries_own"))

    page.locator("#param-min_attempts").fill("4")
    page.locator("#param-min_attempts").press("Tab")
    expect(text).to_have_value(re.compile("default: 4"))
    expect(page.get_by_text("not saved", exact=True)).to_be_visible()
    well(page)

    page.get_by_role("button", name="Dry run").click()
    expect(page.locator("#answer")).to_contain_text("Would be signals", timeout=SOON)
    expect(page.locator("#checks")).to_contain_text("This very text was run dry just now: 1 signal")
    well(page)

    page.get_by_role("button", name="Compare").click()
    expect(page.locator(".diff .plus").last).to_contain_text("default: 4")
    page.locator("#note").fill("three attempts are too few")
    page.get_by_role("button", name="Save draft").click()
    expect(page.locator(".head")).to_contain_text("this is version 2")
    page.locator("#range").select_option("7")
    page.locator("#step").fill("P1D")
    page.get_by_role("button", name="Dry run").click()
    expect(page.locator(".where")).to_contain_text("8 instants", timeout=SOON)
    page.get_by_role("button", name="Calibrate").click()
    expect(page.locator("#trial figure")).to_be_visible(timeout=SOON)
    page.get_by_text("Show as a table").click()
    expect(page.locator(".twin td").filter(has_text="4 (now)")).to_be_visible()
    well(page)

    page.locator("#note").fill("three attempts are too few")
    page.get_by_role("button", name="Activate version 2").click()
    expect(page.locator("#notices")).to_contain_text("Version 2 is live.")
    expect(page.locator(".head")).to_contain_text("version 2 runs")
    well(page)
    page.goto(serve(home) + "/rules")
    expect(page.locator("tr").filter(has_text="Retries own")).to_contain_text("Custom")
    with operational.reading(home.engine()) as session:
        last = session.scalar(select(func.max(Job.id)))
    page.goto(f"{serve(home)}/rules/retries_own/trials/{last}")
    expect(page.locator("#trial figure")).to_be_visible()
    well(page)


def test_a_mistake_is_found_at_its_line_and_nothing_that_was_typed_is_lost(
    open_browser: Window, serve: Serve, home: Home
) -> None:
    page = open_browser(expect_errors=True)  # a text that is refused is a 400
    copy(page, serve(home))
    text = page.locator("#text")
    sound = text.input_value()
    broken = sound.replace("severity: high", "severity: awful")
    text.fill(broken)
    text.press("Control+s")
    link = page.locator(".problems a")
    expect(link).to_have_text(f"Line {broken.splitlines().index('severity: awful') + 1}")
    expect(text).to_have_value(broken)
    link.click()
    expect(text).to_be_focused()
    chosen = text.evaluate("field => field.value.slice(field.selectionStart, field.selectionEnd)")
    assert chosen == "severity: awful"
    expect(page.locator(".gutter .off")).to_have_count(1)
    well(page)
    text.fill(sound.replace("severity: high", "severity: low"))
    text.press("Control+s")
    expect(page.locator("#notices")).to_contain_text("Saved as version 2.")
    expect(page.locator("#severity")).to_have_value("low")


def test_a_dry_run_is_started_by_keys_and_stopped_by_a_button(page: Page, serve: Serve, home: Home) -> None:
    copy(page, serve(home))
    page.locator("#range").select_option("90")
    page.locator("#step").fill("PT1H")
    page.locator("#text").press("Control+Enter")
    page.get_by_role("button", name="Stop it").click()
    expect(page.locator("#trial")).to_contain_text(re.compile("Partial|Stopped before it began"), timeout=SOON)
    expect(page.locator("#text")).to_have_value(re.compile("^name: retries_own"))


def test_lines_are_numbered_as_they_are_typed(page: Page, serve: Serve, home: Home) -> None:
    copy(page, serve(home))
    before = page.locator(".gutter li").count()
    page.locator("#text").focus()
    page.keyboard.press("Control+Home")
    page.keyboard.type("# one\n# two\n")
    expect(page.locator(".gutter li")).to_have_count(before + 2)


def test_without_scripts_a_rule_is_copied_edited_tried_and_activated(
    open_browser: Window, serve: Serve, home: Home
) -> None:
    page = open_browser(scripts=False)
    base = serve(home)
    page.goto(f"{base}/rules/payment_retries_exhausted/edit")
    page.locator("button", has_text="Copy to a custom rule").click()
    page.locator("#copy .primary").click()
    page.locator("#severity").select_option("low")
    page.get_by_role("button", name="Write into the text").click()
    expect(page.locator("#text")).to_have_value(re.compile("severity: low"))
    page.get_by_role("button", name="Save draft").click()
    page.get_by_role("button", name="Dry run").click()
    page.get_by_role("link", name="Open by itself").click()
    for _ in range(60):
        if page.locator("#answer").count():
            break
        page.wait_for_timeout(500)
        page.reload()
    page.goto(f"{base}/rules/payment_retries_exhausted_own/edit")
    page.locator("#note").fill("lower")
    page.get_by_role("button", name="Activate version 2").click()
    expect(page.locator(".head")).to_contain_text("version 2 runs")
