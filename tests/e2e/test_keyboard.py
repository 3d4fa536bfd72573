"""Triage by keyboard alone: real focus moves, selections count their money, every change can be taken back."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.axe import violations
from tests.e2e.conftest import Serve
from tests.web.company import Home

pytestmark = pytest.mark.e2e
Window = Callable[..., Page]


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.id || document.activeElement.tagName"))


def rows(page: Page) -> list[str]:
    return [str(row.get_attribute("id")) for row in page.locator("#signals tbody tr").all()]


@pytest.fixture
def inbox(page: Page, serve: Serve, home: Home) -> Page:
    page.goto(serve(home) + "/signals")
    page.locator("#signals tbody tr").first.wait_for()
    return page


def test_j_and_k_move_the_focus_itself(inbox: Page) -> None:
    listed = rows(inbox)
    inbox.keyboard.press("j")
    assert focused(inbox) == listed[0]
    inbox.keyboard.press("j")
    inbox.keyboard.press("j")
    assert focused(inbox) == listed[2]
    inbox.keyboard.press("k")
    assert focused(inbox) == listed[1]
    assert inbox.locator("#signals tbody tr[tabindex='0']").count() == 1


def test_selecting_counts_the_money_per_currency(inbox: Page) -> None:
    inbox.keyboard.press("j")
    inbox.keyboard.press("x")
    bar = inbox.locator(".selected output")
    amount = inbox.locator("#signals tbody tr td.amount").first.inner_text().splitlines()[0].replace("\u00a0", " ")
    expect(bar).to_contain_text("1 selected")
    expect(bar).to_contain_text(amount)
    for _ in range(3):
        inbox.keyboard.press("j")
    inbox.keyboard.press("Shift+X")
    expect(bar).to_contain_text("4 selected")
    inbox.keyboard.press("Escape")
    expect(bar).to_be_hidden()


def test_the_bar_for_the_selection_covers_no_row(inbox: Page) -> None:
    inbox.locator("[data-all]").check()
    inbox.mouse.wheel(0, 5000)
    last = inbox.locator("#signals tbody tr").last.bounding_box()
    bar = inbox.locator(".selected").bounding_box()
    assert last
    assert bar
    assert last["y"] + last["height"] <= bar["y"]


def test_assign_and_take_it_back_without_touching_the_mouse(inbox: Page) -> None:
    inbox.keyboard.press("j")
    inbox.keyboard.press("j")
    row = focused(inbox)
    inbox.keyboard.press("a")
    expect(inbox.locator("#bulk-assign")).to_be_visible()
    inbox.keyboard.type("Ana Ruiz")
    inbox.keyboard.press("Enter")
    expect(inbox.locator(f"#{row} .who")).to_have_text("Ana Ruiz")
    expect(inbox.locator("#notices")).to_contain_text("1 signal assigned to Ana Ruiz.")
    expect(inbox.locator(f"#{row}")).to_be_focused()
    assert inbox.locator(f"#{row} input").is_checked(), "the selection survives the change"
    inbox.keyboard.press("z")
    expect(inbox.locator(f"#{row} .who")).to_have_text("–")
    expect(inbox.locator("#notices")).to_contain_text("Undone.")


def test_dismiss_with_a_reason_and_go_on_with_the_next(inbox: Page) -> None:
    listed = rows(inbox)
    inbox.keyboard.press("j")
    inbox.keyboard.press("d")
    expect(inbox.locator("#bulk-dismiss")).to_be_visible()
    inbox.keyboard.press("ArrowDown")
    inbox.keyboard.press("Tab")
    inbox.keyboard.type("seen by hand")
    inbox.keyboard.press("Enter")
    expect(inbox.locator(f"#{listed[0]}")).to_have_count(0)
    expect(inbox.locator("#notices")).to_contain_text("False positive")
    expect(inbox.locator(f"#{listed[1]}")).to_be_focused()


def test_resolve_asks_what_it_was_and_why_no_run_has_to_confirm_it(inbox: Page) -> None:
    listed = rows(inbox)
    inbox.keyboard.press("j")
    inbox.keyboard.press("e")
    inbox.keyboard.type("price fixed")
    inbox.keyboard.press("Enter")
    expect(inbox.locator("#notices")).to_contain_text("is not verified")
    inbox.keyboard.press("e")
    inbox.keyboard.type("price fixed")
    inbox.keyboard.press("Tab")
    inbox.keyboard.type("checked by hand")
    inbox.keyboard.press("Enter")
    expect(inbox.locator(f"#{listed[0]}")).to_have_count(0)


def test_open_go_through_the_list_and_come_back_to_it(inbox: Page) -> None:
    inbox.goto(inbox.url + "?sev=critical")
    listed = rows(inbox)
    inbox.keyboard.press("j")
    inbox.keyboard.press("o")
    expect(inbox).to_have_url(re.compile(f"/signals/{listed[0]}$"))
    expect(inbox.locator("[data-place]")).to_have_text(f"1 of {len(listed)}")
    inbox.keyboard.press("]")
    expect(inbox).to_have_url(re.compile(f"/signals/{listed[1]}$"))
    inbox.keyboard.press("[")
    expect(inbox).to_have_url(re.compile(f"/signals/{listed[0]}$"))
    inbox.locator("a[data-home]").click()
    expect(inbox).to_have_url(re.compile(r"/signals\?sev=critical$"))


def test_jump_to_any_id(inbox: Page) -> None:
    inbox.keyboard.press("/")
    expect(inbox.locator("#jump")).to_be_focused()
    inbox.keyboard.type("sig-2")
    inbox.keyboard.press("Enter")
    expect(inbox).to_have_url(re.compile("/signals/SIG-2$"))


def test_the_list_of_keys_and_going_elsewhere(inbox: Page) -> None:
    inbox.keyboard.press("?")
    expect(inbox.locator("#keys")).to_be_visible()
    inbox.keyboard.press("Escape")
    expect(inbox.locator("#keys")).to_be_hidden()
    inbox.keyboard.press("g")
    inbox.keyboard.press("r")
    expect(inbox).to_have_url(re.compile("/rules$"))


def test_single_keys_can_be_turned_off(inbox: Page) -> None:
    inbox.locator('[popovertarget="preferences"]').first.click()
    inbox.locator("#set-keys").select_option("off")
    inbox.locator("#preferences .primary").click()
    expect(inbox.locator("html")).to_have_attribute("data-keys", "off")
    inbox.keyboard.press("j")
    inbox.keyboard.press("?")
    assert focused(inbox) == "BODY"
    expect(inbox.locator("#keys")).to_be_hidden()


def test_keys_typed_into_a_field_are_text(inbox: Page) -> None:
    inbox.locator("#search").click()
    inbox.keyboard.type("jxde")
    expect(inbox.locator("#search")).to_have_value("jxde")
    expect(inbox).to_have_url(re.compile("q=jxde"))


def test_everything_can_be_reached_by_tab_alone(inbox: Page) -> None:
    reached = []
    for _ in range(40):
        inbox.keyboard.press("Tab")
        reached.append(inbox.evaluate("(e => e.id || e.textContent.trim() || e.name)(document.activeElement)"))
    assert reached[0] == "Skip to the content"
    assert "jump" in reached
    assert "search" in reached
    assert "Filter" in reached
    assert rows(inbox)[0] in reached


def test_space_looks_at_the_row_beside_the_list_and_follows_the_focus(
    page: Page, serve: Serve, example_company: Home
) -> None:
    page.goto(serve(example_company) + "/signals")
    page.locator("#signals tbody tr").first.focus()
    page.keyboard.press("Space")
    peek = page.locator("#peek:popover-open")
    peek.wait_for()
    first = peek.locator("h2").inner_text()
    assert violations(page) == []
    page.keyboard.press("j")
    expect(peek.locator("h2")).not_to_have_text(first)
    assert page.locator("#signals tbody tr:focus").count() == 1
    page.keyboard.press("Escape")
    expect(page.locator("#peek")).to_be_hidden()


def test_thirty_signals_are_triaged_by_keyboard_alone(
    page: Page, serve: Serve, many_signals: Home, tmp_path: Path
) -> None:
    home = many_signals.copy(tmp_path / "home")
    page.goto(serve(home) + "/signals")
    open_before = int(page.locator("#view-inbox .count").inner_text())
    page.keyboard.press("j")
    gone = 0
    for number in range(30):
        expect(page.locator("#signals tbody tr:focus")).to_have_count(1)
        row = focused(page)
        assert row.startswith("SIG-"), "the focus is on a row whatever was done to the one before"
        match number % 3:
            case 0:  # takes it out of the list; the focus goes on to the next
                page.keyboard.press("d")
                expect(page.locator("#signals tbody tr:focus")).to_have_count(0)
                page.keyboard.press("Enter")
                expect(page.locator(f"#{row}")).to_have_count(0)
                gone += 1
            case 1:
                page.keyboard.press("a")
                expect(page.locator("#signals tbody tr:focus")).to_have_count(0)
                page.keyboard.type("Ana Ruiz")
                page.keyboard.press("Enter")
                expect(page.locator(f"#{row} .who")).to_have_text("Ana Ruiz")
                expect(page.locator(f"#{row}:focus")).to_have_count(1)
                page.keyboard.press("x")
                page.keyboard.press("j")
            case 2:
                page.keyboard.press("h")
                expect(page.locator("#signals tbody tr:focus")).to_have_count(0)
                page.keyboard.press("Enter")
                expect(page.locator(f"#{row}")).to_have_count(0)
                gone += 1
    expect(page.locator("#view-inbox .count")).to_have_text(str(open_before - gone))
    page.keyboard.press("z")
    expect(page.locator("#view-inbox .count")).to_have_text(str(open_before - gone + 1))


def test_two_signals_are_merged_and_split_by_keyboard(page: Page, serve: Serve, home: Home) -> None:
    page.goto(serve(home) + "/signals")
    before = page.locator("#signals tbody tr").count()
    page.locator("#signals tbody tr").first.focus()
    for key in ("x", "j", "x", "m"):
        page.keyboard.press(key)
    page.locator("#bulk-why").fill("one price")
    page.keyboard.press("Enter")
    expect(page.locator("#signals tbody tr")).to_have_count(before - 1)
    page.keyboard.press("z")
    expect(page.locator("#signals tbody tr")).to_have_count(before)
    for place in (0, 1):
        page.locator("#signals tbody tr input[name=id]").nth(place).check()
    page.locator("#signals tbody tr").first.focus()
    page.keyboard.press("m")
    page.locator("#bulk-why").fill("one price after all")
    page.keyboard.press("Enter")
    expect(page.locator("#signals tbody tr")).to_have_count(before - 1)
    page.locator("#signals tbody tr").first.focus()
    page.keyboard.press("o")
    page.get_by_role("button", name="Split this one off").press("Enter")
    expect(page.locator("#timeline")).to_contain_text("Split off its case")


def test_the_first_steps_are_read_and_put_away_by_keyboard(inbox: Page) -> None:
    for _ in range(30):
        inbox.keyboard.press("Tab")
        if inbox.evaluate("document.activeElement.textContent") == "Got it":
            break
    assert violations(inbox) == []
    inbox.keyboard.press("Enter")
    expect(inbox.locator("#tour")).to_have_count(0)
    inbox.reload()
    expect(inbox.locator("#tour")).to_have_count(0)
