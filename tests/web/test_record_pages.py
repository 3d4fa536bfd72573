"""Customer, subscription, invoice, usage and bill run: what signals say about them, and the way to every row behind."""

import csv
import io
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from flask.testing import FlaskClient

from detector.shares import Share
from tests.web.company import NOW, Home
from tests.web.reading import Page, act, get, labels, text
from web.exposure import exposure_charts
from web.subscription import course
from web.usage import with_gaps
from web.usage_chart import daily_chart


@pytest.fixture(scope="module")
def reader(example_company: Home) -> Iterator[FlaskClient]:
    """A browser without scripts that only looks."""
    with example_company.app().test_client() as client:
        yield client


@pytest.fixture(scope="module")
def duplicated(reader: FlaskClient) -> dict[str, str]:
    """The records of the signal about duplicate events, by type: its draft, item, customer, subscription."""
    listed = get(reader, "/signals?code=TU-01")
    page = get(reader, re.findall(r'href="(/signals/SIG-\d+)"', listed)[0])
    kinds = ("customers", "subscriptions", "invoices", "usage")
    return {kind: re.findall(rf'href="(/{kind}[/?][^"#]+)"', page)[0] for kind in kinds}


def table(reader: FlaskClient, query: str) -> list[tuple[object, ...]]:
    """What the books hold, read past the console."""
    with reader.application.app_context(), closing(_books(reader)) as books:
        return books.execute(query).fetchall()


def _books(reader: FlaskClient):  # type: ignore[no-untyped-def]
    return reader.application.extensions["trueup"].warehouse.connect(read_only=True)


def test_a_customer_shows_what_is_at_risk_by_month_and_on_which_invoice(
    reader: FlaskClient, duplicated: dict[str, str]
) -> None:
    html = get(reader, duplicated["customers"])
    shown = text(html)
    overbilled = re.search(r"Overbilled ([\d.,]+) (\w+)", shown)
    assert overbilled
    amount, currency = overbilled.groups()
    assert f"At risk by month, {currency}" in html
    assert re.search(rf"Oct 2026 – {re.escape(amount)} {currency} – SIG-\d+", shown), "the month leads to its signal"
    assert re.search(rf"{re.escape(amount)} {currency} too much SIG-\d+", shown), "so does the invoice"
    assert "as billed none found" in shown
    assert Page(html).problems == []


def test_a_customer_with_nothing_open_says_so(reader: FlaskClient) -> None:
    named = set(re.findall(r"/customers/(\w+)", get(reader, "/signals/SIG-1")))
    quiet = next(
        id
        for (id,) in table(reader, "SELECT customer_id FROM books.customers ORDER BY customer_id LIMIT 20")
        if id not in named and "Open signals 0" in text(get(reader, f"/customers/{id}"))
    )
    assert "Nothing is open about this customer" in text(get(reader, f"/customers/{quiet}"))


def test_more_invoices_than_a_page_holds_are_on_the_next(reader: FlaskClient) -> None:
    ((id, count),) = table(
        reader, "SELECT customer_id, count(*) AS n FROM books.invoices GROUP BY 1 ORDER BY n DESC, 1 LIMIT 1"
    )
    seen, address = set[str](), f"/customers/{id}"
    while address:
        html = get(reader, address)
        seen.update(re.findall(r'href="/invoices/([^"]+)"', html))
        older = re.search(r'rel="next" href="([^"#]+)', html)
        address = older[1].replace("&amp;", "&") if older else ""
    assert len(seen) == count


def test_a_subscription_shows_its_course_and_its_plan_beside_the_catalogue(
    reader: FlaskClient, duplicated: dict[str, str]
) -> None:
    html = get(reader, duplicated["subscriptions"])
    shown = text(html)
    assert "Course of the subscription" in html
    assert re.search(r"On sale version \d", shown)
    assert re.search(r'href="/usage\?item=', html), "a metered item leads to its usage"
    outdated = table(
        reader,
        """SELECT s.subscription_id, o.version, n.version FROM books.subscriptions AS s
        JOIN books.plans AS o USING (integration, plan_id)
        JOIN books.plans AS n ON n.plan_key = o.plan_key AND n.version > o.version AND n.status = 'active' LIMIT 1""",
    )
    assert outdated, "the example company has a plan in two versions"
    id, old, new = outdated[0]
    assert f"It is on version {old}" in text(get(reader, f"/subscriptions/{id}"))
    assert f"Version {new} is on sale" in text(get(reader, f"/subscriptions/{id}"))


