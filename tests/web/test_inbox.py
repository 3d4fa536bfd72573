"""The inbox: ranked, filtered by its address, its counts one and the same everywhere."""

import re
from decimal import Decimal

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event, select

from store import operational
from store.operational_tables import Signal, SignalImpact
from tests.web.company import NOW, Home
from tests.web.reading import Page, act, get, labels, text
from web.console import KEY


def test_every_fault_of_the_company_is_in_the_inbox(client: FlaskClient) -> None:
    html = get(client, "/signals")
    for code in ("TU-02", "TU-13", "TU-19", "TU-20", "TU-22", "TU-34", "TU-39", "TU-40", "TU-59"):
        assert code in html


def test_drafts_about_to_become_final_come_first_then_money(client: FlaskClient, home: Home) -> None:
    with operational.reading(home.engine()) as session:
        found = session.scalars(select(Signal)).all()
        urgent = {one.label for one in found if one.finalizes_at and (one.finalizes_at - NOW).days == 0}
        amounts = {one.label: one.rank_amount for one in found}
    listed = labels(get(client, "/signals"))
    assert urgent
    assert set(listed[: len(urgent)]) == urgent
    rest = [amounts[label] for label in listed[len(urgent) :]]
    assert rest == sorted(rest, reverse=True)


def test_the_page_says_how_it_is_ranked(client: FlaskClient) -> None:
    assert "ranked by drafts about to become final, then money at risk" in text(get(client, "/signals"))
    assert 'aria-sort="descending"' in get(client, "/signals?sort=severity")


def test_the_next_bill_run_is_counted_down_to_once_the_books_are_near(home: Home) -> None:
    app = home.app()
    assert "next bill run <a" not in get(app.test_client(), "/signals")
    near = app.extensions[KEY].warehouse.near
    near.gather()
    html = get(app.test_client(), "/signals")
    near.close()
    (run, left) = re.findall(r'next bill run <a href="(/bill-runs/[^"]+)"><strong>(.*?)</strong>', html)[0]
    assert text(left).startswith("in ")
    assert re.search(r"\(\w+, [\d,]+ drafts?\)", text(html))
    assert "Still drafts" in text(get(app.test_client(), "/bill-runs"))
    assert get(app.test_client(), run)


def test_a_filter_stands_in_the_address_and_can_be_taken_away(client: FlaskClient) -> None:
    html = get(client, "/signals?sev=critical&cat=pricing&q=charged")
    assert labels(html)
    assert all(word in text(html) for word in ("Severity: Critical", "Category: Pricing", "Text: charged"))
    without = [link["href"] for link in Page(html).all("a", class_="chip")]
    assert "/signals?q=charged&cat=pricing" in [address.replace("&amp;", "&") for address in without]


def test_filters_narrow_and_together_narrow_more(client: FlaskClient) -> None:
    everything = set(labels(get(client, "/signals")))
    critical = set(labels(get(client, "/signals?sev=critical")))
    pricing = set(labels(get(client, "/signals?cat=pricing")))
    both = set(labels(get(client, "/signals?sev=critical&cat=pricing")))
    assert both == critical & pricing
    assert both < critical < everything


def test_every_count_is_what_its_link_lists(client: FlaskClient) -> None:
    html = get(client, "/signals")
    tabs = re.findall(r'<a [^>]*href="([^"]+)"[^>]*>[^<]+<span class="count">([\d,]+)</span></a>', html)
    facets = re.findall(r'<a [^>]*href="([^"]+)"[^>]*><span>[^<]*</span><span class="soft">([\d,]+)</span></a>', html)
    assert len(tabs) >= 5
    assert len(facets) >= 10
    for address, count in [*tabs, *facets]:
        assert len(labels(get(client, address.replace("&amp;", "&")))) == int(count), address


def test_the_headline_counts_what_the_list_holds(client: FlaskClient) -> None:
    html = get(client, "/signals?sev=critical")
    assert f"<h1>{len(labels(html))} signals open</h1>" in html


def test_the_headline_of_what_is_snoozed_says_so(client: FlaskClient) -> None:
    assert "<h1>0 signals snoozed</h1>" in get(client, "/signals?view=snoozed")


def test_a_group_by_rule_is_called_as_the_rule_is(client: FlaskClient) -> None:
    assert re.search(r">TU-\d\d [A-Z][a-z]+", get(client, "/signals?group=rule"))


