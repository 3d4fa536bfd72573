"""Rules with their dry run, data, and the records that a signal leads to."""

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from store import operational
from store.operational_tables import Job
from tests.web.company import Home
from tests.web.reading import act, get, labels, text, token


def test_every_rule_is_listed_with_its_last_run_and_its_open_signals(client: FlaskClient) -> None:
    html = text(get(client, "/rules"))
    assert re.search(
        r"TU-19 Wrong tier mode .* Critical Pricing Exact every hour, when drafts come in 12 min ago", html
    )


def test_rules_are_listed_with_how_often_they_were_right_the_least_precise_first(client: FlaskClient) -> None:
    code = "TU-19"
    html = get(client, f"/signals?code={code}")
    number = labels(html)[0].removeprefix("SIG-")
    act(client, "/signals/act", deed="dismiss", id=number, reason="false_positive")
    listed = get(client, "/rules?sort=precision")
    first = listed.partition("<tbody>")[2].partition("</tr>")[0]
    assert code in first
    assert "0 of 1" in text(first)
    assert code not in get(client, "/rules").partition("<tbody>")[2].partition("</tr>")[0]
    assert "use one of code, precision" in text(get(client, "/rules?sort=money", 400))


def test_data_shows_sources_tables_and_loads(client: FlaskClient) -> None:
    html = text(get(client, "/data"))
    assert re.search(r"files Ok 20 min ago [\d,]+ inserted /data/books", html)
    assert re.search(r"Usage events [\d,]+ just now", html)
    assert "Import files" in html


def test_data_before_anything_was_loaded(empty_company: Home) -> None:
    html = text(get(empty_company.app().test_client(), "/data"))
    assert "Nothing has been loaded yet" in html


def test_a_failed_load_is_named_with_its_reason(hostile_company: Home) -> None:
    html = text(get(hostile_company.app().test_client(), "/data"))
    assert "files Failed" in html
    assert "usage.csv row 3" in html


@pytest.fixture
def invoice(client: FlaskClient) -> str:
    found = re.search(r'href="(/invoices/[^"]+)"', get(client, "/signals/SIG-3"))
    assert found
    return get(client, found[1])


def test_an_invoice_leads_to_its_customer_subscription_lines_and_payments(client: FlaskClient, invoice: str) -> None:
    for kind in ("customers", "subscriptions", "lines"):
        found = re.search(rf'href="(/{kind}/[^"]+)"', invoice)
        assert found, kind
        get(client, found[1])
    assert "Open signals that name this invoice" in text(invoice)


def test_a_line_shows_how_its_amount_comes_about(client: FlaskClient, invoice: str) -> None:
    found = re.search(r'href="(/lines/[^"]+)"', invoice)
    assert found
    html = text(get(client, found[1]))
    assert "Four numbers" in html
    assert "Expected and billed" in html
    assert "How the expected amount comes about" in html


def test_usage_of_an_item_by_day_and_event_by_event(client: FlaskClient) -> None:
    listed = get(client, "/signals?code=TU-06")
    spike = get(client, re.findall(r'href="(/signals/SIG-\d+)"', listed)[0])
    item = re.findall(r'href="(/usage\?item=[^"]+)"', spike)[0]
    html = get(client, item)
    assert '<path class="actual" d="M' in html
    assert re.search(r'href="/records/usage_event/', html)
    narrow = text(get(client, f"{item}&from=2026-10-01&to=2026-10-08"))
    assert "1–7 Oct 2026" in narrow


def test_what_does_not_exist_is_a_404_with_a_search(client: FlaskClient) -> None:
    for address in ("/invoices/in_none", "/customers/none", "/subscriptions/none", "/usage?item=none",
                    "/records/price/none", "/records/nokind/x", "/lines/none", "/rules/none"):  # fmt: skip
        assert 'action="/jump"' in get(client, address, 404)


def test_jumping_to_an_id_leads_straight_to_it(client: FlaskClient, invoice: str) -> None:
    number = re.search(r"<h1>Invoice ([^<]+)</h1>", invoice)
    assert number
    assert client.get(f"/jump?q={number[1]}").location.startswith("/invoices/")
    assert client.get("/jump?q=sig-1").location == "/signals/SIG-1"
    assert client.get("/jump?q=wrong_tier_mode").location == "/rules/wrong_tier_mode"
    assert "Nothing has that ID" in get(client, "/jump?q=nosuchthing", 404)


def test_the_console_opens_on_the_inbox(client: FlaskClient) -> None:
    assert client.get("/").location == "/signals"


