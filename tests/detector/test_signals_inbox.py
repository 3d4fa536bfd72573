"""What the inbox lists, counts, sums and exports, and that it stays cheap."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event

from detector import inbox, triage
from detector.findings import EntityType, Finding, Reference
from detector.inbox import BadFilter, Filter
from store import operational
from tests.detector.signal_stories import TIER_MODE, a_finding, day, fold_run

NOW = day(1)


def of_price(number: int, **told: object) -> Finding:
    """A finding with a cause, a customer and an invoice of its own."""
    usual = {"cause": Reference(EntityType.PRICE, f"price_{number}"), "customer": f"c_{number}"}
    return a_finding(f"il_{number}", **{**usual, **told})


@pytest.fixture
def company(engine: Engine) -> Engine:
    """Five signals of two rules: the smallest one is on a draft that becomes final within the day."""
    fold_run(
        engine,
        day(0),
        [
            of_price(1, actual="100"),  # USD 20
            of_price(2, actual="20"),  # USD 100
            of_price(3, expected="0", actual="50", currency="EUR"),  # EUR 50 too much
            of_price(4, actual="119", invoice="in_soon"),  # USD 1
        ],
        drafts={"in_soon": day(1.5), "in_il_2": day(9)},
    )
    other = replace(TIER_MODE, name="zero_usage", code="TU-05", severity="medium", category="data_quality", gate="none")
    found = replace(of_price(5, exposure=Decimal(3000), expected="0", actual="0", currency="JPY"), rule="zero_usage")
    fold_run(engine, day(0.5), [replace(found, integration="chargebee")], rule=other)
    return engine


def ids(engine: Engine, now: datetime = NOW, **chosen: object) -> list[int]:
    with operational.reading(engine) as session:
        return [item.id for item in inbox.page(session, Filter(**chosen), now).items]  # type: ignore[arg-type]


def test_what_becomes_final_within_a_day_comes_first_and_then_what_costs_most(company: Engine) -> None:
    assert ids(company) == [4, 2, 3, 1, 5]
    assert ids(company, now=day(2)) == [2, 3, 1, 5, 4]
    assert ids(company, now=day(8.5)) == [2, 3, 1, 5, 4]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("amount", [2, 3, 1, 5, 4]),
        ("severity", [2, 3, 1, 4, 5]),
        ("last_seen", [5, 4, 3, 2, 1]),
        ("first_seen", [5, 4, 3, 2, 1]),
    ],
)
def test_other_orders_go_by_what_they_say(company: Engine, sort: str, order: list[int]) -> None:
    assert ids(company, sort=sort) == order


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ({"severity": ("medium",)}, [5]),
        ({"severity": ("medium", "critical")}, [4, 2, 3, 1, 5]),
        ({"category": ("pricing",), "integration": ("stripe",)}, [4, 2, 3, 1]),
        ({"rule": ("zero_usage",)}, [5]),
        ({"code": ("TU-19",)}, [4, 2, 3, 1]),
        ({"cause": "price:price_3"}, [3]),
        ({"customer": "c_2"}, [2]),
        ({"entity": "in_soon"}, [4]),
        ({"view": "urgent"}, [4]),
        ({"view": "unassigned"}, [4, 2, 3, 1, 5]),
        ({"assignee": ("",)}, [4, 2, 3, 1, 5]),
        ({"assignee": ("ana",)}, []),
        ({"status": "resolved"}, []),
        ({"q": "customer c_4"}, [4]),
        ({"q": "ZERO_USAGE"}, [5]),
        ({"q": "il_1"}, [1]),
        ({"q": "sig-3"}, [3]),
        ({"q": "50 % of _"}, []),
        ({"q": "tier", "severity": ("medium",)}, [5]),
    ],
)
def test_a_filter_lists_what_it_says(company: Engine, chosen: dict[str, object], found: list[int]) -> None:
    assert ids(company, **chosen) == found


def test_mine_is_what_i_have(company: Engine) -> None:
    with operational.writing(company) as session:
        triage.assign(session, [1, 3], "ana", actor="ben", now=NOW)
    assert ids(company, view="mine", me="ana") == [3, 1]
    assert ids(company, view="unassigned") == [4, 2, 5]


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 50])
@pytest.mark.parametrize("sort", ["risk", "amount", "severity", "last_seen", "first_seen"])
def test_page_after_page_lists_every_signal_once(company: Engine, sort: str, limit: int) -> None:
    wanted, seen = Filter(sort=sort), []
    with operational.reading(company) as session:
        for _ in range(10):
            page = inbox.page(session, wanted, NOW, limit)
            seen += [item.id for item in page.items]
            if page.next is None:
                break
            wanted = replace(wanted, after=page.next)
    assert seen == ids(company, sort=sort)


def test_a_later_page_is_of_the_list_that_was_begun(company: Engine) -> None:
    with operational.reading(company) as session:
        first = inbox.page(session, Filter(), NOW, 1)
        assert first.next is not None
        rest = inbox.page(session, Filter(after=first.next), NOW + timedelta(days=5), 50)
    assert [item.id for item in (*first.items, *rest.items)] == [4, 2, 3, 1, 5]


@pytest.mark.parametrize("after", ["x", "W10", "eyJhIjoxfQ", "WyJyaXNrIiwiMjAyNi0wMS0wMSIsdHJ1ZSwieCIsMV0"])
def test_a_cursor_that_is_none_is_refused(company: Engine, after: str) -> None:
    with operational.reading(company) as session, pytest.raises(BadFilter, match="start again"):
        inbox.page(session, Filter(after=after), NOW)


@pytest.mark.parametrize(("name", "value"), [("view", "all"), ("sort", "title"), ("status", "closed"), ("group", "x")])
def test_a_filter_that_does_not_exist_is_refused_with_those_that_do(name: str, value: str) -> None:
    with pytest.raises(BadFilter, match=f"{name} cannot be '{value}'; use one of"):
        Filter(**{name: value})


def test_counts_and_sums_are_of_all_pages_and_no_currency_is_mixed_with_another(company: Engine) -> None:
    with operational.reading(company) as session:
        page = inbox.page(session, Filter(), NOW, 2)
    assert page.total == 5
    sums = {total.currency: (total.under, total.over, total.exposure, total.signals) for total in page.totals}
    assert sums == {
        "EUR": (Decimal(0), Decimal(50), Decimal(0), 1),
        "JPY": (Decimal(0), Decimal(0), Decimal(3000), 1),
        "USD": (Decimal(121), Decimal(0), Decimal(0), 3),
    }


def test_a_signal_in_several_currencies_counts_in_each(engine: Engine) -> None:
    fold_run(engine, day(0), [a_finding("il_1"), a_finding("il_2", currency="JPY", actual="0")])
    with operational.reading(engine) as session:
        page = inbox.page(session, Filter(), NOW)
        assert {total.currency: total.under for total in page.totals} == {"JPY": Decimal(120), "USD": Decimal(20)}
        assert [impact.currency for impact in page.items[0].impacts] == ["JPY", "USD"]


def test_each_facet_is_counted_as_if_it_were_not_set(company: Engine) -> None:
    with operational.reading(company) as session:
        facets = inbox.overview(session, Filter(severity=("medium",)), NOW).facets
    assert facets["severity"] == [("critical", 4), ("medium", 1)]
    assert facets["rule"] == [("zero_usage", 1)]
    assert facets["status"] == [("unhandled", 1)]
    assert facets["assignee"] == [(None, 1)]


def test_groups_have_their_own_sums_and_the_filter_that_lists_them(company: Engine) -> None:
    with operational.reading(company) as session:
        groups = inbox.groups(session, Filter(group="rule"), NOW)
        assert [(group.key, group.signals) for group in groups] == [("wrong_tier_mode", 4), ("zero_usage", 1)]
        assert [total.currency for total in groups[0].totals] == ["EUR", "USD"]
        for name in ("rule", "cause", "customer"):
            for group in inbox.groups(session, Filter(group=name), NOW):
                assert inbox.page(session, group.narrow, NOW).total == group.signals


def test_a_change_of_all_that_match_reaches_all_of_them(company: Engine) -> None:
    with operational.reading(company) as session:
        assert inbox.matching(session, Filter(severity=("critical",)), NOW) == [1, 2, 3, 4]


def test_one_signal_is_read_whole(company: Engine) -> None:
    fold_run(company, day(0.7), [of_price(1), of_price(6, cause=Reference(EntityType.PRICE, "price_1"))], stale=True)
    with operational.reading(company) as session:
        detail = inbox.signal(session, 1)
    assert detail is not None
    assert detail.entities.total == 7
    assert detail.entities.by_type["invoice_line"] == 2
    assert detail.entities.items[0].role == "cause"
    assert [finding.subject_id for finding in detail.findings] == ["il_1", "il_6"]
    assert [event.reason for event in detail.timeline] == ["widened", "opened"]
    assert {similar.why for similar in detail.similar} == {"same rule"}
    assert detail.run.as_of == day(0.7)


def test_a_signal_that_does_not_exist_is_none(company: Engine) -> None:
    with operational.reading(company) as session:
        assert inbox.signal(session, 4711) is None


@pytest.mark.parametrize(
    ("written", "number"), [("SIG-12", 12), ("sig-12", 12), (" 12 ", 12), ("12x", None), ("", None), ("9" * 30, None)]
)
def test_a_signal_is_called_by_its_number_with_or_without_sig(written: str, number: int | None) -> None:
    assert inbox.number(written) == number


def test_records_come_page_by_page_and_by_type_role_and_text(sqlite_engine: Engine) -> None:
    fold_run(sqlite_engine, day(0), [a_finding(f"il_{number}", customer="c_1") for number in range(60)])
    with operational.reading(sqlite_engine) as session:
        seen, after = [], ""
        while True:
            page = inbox.entities(session, 1, after=after, limit=25)
            seen += [(item.type, item.entity_id) for item in page.items]
            if page.next is None:
                break
            after = page.next
        assert len(seen) == len(set(seen)) == page.total == 122
        assert inbox.entities(session, 1, type="invoice_line").total == 60
        assert inbox.entities(session, 1, role="cause").total == 1
        assert [item.entity_id for item in inbox.entities(session, 1, q="API").items] == ["price_1"]


def test_a_line_through_time_has_a_step_where_the_money_changed(engine: Engine) -> None:
    for number, actual in enumerate(("100", "100", "60", "60")):
        fold_run(engine, day(number), [a_finding(actual=actual)])
    fold_run(engine, day(4))
    fold_run(engine, day(5))
    with operational.reading(engine) as session:
        page = inbox.page(session, Filter(status="any"), day(6))
        lines = inbox.sparklines(session, page.items)
    assert [int(value) for value in lines[1]] == [20, 20, 60, 60, 60, 0]


def test_the_export_is_the_json_of_the_specification(company: Engine) -> None:
    with operational.reading(company) as session:
        exported = list(inbox.export(session, Filter(view="every"), NOW))
    assert [signal["id"] for signal in exported] == ["SIG-4", "SIG-2", "SIG-3", "SIG-1", "SIG-5"]
    signal = exported[3]
    wanted = {
        "id": "SIG-1",
        "rule": "wrong_tier_mode",
        "code": "TU-19",
        "severity": "critical",
        "category": "pricing",
        "status": "unhandled",
        "priority": "P1",
        "title": "Line il_1 is rated by the wrong tier mode",
        "integration": "stripe",
        "cause": "price:price_1",
        "period_start": "2026-02-01T00:00:00Z",
        "period_end": "2026-03-01T00:00:00Z",
        "impact": [{"currency": "USD", "under": "20.00", "over": "0.00", "exposure": "0.00"}],
        "first_seen": "2026-03-01T06:00:00Z",
        "last_seen": "2026-03-01T06:00:00Z",
    }
    assert {name: signal[name] for name in wanted} == wanted
    line = next(entity for entity in signal["entities"] if entity["type"] == "invoice_line")
    assert line == {
        "type": "invoice_line",
        "id": "il_1",
        "role": "affected",
        "customer_id": "c_1",
        "name": None,
        "target_date": None,
        "execution_date": None,
        "status": None,
        "expected": "120.00",
        "actual": "100.00",
        "unit": "USD",
        "gone_since": None,
    }
    assert exported[4]["impact"] == [{"currency": "JPY", "under": "0", "over": "0", "exposure": "3000"}]


@given(st.decimals(min_value=-10, max_value=10**12, places=4), st.sampled_from(["JPY", "USD", "KWD", "units"]))
def test_an_amount_keeps_every_digit_and_has_at_least_its_currencys(value: Decimal, unit: str) -> None:
    from detector.detail import amount

    written = amount(value, unit)
    assert written is not None
    assert Decimal(written) == value
    assert len(written.partition(".")[2]) >= {"JPY": 0, "USD": 2, "KWD": 3, "units": 0}[unit]
    assert "E" not in written


HOT = ("risk", "amount", "severity", "last_seen", "first_seen")


@pytest.mark.parametrize("sort", HOT)
def test_a_page_walks_an_index_and_sorts_nothing(sqlite_engine: Engine, sort: str) -> None:
    plans = _plans(sqlite_engine, lambda session: inbox.page(session, Filter(sort=sort), NOW))
    for plan in plans:
        # the urgent ones are found by their date, and are few; so are the groups of signals that are alike
        few = "ix_signals_final" in plan[0] or plan[0] == "SCAN signal_groups"
        assert few or not any("TEMP B-TREE" in step for step in plan), plan
        read = [step for step in plan if step.startswith(("SCAN", "SEARCH")) and step != "SCAN signal_groups"]
        assert all("USING" in step for step in read), plan


@pytest.mark.parametrize("chosen", [{}, {"code": ("TU-19",)}, {"bill_run": "run-1"}, {"view": "snoozed"}])
def test_counts_and_sums_read_no_signal(sqlite_engine: Engine, chosen: dict[str, object]) -> None:
    plans = _plans(sqlite_engine, lambda session: inbox.overview(session, Filter(**chosen), NOW))  # type: ignore[arg-type]
    assert [plan[0] for plan in plans] == ["SCAN signal_groups"]


def test_a_text_is_looked_for_once_for_rows_counts_and_groups(company: Engine) -> None:
    texts: list[str] = []
    event.listen(company, "before_cursor_execute", lambda *told: texts.append(told[2]))
    with operational.reading(company) as session:
        for sort in HOT:
            page = inbox.page(session, Filter(q="price", sort=sort), NOW)
            assert page.total == len(page.items) == inbox.page(session, Filter(), NOW).total
        assert sum(group.signals for group in inbox.groups(session, Filter(q="price", group="rule"), NOW)) == page.total
        assert inbox.page(session, Filter(q="no such words"), NOW).items == ()
    assert len([sql for sql in texts if "signal_texts" in sql]) == 2


def test_a_text_that_many_signals_have_finds_the_same(company: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with operational.reading(company) as session:
        named = inbox.page(session, Filter(q="price"), NOW)
    monkeypatch.setattr("detector.inbox_filter.NAMED", 0)
    with operational.reading(company) as session:
        assert [item.id for item in inbox.page(session, Filter(q="price"), NOW).items] == [i.id for i in named.items]


def test_a_page_takes_the_same_few_statements_however_long_it_is(company: Engine) -> None:
    counts = []
    for limit in (1, 5):
        statements: list[str] = []

        def note(*args: object, kept: list[str] = statements) -> None:
            kept.append(str(args[2]))

        event.listen(company, "before_cursor_execute", note)
        with operational.reading(company) as session:
            inbox.page(session, Filter(sort="amount"), NOW, limit)
        event.remove(company, "before_cursor_execute", note)
        counts.append(len([sql for sql in statements if sql.startswith("SELECT")]))
    assert counts == [3, 3]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    chosen=st.fixed_dictionaries(
        {},
        optional={
            "severity": st.sampled_from([("critical",), ("medium",), ("critical", "medium")]),
            "status": st.sampled_from(["open", "any", "triaged"]),
            "integration": st.sampled_from([("stripe",), ("chargebee",)]),
            "assignee": st.sampled_from([("",), ("ana",), ("ana", "")]),
            "view": st.sampled_from(["inbox", "urgent", "snoozed", "unassigned", "every", "mine"]),
        },
    )
)
def test_the_counts_are_those_of_the_list_whatever_is_asked(
    overview_company: Engine, chosen: dict[str, object]
) -> None:
    wanted = Filter(me="ana", **chosen)  # type: ignore[arg-type]
    with operational.reading(overview_company) as session:
        page = inbox.page(session, wanted, NOW)
        assert page.total == len(page.items) == len(inbox.matching(session, wanted, NOW))
        sums: dict[str, Decimal] = {}
        for item in page.items:
            for impact in item.impacts:
                money = impact.under + impact.over + impact.exposure
                sums[impact.currency] = sums.get(impact.currency, Decimal(0)) + money
        assert {total.currency: total.under + total.over + total.exposure for total in page.totals} == sums
        for name, counts in page.all.facets.items():
            free = replace(wanted, **{name: "any" if name == "status" else ()})
            assert sum(count for _, count in counts) == inbox.page(session, free, NOW).total


@pytest.fixture
def overview_company(company: Engine) -> Engine:
    with operational.writing(company) as session:
        triage.assign(session, [1, 3], "ana", actor="ben", now=NOW)
        triage.snooze(session, [2], until=day(9), actor="ben", now=NOW)
        triage.change_status(session, [1], "triaged", actor="ben", now=NOW)
        triage.dismiss(session, [5], "expected", actor="ben", now=NOW)
    return company


def _plans(engine: Engine, read: object) -> list[list[str]]:
    """SQLite's plan of every statement that `read` runs on signals and their groups."""
    statements: list[tuple[str, object]] = []
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append((args[2], args[3])))
    with operational.reading(engine) as session:
        read(session)  # type: ignore[operator]
    plans = []
    with engine.connect() as connection:
        for sql, parameters in [pair for pair in statements if "FROM signal" in pair[0]]:
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters)  # type: ignore[arg-type]
            plans.append([row[3] for row in rows])
    return plans
