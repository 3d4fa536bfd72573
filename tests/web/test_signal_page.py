"""A signal's page: what went wrong, the numbers that show it, every record, what to do."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from detector.decisions import Policy
from detector.signals import fold
from store import operational
from store.operational_tables import Signal, SignalEntity
from tests.web.company import NOW, RATES, Home, _line, _run, _Told
from tests.web.reading import Page, get, text


def label_of(home: Home, code: str) -> str:
    with operational.reading(home.engine()) as session:
        return session.scalars(select(Signal).where(Signal.code == code)).one().label


def page_of(client: FlaskClient, home: Home, code: str, query: str = "") -> str:
    return get(client, f"/signals/{label_of(home, code)}{query}")


def test_the_head_says_how_bad_it_is_and_what_it_costs(client: FlaskClient, home: Home) -> None:
    html = text(page_of(client, home, "TU-19"))
    assert re.search(r"Critical Unhandled Pricing .* TU-19 Wrong tier mode", html)
    assert re.search(r"(Underbilled|Overbilled) [\d,.]+ [A-Z]{3}", html)
    assert "Confidence Exact worked out from the records" in html


def test_a_sentence_says_what_went_wrong(client: FlaskClient, home: Home) -> None:
    html = text(page_of(client, home, "TU-19"))
    assert re.search(
        r"was billed [\d,.]+ [A-Z]{3} for [\d,.]+ units of .*, as (volume|graduated) tiers make it\.", html
    )


def test_every_fault_of_the_company_has_a_sentence_of_its_own(client: FlaskClient, home: Home) -> None:
    with operational.reading(home.engine()) as session:
        found = session.scalars(select(Signal)).all()
    assert len({one.code for one in found}) >= 14
    for one in found:
        html = get(client, f"/signals/{one.label}")
        said = re.search(r'<p class="why">(.*?)</p>', html, re.DOTALL)
        assert said
        assert text(said[1]).rstrip(".") != one.title.rstrip("."), one.code
        assert "None" not in said[1]


def test_the_four_numbers_stand_side_by_side_and_say_where_they_part(client: FlaskClient, home: Home) -> None:
    html = page_of(client, home, "TU-19")
    assert re.findall(r'<div class="cell[^"]*"><h3[^>]*>(\w+)</h3>', html) == [
        "Metered", "Recorded", "Billed", "Expected",
    ]  # fmt: skip
    assert re.findall(r'<div class="joint (\w+)">', html) == ["equal", "equal", "parted"]
    assert "The usage agrees all the way; only the amount differs." in html


@pytest.mark.parametrize(
    ("code", "joints", "meaning"),
    [
        ("TU-13", "parted", "Usage was lost or doubled between the product and the billing system"),
        ("TU-39", "parted", "There was something to bill, and no line bills it."),
        ("TU-34", "parted", "The invoice contradicts its own lines and payments; what was used plays no part in it."),
    ],
)
def test_what_the_parting_means_depends_on_where_it_is(
    client: FlaskClient, home: Home, code: str, joints: str, meaning: str
) -> None:
    html = page_of(client, home, code)
    assert f'class="joint {joints}"' in html
    assert meaning in html


def test_the_difference_is_shown_tier_by_tier_and_adds_up(client: FlaskClient, home: Home) -> None:
    html = text(page_of(client, home, "TU-19", "?show=working"))
    assert "Expected and billed, tier by tier" in html
    assert re.search(r"[\d,]+ [\d,]+ [\d,.]+ [A-Z]{3} × [\d.]+", html)
    assert "The billed amount is exactly what this gives: the tiers taken as" in html


def test_the_page_fetches_the_working_by_itself_and_shows_it_at_once_the_next_time(
    client: FlaskClient, home: Home
) -> None:
    html = page_of(client, home, "TU-22")
    address = re.search(r'hx-get="([^"]+/working[^"]*)"', html)
    assert address
    assert "Show how the amount comes about" in html
    assert "Expected and billed" in get(client, address[1])
    again = page_of(client, home, "TU-22")
    assert "/working" not in again
    assert '<table class="tiers">' in again


@pytest.mark.parametrize(
    ("code", "title"),
    [
        ("TU-06", "Usage by day"),
        ("TU-39", "Expected and billed, period by period"),
    ],
)
def test_the_chart_fits_the_rule_and_has_a_table_that_says_the_same(
    client: FlaskClient, home: Home, code: str, title: str
) -> None:
    html = page_of(client, home, code, "?show=working")
    assert f'<h2 id="chart">{title}</h2>' in html
    assert f'aria-label="{title} as a table"' in html


def test_a_spike_is_marked_in_its_chart(client: FlaskClient, home: Home) -> None:
    html = page_of(client, home, "TU-06", "?show=working")
    assert re.search(r'<circle cx="[\d.]+%" cy="[\d.]+%" r="4"><title>\d+ \w+ 2026: [\d,.]+', html)


def test_every_record_is_listed_with_a_page_of_its_own(client: FlaskClient, home: Home) -> None:
    label = label_of(home, "TU-19")
    html = get(client, f"/signals/{label}")
    with operational.reading(home.engine()) as session:
        records = session.scalars(select(SignalEntity).where(SignalEntity.signal_id == int(label[4:]))).all()
        wanted = [(one.entity_id, one.type) for one in records][:50]
    for entity, _ in wanted:
        assert entity in html
    for link in {link["href"] for link in Page(html).all("a") if entity_link(link["href"])}:
        get(client, link)


def entity_link(address: str) -> bool:
    return address.startswith(("/records/", "/invoices/", "/customers/", "/subscriptions/", "/lines/", "/usage"))


def test_a_thousand_records_are_paged_by_fifty_and_filtered(hostile_company: Home) -> None:
    client = hostile_company.app().test_client()
    label = many_records(hostile_company)
    html = get(client, f"/signals/{label}")
    assert html.count('<td class="name"') == 50
    seen = set(re.findall(r">(ev_\d{4})<", html))
    for _ in range(25):
        following = re.search(r'rel="next" href="([^"]+)"', html)
        if not following:
            break
        html = get(client, following[1].replace("&amp;", "&").split("#")[0])
        seen |= set(re.findall(r">(ev_\d{4})<", html))
    assert len(seen) == 1000
    assert text(get(client, f"/signals/{label}?find=ev_0777")).count("ev_0777") >= 1
    assert "ev_" not in text(get(client, f"/signals/{label}?type=invoice"))


def many_records(home: Home) -> str:
    with operational.reading(home.engine()) as session:
        return session.scalars(select(Signal).order_by(Signal.entity_count.desc())).first().label  # type: ignore[union-attr]


def test_the_playbook_says_what_to_change_and_what_is_then_true(client: FlaskClient, home: Home) -> None:
    html = text(page_of(client, home, "TU-19"))
    for heading in ("First, stop it from getting worse", "Change what made it happen", "See that it worked"):
        assert heading in html
    assert "Run this rule again for the same period." in html


def test_the_query_the_snapshot_and_the_row_behind_it_are_there(client: FlaskClient, home: Home) -> None:
    html = page_of(client, home, "TU-19")
    assert "FROM price_differences" in html
    assert re.search(r"<dt[^>]*>Snapshot</dt><dd>\d+</dd>", html)
    assert "<dt>other_mode</dt>" in html


def test_similar_signals_say_why_they_are_similar(many_signals: Home) -> None:
    html = text(get(many_signals.app().test_client(), "/signals/SIG-1"))
    assert "same rule" in html


def test_a_signal_with_several_findings_lets_them_be_walked(client: FlaskClient, home: Home) -> None:
    label = label_of(home, "TU-39")
    first = get(client, f"/signals/{label}")
    following = re.search(r'<a href="([^"]*finding=\d+)">Smaller</a>', first)
    assert following
    assert "number 2 of" in text(get(client, following[1]))


def test_a_signal_that_does_not_exist_offers_a_search(client: FlaskClient) -> None:
    html = get(client, "/signals/SIG-99999", 404)
    assert 'action="/jump"' in html
    assert 'value="SIG-99999"' in html


def test_hostile_names_are_text(hostile_company: Home) -> None:
    client = hostile_company.app().test_client()
    for address in ("/signals", "/signals?group=customer", "/signals/SIG-1", "/signals/SIG-2", "/data"):
        html = get(client, address)
        assert "<script>alert" not in html
        assert "<img src=x" not in html
        assert ">49<" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in get(client, "/signals")


def test_amounts_of_twelve_digits_are_exact(hostile_company: Home) -> None:
    html = text(get(hostile_company.app().test_client(), "/signals"))
    assert "987,654,321,098.75 USD" in html
    assert "987,654,321,097 JPY" in html
    assert "98,765,432,109.875 KWD" in html


def test_what_another_rule_saw_is_listed_and_leads_to_its_closed_signal(empty_company: Home, tmp_path: Path) -> None:
    home = empty_company.copy(tmp_path / "covering")
    spike = replace(_Told(), name="usage_spike", code="TU-06")
    found = _line(4, 1)
    with operational.writing(home.engine()) as session:
        for rule, covers in ((spike, ()), (_Told(), ("TU-06",))):
            run = _run(rule.name)
            session.add(run)
            session.flush()
            said = replace(found, rule=rule.name, title=f"{rule.code} on il_4")
            fold(session, run, replace(rule, covers=covers), [said], now=NOW, policy=Policy(rates=RATES))
    client = home.app().test_client()
    closed, speaking = labels_of(home, "usage_spike"), labels_of(home, "duplicate_events")
    html = text(get(client, f"/signals/{speaking}"))
    assert "Also seen by evidence; none of it is added to the money TU-06 on il_4" in html
    assert f"TU-06 Usage spike , explained by TU-01 Duplicate events \u00b7 was {closed}" in html
    html = text(get(client, f"/signals/{closed}"))
    assert f"Explained better elsewhere {speaking} is about the same records" in html


def labels_of(home: Home, rule: str) -> str:
    with operational.reading(home.engine()) as session:
        return session.scalars(select(Signal).where(Signal.rule == rule)).one().label