def at(month: int, day: int) -> datetime:
    """A date of 2026 as the books have it."""
    return datetime(2026, month, day, tzinfo=UTC).replace(tzinfo=None)


def test_the_course_has_trial_service_and_what_follows_a_cancellation() -> None:
    row = {
        "started_at": at(1, 1),
        "trial_end": at(1, 15),
        "canceled_at": at(6, 1),
        "cancel_at": at(7, 1),
        "ended_at": None,
    }
    items = [{"item_id": "si_1", "price_name": "Seats", "active_from": at(1, 1), "active_to": at(7, 1)}]
    invoice = {
        "invoice_id": "in_1", "number": None, "status": "paid", "period_start": at(1, 15), "period_end": at(2, 15),
    }  # fmt: skip
    chart = course(row, items, [invoice], datetime(2026, 6, 10, tzinfo=UTC))
    assert [name for name, _ in chart.lanes] == ["Subscription", "Seats", "Invoices"]
    assert [block.look for block in chart.lanes[0][1]] == ["trial", "service", "leaving"]
    assert ("Invoices", "15 Jan 2026", "15 Feb 2026", "in_1, paid") in chart.rows
    assert chart.present is not None


def test_a_draft_shows_its_lines_its_gate_and_the_usage_behind_each_quantity(
    reader: FlaskClient, duplicated: dict[str, str]
) -> None:
    html = get(reader, duplicated["invoices"])
    shown = text(html)
    assert re.search(r"At the gate Blocked SIG-\d+", shown)
    assert "Becomes final in" in shown
    for behind in set(re.findall(r'href="(/usage\?item=[^"]+from[^"]+)"', html)):
        assert "Usage by day" in get(reader, behind.replace("&amp;", "&"))
    assert re.search(r'href="/lines/', html)


def test_duplicates_are_told_from_other_events_and_can_be_downloaded(
    reader: FlaskClient, duplicated: dict[str, str]
) -> None:
    shown = text(get(reader, f"{duplicated['usage']}&show=duplicates"))
    count = re.search(r"Duplicates (\d+)", shown)
    assert count
    assert int(count[1]) > 0
    assert shown.count("copy of an earlier one") == int(count[1])
    answer = reader.get(f"{duplicated['usage'].replace('/usage?', '/usage.csv?')}&show=duplicates")
    rows = list(csv.DictReader(io.StringIO(answer.get_data(as_text=True))))
    assert [row["repeated"] for row in rows] == ["True"] * int(count[1])
    assert answer.headers["Content-Disposition"].startswith("attachment")


def test_late_events_came_in_after_the_invoice_of_their_period_was_made(reader: FlaskClient) -> None:
    listed = get(reader, "/signals?code=TU-02")
    page = get(reader, re.findall(r'href="(/signals/SIG-\d+)"', listed)[0])
    usage = re.findall(r'href="(/usage\?item=[^"]+)"', page)[0]
    html = get(reader, f"{usage}&from=2025-12-01&to=2026-11-21&show=late")
    assert "after the invoice was made" in html
    assert "after the invoice was made" not in get(reader, f"{usage}&from=2025-12-01&to=2026-11-21&show=duplicates")


def test_events_page_by_page_are_every_event_once(reader: FlaskClient, duplicated: dict[str, str]) -> None:
    address, seen = duplicated["usage"], list[str]()
    total = re.search(r"All ([\d,]+)", text(get(reader, address)))
    assert total
    while address:
        html = get(reader, address)
        seen += re.findall(r'href="/records/usage_event/([^"]+)"', html)
        older = re.search(r'rel="next" href="([^"#]+)', html)
        address = older[1].replace("&amp;", "&") if older else ""
    assert len(seen) == len(set(seen)) == int(total[1].replace(",", ""))


def test_usage_is_found_by_subscription_and_meter(reader: FlaskClient, duplicated: dict[str, str]) -> None:
    page = get(reader, duplicated["usage"])
    subscription, meter = (
        re.findall(rf'href="/{kind}/([^"]+)"', page)[0] for kind in ("subscriptions", "records/meter")
    )
    item = re.findall(r"item=(\w+)", duplicated["usage"])[0]
    assert item in get(reader, f"/usage?sub={subscription}&meter={meter}")
    assert "has no metered item on meter nope" in text(get(reader, f"/usage?sub={subscription}&meter=nope", 404))
    assert "use one of all, duplicates" in text(get(reader, f"{duplicated['usage']}&show=odd", 400))


