"""Journeys through the console in a real browser: with scripts, without, by two people at once, on paper."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.axe import violations
from tests.e2e.conftest import Serve
from tests.e2e.pdf import text
from tests.web.company import Home

pytestmark = pytest.mark.e2e
Window = Callable[..., Page]


def test_a_search_changes_list_and_address_while_typing_and_keeps_the_cursor(
    page: Page, serve: Serve, example_company: Home
) -> None:
    page.goto(serve(example_company) + "/signals")
    before = page.locator("#signals tbody tr").count()
    page.locator("#search").click()
    page.keyboard.type("ledger", delay=30)
    expect(page.locator("#signals tbody tr")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"q=ledger"))
    expect(page.locator("#search")).to_be_focused()
    assert before > 1


def test_filters_are_chosen_shown_as_chips_and_taken_away(page: Page, serve: Serve, example_company: Home) -> None:
    page.goto(serve(example_company) + "/signals")
    page.get_by_role("button", name="Filter").click()
    page.locator("#facets").get_by_role("link", name=re.compile("^Critical")).click()
    expect(page).to_have_url(re.compile(r"sev=critical"))
    expect(page.locator("#facets")).to_be_visible()
    page.locator("#facets").get_by_role("link", name=re.compile("^Pricing")).click()
    expect(page.locator("#category-pricing")).to_be_focused()
    expect(page.locator(".chip")).to_have_count(2)
    expect(page.locator("#facets")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Remove Severity: Critical").click()
    expect(page).not_to_have_url(re.compile("sev="))
    expect(page.locator(".chip")).to_have_count(1)


def test_back_brings_the_list_as_it_was(page: Page, serve: Serve, many_signals: Home) -> None:
    page.goto(serve(many_signals) + "/signals")
    page.locator("a[rel=next]").click()
    expect(page).to_have_url(re.compile("after="))
    listed = page.locator("#signals tbody tr").first.get_attribute("id")
    page.locator("a[data-open]").nth(3).click()
    expect(page.locator("h1")).to_contain_text("charged wrongly")
    page.go_back()
    expect(page.locator("#signals tbody tr").first).to_have_attribute("id", str(listed))
    page.go_back()
    expect(page).not_to_have_url(re.compile("after="))
    expect(page.locator("#signals tbody tr").first).not_to_have_attribute("id", str(listed))


def test_the_page_of_a_signal_works_out_the_amount_by_itself(page: Page, serve: Serve, home: Home) -> None:
    page.goto(serve(home) + "/signals?code=TU-19")
    page.locator("a[data-open]").first.click()
    expect(page.locator("table.tiers tbody tr").first).to_be_visible()
    page.get_by_text("How the expected amount comes about").click()
    expect(page.locator(".steps-plain")).to_be_visible()


def test_records_are_filtered_in_place(page: Page, serve: Serve, example_company: Home) -> None:
    page.goto(serve(example_company) + "/signals?code=TU-19")
    page.locator("a[data-open]").first.click()
    page.locator("#records").get_by_role("link", name=re.compile("^Customer")).click()
    expect(page.locator("#records tbody tr td:first-child")).to_contain_text(["Customer"])
    expect(page).to_have_url(re.compile("type=customer"))
    expect(page.locator("#type-customer")).to_be_focused()


def test_a_record_opens_at_its_top_and_back_returns_to_the_signal(
    page: Page, serve: Serve, example_company: Home
) -> None:
    page.goto(serve(example_company) + "/signals?code=TU-19")
    page.locator("a[data-open]").first.click()
    page.locator("#records a[href^='/customers/']").first.click()
    expect(page).to_have_url(re.compile("/customers/"))
    assert page.evaluate("scrollY") == 0
    page.go_back()
    expect(page.locator("#records")).to_be_visible()


def test_a_dry_run_answers_on_the_page(page: Page, serve: Serve, home: Home) -> None:
    page.goto(serve(home) + "/rules/wrong_tier_mode")
    page.get_by_role("button", name="Run it dry").click()
    expect(page.locator("#answer")).to_contain_text("Would be signals", timeout=60_000)


def test_triage_without_scripts(open_browser: Window, serve: Serve, home: Home) -> None:
    page = open_browser(scripts=False)
    page.goto(serve(home) + "/signals")
    page.get_by_role("button", name="Filter").click()
    page.locator("#facets").get_by_role("link", name=re.compile("^Critical")).click()
    expect(page).to_have_url(re.compile("sev=critical"))
    row = page.locator("#signals tbody tr").first
    label = str(row.get_attribute("id"))
    row.locator("input[name=id]").check()
    expect(page.locator(".selected")).to_be_visible()
    page.locator('[popovertarget="bulk-assign"]').first.click()
    page.locator("#bulk-who").fill("Ana Ruiz")
    page.locator("#bulk-assign .primary").click()
    expect(page.locator(f"#{label} .who")).to_have_text("Ana Ruiz")
    page.locator("#notices").get_by_role("button", name="Undo").click()
    expect(page.locator(f"#{label} .who")).to_have_text("–")
    page.locator(f"#{label} a[data-open]").click()
    page.locator('[popovertarget="one-dismiss"]').first.click()
    page.locator("#one-dismiss").get_by_text("False positive").click()
    page.locator("#one-dismiss .primary").click()
    expect(page.locator(".head .state")).to_have_text("False positive")
    if page.get_by_role("link", name="Show how the amount comes about").count():
        page.get_by_role("link", name="Show how the amount comes about").click()
        expect(page.locator("#worked")).to_be_visible()


def test_enter_without_scripts_does_nothing_rather_than_the_wrong_thing(
    open_browser: Window, serve: Serve, home: Home
) -> None:
    page = open_browser(scripts=False)
    page.goto(serve(home) + "/signals/SIG-1")
    page.locator('[popovertarget="one-resolve"]').first.click()
    page.locator("#one-cause").fill("price fixed")
    page.keyboard.press("Enter")
    expect(page.locator("#one-resolve")).to_be_visible()


def test_two_people_on_one_signal(open_browser: Window, serve: Serve, home: Home) -> None:
    ana, ben = open_browser(), open_browser(expect_errors=True)
    for page in (ana, ben):
        page.goto(serve(home) + "/signals/SIG-1")
    for page, name in ((ana, "Ana Ruiz"), (ben, "Ben Okafor")):
        page.locator('[popovertarget="one-assign"]').first.click()
        page.locator("#one-who").fill(name)
        page.keyboard.press("Enter")
    expect(ana.locator(".strip")).to_contain_text("Ana Ruiz")
    expect(ben.locator("h1")).to_have_text("Somebody was faster")
    assert violations(ben) == []
    ben.get_by_role("link", name="See it as it is now").click()
    expect(ben.locator(".strip")).to_contain_text("Ana Ruiz")


def test_a_server_that_does_not_answer_is_said_and_what_is_shown_stays(
    open_browser: Window, serve: Serve, home: Home
) -> None:
    page = open_browser(expect_errors=True)
    page.goto(serve(home) + "/signals")
    page.context.set_offline(True)
    page.locator(".tabs a").nth(1).click()
    expect(page.locator("#notices")).to_contain_text("Trueup did not answer. What you see is from before.")
    expect(page.locator("#signals tbody tr").first).to_be_visible()
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#notices")).to_be_empty()


def test_the_evidence_pack_on_paper_tells_everything_and_has_no_controls(
    page: Page, serve: Serve, example_company: Home
) -> None:
    page.goto(serve(example_company) + "/signals?code=TU-19")
    page.locator("a[data-open]").first.click()
    title = page.locator("h1").inner_text()
    listed = page.locator("#records tbody tr").count()
    page.get_by_role("link", name="Evidence pack").click()
    expect(page.get_by_role("button", name="Print")).to_be_visible()
    assert violations(page) == []
    printed = text(page.pdf(format="A4"))
    assert title in printed
    for told in (
        "Evidence pack of SIG-",
        "Expected and billed, tier by tier",
        "How the expected amount comes about",
        "Every record involved",
        "Timeline",
        "SELECT",
        "What it returned for this finding",
        "of the snapshot named above",
    ):
        assert told in printed, told
    for control in ("Jump to an ID", "Print", "Preferences", "Bill runs"):
        assert control not in printed, control
    assert page.locator(".records tbody tr").count() >= listed
    page.emulate_media(media="print")
    drawn = page.locator("svg.plot text").first
    if drawn.count():
        assert float(drawn.evaluate("e => parseFloat(getComputedStyle(e).fontSize)")) < 10, "7 points"


def test_the_page_of_a_signal_on_paper_is_open_and_bare(page: Page, serve: Serve, example_company: Home) -> None:
    page.goto(serve(example_company) + "/signals/SIG-1?show=working")
    printed = text(page.pdf())
    folded = page.locator("section details dl dd").first.text_content()
    assert str(folded).strip() in printed, "what the query returned is folded away on the screen"
    assert "Add remark" not in printed
    page.emulate_media(media="print")
    for hidden in (".bar", ".deeds", "#records .filter"):
        expect(page.locator(hidden).first).to_be_hidden()


def test_colours_follow_the_system_unless_the_person_says_otherwise(
    open_browser: Window, serve: Serve, home: Home
) -> None:
    page = open_browser(scheme="dark")
    page.goto(serve(home) + "/signals")
    dark = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    page.locator('[popovertarget="preferences"]').first.click()
    page.locator("#set-theme").select_option("light")
    page.locator("#preferences .primary").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") != dark


def test_forced_colours_keep_states_and_severities_apart(page: Page, serve: Serve, example_company: Home) -> None:
    page.emulate_media(forced_colors="active")
    page.goto(serve(example_company) + "/signals")
    border = page.locator("#signals .pill").first.evaluate("e => getComputedStyle(e).borderTopStyle")
    assert border == "solid"


def test_nothing_moves_for_who_wants_no_motion(page: Page, serve: Serve, example_company: Home) -> None:
    page.goto(serve(example_company) + "/signals")
    length = "e => parseFloat(getComputedStyle(e, '::after').animationDuration)"
    assert page.locator("#progress").evaluate(length) < 0.001, "seconds"
    page.emulate_media(reduced_motion="no-preference")
    assert page.locator("#progress").evaluate(length) > 1


def test_a_setting_is_reviewed_before_it_is_kept(open_browser: Window, serve: Serve, home: Home) -> None:
    page = open_browser(width=390, scheme="dark")
    page.goto(serve(home) + "/settings")
    page.get_by_label("Hours for critical").fill("8")
    page.get_by_role("button", name="Review the changes").click()
    expect(page.locator("ins")).to_have_text("8")
    assert violations(page) == []
    page.get_by_role("button", name="Save").press("Enter")
    expect(page.get_by_label("Hours for critical")).to_have_value("8")
    expect(page.locator("#notices")).to_contain_text("1 setting is kept.")
