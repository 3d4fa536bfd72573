"""Saved views, files of exactly the query shown, the peek, and merging in the console."""

import csv
import io
import json
import re

from flask.testing import FlaskClient

from tests.web.company import Home
from tests.web.reading import Page, act, get, labels, text


def as_person(home: Home, name: str) -> FlaskClient:
    client = home.app().test_client()
    act(client, "/preferences", who=name)
    return client


def tab(html: str, title: str) -> str | None:
    found = re.search(rf'<a id="view-saved-\d+" href="([^"]+)"[^>]*>{title} ', html)
    return found and found[1]


def test_a_view_keeps_its_query_for_its_owner_and_a_shared_one_for_all(home: Home) -> None:
    ana, bob = as_person(home, "Ana"), as_person(home, "Bob")
    act(ana, "/views", "/signals?sev=critical&sort=amount", name="Worst")
    act(ana, "/views", "/signals?cat=pricing", name="Prices", shared="1")
    seen = get(ana, "/signals")
    address = tab(seen, "Worst")
    assert address
    assert labels(get(ana, address.replace("&amp;", "&"))) == labels(get(ana, "/signals?sev=critical&sort=amount"))
    seen_by_bob = get(bob, "/signals")
    assert tab(seen_by_bob, "Worst") is None
    assert tab(seen_by_bob, "Prices")


def test_a_view_of_what_nobody_has_stays_one(home: Home) -> None:
    ana = as_person(home, "Ana")
    act(ana, "/signals/act", deed="assign", assignee="Ana", id=["1"])
    act(ana, "/views", "/signals?who=", name="Nobody's")
    address = tab(get(ana, "/signals"), "Nobody&#39;s")
    assert address
    assert labels(get(ana, address.replace("&amp;", "&"))) == labels(get(ana, "/signals?who="))
    assert labels(get(ana, "/signals?who=")) != labels(get(ana, "/signals"))


def test_the_inbox_opens_on_the_own_default_before_the_teams(home: Home) -> None:
    ana, bob = as_person(home, "Ana"), as_person(home, "Bob")
    act(ana, "/views", "/signals?cat=pricing", name="Prices", shared="1", default="1")
    act(bob, "/views", "/signals?view=every&sev=high", name="High", default="1")
    assert ana.get("/signals").location == "/signals?cat=pricing"
    assert bob.get("/signals").location.endswith("sev=high")
    assert 'href="/signals?view=inbox"' in get(ana, "/signals?cat=pricing")
    assert get(ana, "/signals?view=inbox")


def test_another_persons_own_view_cannot_be_removed(home: Home) -> None:
    ana, bob = as_person(home, "Ana"), as_person(home, "Bob")
    act(ana, "/views", "/signals?cat=pricing", name="Prices")
    act(bob, "/views/1/remove")
    assert "this view is Ana's own" in get(bob, "/signals").replace("&#39;", "'").replace("This", "this")
    act(ana, "/views/1/remove")
    assert tab(get(ana, "/signals"), "Prices") is None


def test_the_files_hold_exactly_the_query_shown_over_all_pages(many_signals: Home) -> None:
    client = many_signals.app().test_client()
    query = "sort=amount&integ=stripe"
    listed, address = list[str](), f"/signals?{query}"
    while address:
        html = get(client, address)
        listed += labels(html)
        following = re.search(r'rel="next" href="([^"]+)"', html)
        address = following[1].replace("&amp;", "&") if following else ""
    told = json.loads(client.get(f"/signals.json?{query}").get_data(as_text=True))
    assert [one["id"] for one in told] == listed
    rows = list(csv.DictReader(io.StringIO(client.get(f"/signals.csv?{query}").get_data(as_text=True))))
    assert list(dict.fromkeys(row["id"] for row in rows)) == listed
    assert json.loads(client.get("/signals.json?q=nosuchthing").get_data(as_text=True)) == []


def test_a_formula_in_a_name_stays_text_in_the_file(hostile_company: Home) -> None:
    answer = hostile_company.app().test_client().get("/signals.csv")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert not [row for row in csv.reader(io.StringIO(answer.get_data(as_text=True))) if any(
        cell.startswith(("=", "@")) for cell in row)]  # fmt: skip


def test_a_peek_says_why_how_much_and_where(client: FlaskClient) -> None:
    html = get(client, "/signals/SIG-1/peek")
    assert Page(html).problems == []
    assert re.search(r"[\d,.]+ [A-Z]{3} (underbilled|overbilled|exposed)", text(html))
    assert 'href="/signals/SIG-1"' in html
    get(client, "/signals/SIG-99999/peek", 404)


def test_merged_signals_are_one_row_and_one_deed_until_they_are_split(client: FlaskClient) -> None:
    first, second, *_ = labels(get(client, "/signals"))
    ids = [first[4:], second[4:]]
    act(client, "/signals/act", deed="merge", id=ids, why="one price")
    html = get(client, "/signals")
    assert "merged into one case" in html
    (speaks,) = {first, second} & set(labels(html))
    (other,) = {first, second} - {speaks}
    assert f"with {other}" in text(html)
    act(client, "/signals/act", deed="assign", id=speaks[4:], assignee="Ana")
    assert "Ana" in text(get(client, f"/signals/{other}"))
    page = get(client, f"/signals/{other}")
    assert f"{speaks} speaks for it" in text(page)
    act(client, "/signals/act", deed="split", id=other[4:])
    assert {first, second} <= set(labels(get(client, "/signals")))


def test_signals_are_grouped_by_bill_run_over_all_pages(client: FlaskClient) -> None:
    html = get(client, "/signals?group=bill_run")
    assert "No draft of a bill run" in html
    runs = re.findall(r'href="(/signals\?bill_run=run_[^"]+)"', html)
    assert runs
    assert labels(get(client, runs[0]))
    assert "Bill run: run_" in text(get(client, runs[0]))