def test_money_is_shown_per_currency_and_exact(client: FlaskClient, home: Home) -> None:
    html = text(get(client, "/signals"))
    with operational.reading(home.engine()) as session:
        impacts = session.scalars(select(SignalImpact)).all()
    sums: dict[str, Decimal] = {}
    for impact in impacts:
        sums[impact.currency] = sums.get(impact.currency, Decimal(0)) + impact.under
    for currency, amount in sums.items():
        if amount:
            places = {"JPY": 0, "KWD": 3}.get(currency, 2)
            assert f"{amount:,.{places}f} {currency}" in html


def test_groups_hold_every_signal_once(client: FlaskClient) -> None:
    total = len(labels(get(client, "/signals")))
    for group in ("cause", "customer", "rule"):
        html = get(client, f"/signals?group={group}")
        counts = re.findall(r'<td class="records number">([\d,]+)</td>', html)
        assert sum(int(count) for count in counts) == total


def test_a_group_leads_to_its_signals(client: FlaskClient) -> None:
    html = get(client, "/signals?group=rule")
    first = re.search(r'<a [^>]*data-open href="([^"]+)"', html)
    assert first
    assert labels(get(client, first[1].replace("&amp;", "&")))


def test_pages_follow_one_another_without_gap_or_repeat(many_signals: Home) -> None:
    client = many_signals.app().test_client()
    seen: list[str] = []
    address = "/signals"
    for _ in range(10):
        html = get(client, address)
        seen += labels(html)
        following = re.search(r'rel="next" href="([^"]+)"', html)
        if not following:
            break
        address = following[1].replace("&amp;", "&")
    assert len(seen) == len(set(seen)) == 130


@pytest.mark.parametrize(
    "address", ["/signals?view=nope", "/signals?sort=nope", "/signals?after=nope", "/signals?status=x"]
)
def test_a_filter_that_does_not_exist_is_named(client: FlaskClient, address: str) -> None:
    html = get(client, address, 400)
    assert "This list cannot be shown" in html


def test_text_finds_a_customer_a_record_and_a_signal(client: FlaskClient, home: Home) -> None:
    with operational.reading(home.engine()) as session:
        one = session.scalars(select(Signal).where(Signal.customer_name.is_not(None)).order_by(Signal.id)).first()
        assert one
        assert one.customer_name
        wanted = (one.label, one.customer_name, one.cause_id)
    for word in wanted:
        assert one.label in labels(get(client, f"/signals?q={word}"))


def test_nothing_loaded_yet_says_what_to_do(empty_company: Home) -> None:
    html = text(get(empty_company.app().test_client(), "/signals"))
    assert "There is no data yet" in html
    assert "trueup import DIR" in html


def test_filters_that_exclude_everything_are_not_mistaken_for_nothing_wrong(client: FlaskClient) -> None:
    html = text(get(client, "/signals?q=nosuchthing"))
    assert "No signal matches these filters" in html
    assert "No open signals" not in html


def test_nothing_wrong_is_shown_with_its_proof(client: FlaskClient) -> None:
    act(client, "/signals/act", deed="dismiss", reason="expected", all="1")
    html = text(get(client, "/signals"))
    assert "No open signals" in html
    assert re.search(r"\d+ rules ran 12 min ago over [\d,]+ rows", html)


def test_a_source_that_failed_is_named_where_the_signals_are(hostile_company: Home) -> None:
    html = text(get(hostile_company.app().test_client(), "/signals"))
    assert "files failed 5 min ago" in html


@pytest.mark.parametrize(
    ("address", "most"), [("/signals", 45), ("/signals?group=cause", 75), ("/rules", 15), ("/data", 8)]
)
def test_the_number_of_statements_does_not_grow_with_the_list(many_signals: Home, address: str, most: int) -> None:
    app = many_signals.app()
    statements: list[str] = []
    engine = app.extensions["trueup"].engine
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    get(app.test_client(), address)
    assert len(statements) <= most


def test_the_first_three_steps_are_shown_until_they_were_read_and_once_more_when_asked_for(client: FlaskClient) -> None:
    assert "Look What is lost first stands first" in text(get(client, "/signals"))
    act(client, "/preferences/tour", tour="done")
    act(client, "/preferences", who="Ana", theme="dark")
    assert "What is lost first stands first" not in text(get(client, "/signals")), "other preferences leave it as it is"
    act(client, "/preferences/tour", tour="open")
    html = get(client, "/signals")
    assert "What is lost first stands first" in text(html)
    assert 'data-theme="dark"' in html


def test_there_are_no_steps_where_there_is_nothing_to_look_at(empty_company: Home) -> None:
    assert "The first three steps" not in text(get(empty_company.app().test_client(), "/signals")).split("Keyboard")[0]