def test_a_broken_page_says_so_with_its_request_and_tells_nothing_else(home: Home) -> None:
    app = home.app()
    app.view_functions["rules.listed"] = lambda: str(1 / 0)
    answer = app.test_client().get("/rules", headers={"X-Request-ID": "abcdef123456"})
    html = answer.get_data(as_text=True)
    assert answer.status_code == 500
    assert "Something went wrong on our side" in html
    assert "abcdef123456" in html
    assert "ZeroDivisionError" not in html


def test_books_that_cannot_be_read_leave_the_signals_readable(home: Home) -> None:
    (home.folder / "catalog.sqlite").unlink()
    (home.folder / "catalog.sqlite").write_text("not a catalog")
    client = home.app().test_client()
    get(client, "/signals")
    html = get(client, "/data", 503)
    assert "The books cannot be read right now" in html
    assert "trueup doctor" in html


def test_a_reset_of_preferences_ignores_what_is_not_offered(client: FlaskClient) -> None:
    data = {"csrf_token": token(get(client, "/signals")), "back": "/data", "theme": "pink", "who": "  A\n B  "}
    answer = client.post("/preferences", data=data)
    assert answer.location == "/data"
    html = get(client, "/data")
    assert 'data-theme="auto"' in html
    assert 'value="A B"' in html


def test_work_is_asked_for_once_and_a_worker_finds_it(client: FlaskClient, home: Home) -> None:
    for _ in range(2):
        act(client, "/jobs", "/rules", kind="run")
    act(client, "/jobs", "/rules/wrong_tier_mode", kind="run", name="wrong_tier_mode")
    with operational.reading(home.engine()) as session:
        assert [job.args for job in session.scalars(select(Job))] == [{"rules": []}, {"rules": ["wrong_tier_mode"]}]
    assert "Run of everything, asked for by console just now : Queued" in text(get(client, "/rules"))
    assert "Run of wrong_tier_mode, asked for by console just now : Queued" in text(
        get(client, "/rules/wrong_tier_mode")
    )
    act(client, "/jobs", "/rules", kind="run", name="no_such_rule")
    assert "There is no such work to ask for." in get(client, "/rules")


def test_a_source_is_synced_on_request(many_signals: Home, tmp_path: Path) -> None:
    home = many_signals.copy(tmp_path / "home")
    client = home.app().test_client()
    assert "Sync all now" in get(client, "/data")
    act(client, "/jobs", "/data", kind="sync")
    assert "Sync of everything, asked for by console just now : Queued" in text(get(client, "/data"))


def test_an_invoice_shows_what_its_lines_should_be_and_whether_it_adds_up(invoice: str) -> None:
    html = text(invoice)
    assert re.search(r"Expected Billed Difference .* none", html)
    assert re.search(r"Subtotal [\d,.]+ [A-Z]{3} [\d,.]+ [A-Z]{3} .*the amounts of \d+ line", html)
    assert "It adds up." in html


@pytest.fixture
def usage_line(client: FlaskClient) -> str:
    """The address of a line whose tiers were taken the wrong way."""
    found = re.search(r'href="(/lines/[^"?#]+)"', get(client, re.findall(
        r'href="(/signals/SIG-\d+)"', get(client, "/signals?code=TU-19"))[0]))  # fmt: skip
    assert found
    return found[1]


def test_a_line_is_worked_out_under_other_terms_by_a_form_without_scripts(client: FlaskClient, usage_line: str) -> None:
    page = get(client, usage_line)
    assert re.search(r'<form method="get" action="#what-if">', page)
    html = text(get(client, f"{usage_line}?quantity=0&price.model=per_unit&price.unit_amount=0.02&price.flat_amount="))
    assert re.search(r"What if 0\.?0* [A-Z]{3} The change makes it [\d,.]+ [A-Z]{3} cheaper", html)
    assert "0 units, as set" in html


def test_what_cannot_be_worked_out_is_told_in_one_line_and_keeps_the_form(client: FlaskClient, usage_line: str) -> None:
    page = get(client, f"{usage_line}?quantity=many&price.free_units=5")
    assert "quantity=many is not a number" in text(page)
    assert 'value="many"' in page and 'value="5"' in page
    assert "There is no" not in text(get(client, f"{usage_line}?plan_version=99"))


def test_terms_that_cannot_be_rated_are_named(client: FlaskClient, usage_line: str) -> None:
    html = text(get(client, f"{usage_line}?price.tiers=%5B%7B%22up_to%22:5,%22unit_amount%22:1%7D%5D"))
    assert "Under these terms it cannot be rated: the price's last tier has an end" in html