def test_days_without_any_event_are_marked_and_a_day_of_zero_is_not() -> None:
    used = {date(2026, 10, 1): Decimal(5), date(2026, 10, 2): Decimal(0), date(2026, 10, 5): Decimal(7)}
    first, end = date(2026, 10, 1), date(2026, 10, 6)
    chart = with_gaps(daily_chart(used, first, end, "calls"), used, first, end)
    assert [bar.label for bar in chart.bars] == ["no event from 2026-10-03 to 2026-10-04"]
    assert ("gap", "no event at all, which is no zero") in chart.legend


def test_a_bill_run_counts_what_passes_and_names_what_holds(reader: FlaskClient, duplicated: dict[str, str]) -> None:
    draft = get(reader, duplicated["invoices"])
    run = re.findall(r'href="(/bill-runs/[^"]+)"', draft)[0]
    html = get(reader, run)
    shown = text(html)
    counts = re.search(r"Pass (\d+) .* Warn (\d+) .* Hold (\d+)", shown)
    assert counts
    ((drafts,),) = table(
        reader,
        f"SELECT count(*) FROM books.invoices WHERE status = 'draft' AND bill_run_id = '{run.rsplit('/', 1)[1]}'",
    )
    assert sum(map(int, counts.groups())) == drafts
    assert int(counts[3]) > 0
    assert re.search(r"What keeps drafts back .* SIG-\d+ · TU-01 Duplicate events", shown)
    assert "It has no invoice of that status" in get(reader, f"{run}?state=void")
    assert run in get(reader, "/bill-runs")
    assert Page(html).problems == []


def test_without_bill_runs_nothing_is_scheduled(empty_company: Home) -> None:
    assert "Nothing scheduled" in get(empty_company.app().test_client(), "/bill-runs")
    assert 'action="/jump"' in get(empty_company.app().test_client(), "/bill-runs/run_1", 404)


def share(month: int | None, *, year: int = 2026, under: int = 0, over: int = 0, currency: str = "USD") -> Share:
    start = datetime(year, month, 1, tzinfo=UTC) if month else None
    return Share(7, 1, start, currency, Decimal(under), Decimal(over), Decimal(0), frozenset())


def test_months_are_never_netted_nor_currencies_added_and_what_is_older_is_one_bar() -> None:
    shares = [share(10, under=5), share(10, over=3), share(10, under=9, currency="EUR"),
              share(1, year=2025, under=2), share(None, under=1)]  # fmt: skip
    euro, dollar = exposure_charts(shares, NOW)
    october = next(row for row in dollar.rows if row[0] == "Oct 2026")
    assert text(" | ".join(october)) == "Oct 2026 | 5.00 USD | 3.00 USD | – | SIG-7"
    assert dollar.rows[0][0] == "earlier"
    assert dollar.rows[-1][0] == "undated"
    assert len(dollar.rows) == 14
    assert len(euro.rows) == 6


def test_all_signals_of_a_customer_are_given_to_somebody_and_their_statement_is_a_sheet(
    client: FlaskClient, duplicated: dict[str, str]
) -> None:
    html = get(client, duplicated["customers"])
    back = re.search(r'name="back" value="(/signals\?view=every&amp;customer=[^"]+)"', html)
    sheet = re.search(r'href="(/statement\.csv\?customer=[^"]+)"', html)
    assert back
    assert sheet
    listed = back[1].replace("&amp;", "&")
    before = labels(get(client, listed))
    assert before
    act(client, "/signals/act", listed, all="1", deed="assign", assignee="Ana")
    assert get(client, listed).count('<td class="who">Ana</td>') == len(before)
    rows = list(csv.DictReader(io.StringIO(client.get(sheet[1]).get_data(as_text=True))))
    assert rows
    off = [row for row in rows if row["signals"]]
    assert off
    for row in off:
        apart = Decimal(row["expected"]) - Decimal(row["billed before tax"])
        assert apart == Decimal(row["too little"]) - Decimal(row["too much"])


def test_a_subscription_is_rated_again_on_the_spot(reader: FlaskClient) -> None:
    signal = re.findall(r'href="(/signals/SIG-\d+)"', get(reader, "/signals?code=TU-19"))[0]
    address = re.findall(r'href="(/subscriptions/[^"]+)"', get(reader, signal))[0]
    assert "Rated again just now" not in text(get(reader, address))
    html = get(reader, f"{address}?show=rated")
    assert Page(html).problems == []
    shown = text(html).split("Rated again just now")[1]
    assert re.search(r"too (little|much)  ?on \d+ of \d+", shown), "the fault is seen without any run"
