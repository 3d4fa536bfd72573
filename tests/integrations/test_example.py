"""The example company bills correctly, and knows exactly what is wrong with it when faults were planted."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from billing.ledger import Movement, replay
from integrations import example
from integrations.example import making
from integrations.example.faults import FAULTS
from integrations.example.stories import STORIES
from tests.integrations.example_books import Books

AS_OF = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
TABLES = {
    "plan": "plans",
    "credit_grant": "credit_grants",
    "topup_rule": "topup_rules",
    "customer": "customers",
    "subscription": "subscriptions",
    "item": "subscription_items",
    "price": "prices",
    "meter": "meters",
    "usage_event": "usage_events",
    "reported_usage": "reported_usage",
    "invoice": "invoices",
    "invoice_line": "invoice_lines",
    "payment": "payments",
    "credit_note": "credit_notes",
    "credit_movement": "credit_movements",
    "discount": "discounts",
    "subject": "subjects",
    "bill_run": "bill_runs",
    "entitlement": "entitlements",
}

PRICED = {"TU-19", "TU-20", "TU-22", "TU-23", "TU-26", "TU-31", "TU-32", "TU-33"}
"""The faults whose lines are not what the contract says for their quantity."""


def write(folder: Path, faults: str, *, customers: int = 190, seed: int = 7) -> example.Summary:
    return example.write(folder, customers=customers, seed=seed, faults=faults, as_of=AS_OF, events_per_customer=500)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clean") / "books"
    write(folder, "none")
    return folder


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faulty") / "books"
    write(folder, "all")
    return folder


@pytest.fixture(scope="module")
def right(clean: Path) -> Books:
    return Books.read(clean)


@pytest.fixture(scope="module")
def wrong(faulty: Path) -> Books:
    return Books.read(faulty)


def listed(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / name).read_text(encoding="utf-8").splitlines()]


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("once", "again"):
        write(tmp_path / name, "all", customers=example.least_for("all"))
    assert digests(tmp_path / "once") == digests(tmp_path / "again")


def test_another_seed_gives_another_company(tmp_path: Path) -> None:
    for seed in (7, 8):
        write(tmp_path / str(seed), "none", customers=25, seed=seed)
    same = digests(tmp_path / "7").items() & digests(tmp_path / "8").items()
    assert {name for name, _ in same} <= {"meters.csv", "plans.csv", "prices.csv", "price_tiers.csv", "truth.jsonl"}


def test_the_files_are_books_that_import_without_a_problem(right: Books, wrong: Books) -> None:
    assert right.problems == wrong.problems == 0


def test_all_three_forms_of_file_are_used(clean: Path) -> None:
    assert {path.suffix for path in clean.iterdir()} == {".parquet", ".csv", ".jsonl"}


def test_the_company_has_what_real_ones_have(right: Books) -> None:
    prices, invoices, subscriptions = (right.rows(name) for name in ("prices", "invoices", "subscriptions"))
    assert {price["model"] for price in prices} == {"flat", "per_unit", "graduated", "volume", "package"}
    assert {row["currency"] for row in invoices} == {"USD", "EUR", "GBP", "JPY", "KWD"}
    assert {row["cadence"] for row in subscriptions} == {"P1M", "P1Y"}
    assert {row["status"] for row in invoices} >= {"draft", "open", "paid", "void"}
    assert {row["status"] for row in subscriptions} >= {"active", "ended", "trialing", "canceled"}
    assert {line["kind"] for line in right.rows("invoice_lines")} >= {"usage", "recurring", "adjustment", "commitment"}
    assert len({row["timezone"] for row in subscriptions}) > 8
    assert {row["status"] for row in right.rows("usage_events")} == {"accepted", "rejected", "invalid"}
    for table in ("price_overrides", "discounts", "credit_notes", "credit_grants", "topup_rules", "bill_runs"):
        assert right.rows(table), f"no {table}"


def test_no_payment_method_holds_a_card_number(right: Books) -> None:
    for customer in right.rows("customers"):
        method = json.loads(customer["payment_method"] or "{}")
        assert len(method.get("last4", "0000")) == 4
        assert method.keys() <= {"kind", "brand", "last4", "exp_month", "exp_year"}


def test_drafts_become_final_within_a_day(right: Books) -> None:
    drafts = [row for row in right.rows("invoices") if row["status"] == "draft"]
    assert drafts
    assert all(0 < (row["finalizes_at"] - AS_OF).total_seconds() <= 86_400 for row in drafts)


def test_every_line_of_a_clean_company_is_what_rating_says(right: Books) -> None:
    assert right.mispriced() == set()


def test_every_invoice_of_a_clean_company_adds_up(right: Books) -> None:
    assert right.misadded() == set()


def test_usage_lines_and_their_adjustments_bill_every_event_once(right: Books) -> None:
    credited = {note["line_id"] for note in right.rows("credit_notes") if note["reason"] == "duplicate"}
    billed: defaultdict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    lines = {}
    for line in right.rated_lines():
        if line["kind"] in {"usage", "adjustment"} and line["line_id"] not in credited:
            window = (line["item_id"], line["period_start"], line["period_end"])
            billed[window] += line["raw_quantity"]
            lines[window] = line
    assert {window for window, quantity in billed.items() if right.metered(lines[window]) != quantity} == set()


def test_what_is_recorded_is_what_is_billed(right: Books) -> None:
    records = defaultdict(list)
    for record in right.rows("reported_usage"):
        records[record["item_id"]].append(record)
    usage = [line for line in right.rated_lines() if line["kind"] == "usage"]
    assert usage
    parts = {(line["item_id"], line["period_end"]) for line in usage}
    for line in usage:
        start, end = line["period_start"], line["period_end"]
        earlier = right.earlier_part(line)
        if earlier is not None:
            start = right.full_period(line).start
        elif end < right.full_period(line).end and any(
            item == line["item_id"] and end < other <= right.full_period(line).end for item, other in parts
        ):
            continue  # the first half of a split period is recorded with the second
        inside = [each for each in records[line["item_id"]] if start <= each["period_start"] < end]
        assert sum(each["quantity"] for each in inside) == line["raw_quantity"] + (earlier or 0)
        assert all(each["period_end"] <= end for each in inside)


def test_usage_is_recorded_by_the_period_or_by_the_day(right: Books) -> None:
    lengths = {record["period_end"] - record["period_start"] for record in right.rows("reported_usage")}
    assert min(lengths) < timedelta(days=1) < timedelta(days=27) < max(lengths)


def test_a_minimum_is_reached_by_its_own_line(right: Books) -> None:
    commitments = [line for line in right.rows("invoice_lines") if line["kind"] == "commitment"]
    assert commitments
    for line in commitments:
        usage = [
            other["amount"]
            for other in right.lines_of[line["invoice_id"]]
            if (other["kind"], other["item_id"]) == ("usage", line["item_id"])
        ]
        price = right.price(right.items[line["item_id"]], line["period_start"])
        assert sum(usage, line["amount"]) == price.minimum_amount


def test_what_was_paid_is_what_payments_say(right: Books) -> None:
    paid: defaultdict[str, Decimal] = defaultdict(Decimal)
    for payment in right.rows("payments"):
        if payment["status"] == "succeeded" and payment["purpose"] == "invoice":
            paid[payment["invoice_id"]] += payment["amount"]
    assert all(invoice["amount_paid"] == paid[invoice["invoice_id"]] for invoice in right.rows("invoices"))


def test_nothing_lies_after_the_instant_of_the_company(right: Books) -> None:
    known = {
        "usage_events": "received_at",
        "invoices": "created_at",
        "payments": "created_at",
        "credit_notes": "created_at",
        "credit_movements": "booked_at",
        "provisioned": "as_of",
        "subscriptions": "started_at",
    }
    for table, column in known.items():
        assert max(row[column] for row in right.rows(table)) <= AS_OF, table


def ledgers(books: Books) -> dict[str, list[dict[str, Any]]]:
    found = defaultdict(list)
    for row in books.rows("credit_movements"):
        found[row["customer_id"]].append(row)
    return found


def broken_ledgers(books: Books) -> set[str]:
    """The customers whose ledger is not one unbroken chain that ends with the stated balance."""
    customers, broken = books.by_id("customers"), set()
    fields = ("movement_id", "sequence", "amount", "balance_before", "balance_after")
    for customer_id, rows in ledgers(books).items():
        balance, breaks = replay([Movement(*(row[name] for name in fields)) for row in rows])
        if breaks or balance != customers[customer_id]["credit_balance"]:
            broken.add(customer_id)
    return broken


def test_ledgers_of_a_clean_company_are_unbroken(right: Books) -> None:
    assert len(ledgers(right)) >= 4
    assert broken_ledgers(right) == set()


def test_credits_are_booked_as_the_invoices_apply_them(right: Books) -> None:
    used: defaultdict[str, Decimal] = defaultdict(Decimal)
    invoice_of = {line["line_id"]: line["invoice_id"] for line in right.rows("invoice_lines")}
    for row in right.rows("credit_movements"):
        if row["kind"] == "consumed":
            used[invoice_of[row["line_id"]]] -= row["amount"]
    assert all(invoice["credits_applied"] == used[invoice["invoice_id"]] for invoice in right.rows("invoices"))


def test_every_code_is_planted_and_costs_something(faulty: Path) -> None:
    truth = listed(faulty, "truth.jsonl")
    assert {fault["code"] for fault in truth} == set(FAULTS)
    assert all(Decimal(fault[kind]) >= 0 for fault in truth for kind in ("under", "over", "exposure"))
    assert all(sum(Decimal(fault[kind]) for kind in ("under", "over", "exposure")) > 0 for fault in truth)
    assert len({fault["currency"] for fault in truth}) >= 4


def test_truth_and_lookalikes_name_only_records_that_exist(faulty: Path, wrong: Books) -> None:
    sources, subjects = ({event[name] for event in wrong.rows("usage_events")} for name in ("source", "subject"))
    outside = {"source": sources, "subject": subjects | wrong.ids["subjects"], "integration": {"stripe", "product"}}
    for entry in listed(faulty, "truth.jsonl") + listed(faulty, "lookalikes.jsonl"):
        for entity in entry["entities"]:
            known = outside.get(entity["type"]) or wrong.ids[TABLES[entity["type"]]]
            assert entity["id"] in known, (entry.get("code"), entity)


def test_every_fault_names_its_cause_among_its_records(faulty: Path) -> None:
    for fault in listed(faulty, "truth.jsonl"):
        causes = {f"{each['type']}:{each['id']}" for each in fault["entities"] if each["role"] == "cause"}
        assert causes == {fault["cause"]}


def test_no_customer_has_two_faults(faulty: Path) -> None:
    single = Counter(fault["customer_id"] for fault in listed(faulty, "truth.jsonl") if fault["customer_id"])
    assert single.most_common(1)[0][1] == 1


@pytest.mark.parametrize("seed", range(1, 7))
def test_no_fault_stands_where_its_lookalike_stands(seed: int) -> None:
    company = making.make(190, seed, AS_OF, frozenset(FAULTS), events_per_customer=50)
    alike = {(code, each.customer_id) for each in company.lookalikes for code in each.codes}
    assert not alike & {(fault.code, fault.customer_id) for fault in company.faults}


def test_the_mispriced_lines_are_those_of_the_price_faults(faulty: Path, wrong: Books) -> None:
    told: set[str] = set()
    closed = set()
    priced = {line["line_id"]: line["price_id"] for line in wrong.rows("invoice_lines")}
    for fault in listed(faulty, "truth.jsonl"):
        named = [each for each in fault["entities"] if each["type"] == "invoice_line"]
        lines = {each["id"] for each in named}
        if fault["code"] in {"TU-21", "TU-28", "TU-29"}:
            told |= {each["id"] for each in named if each["role"] == "affected"}
        if fault["code"] in PRICED and Decimal(fault["exposure"]) == 0:
            told |= lines
        if fault["code"] == "TU-25":  # where the items were exchanged, the lines are right for the new ones
            told |= {line for line in lines if "_v1_" in priced[line]}
        if fault["code"] == "TU-20" and Decimal(fault["exposure"]) > 0:
            closed |= {
                price["price_id"] for price in wrong.rows("prices") if fault["cause"] == f"price:{price['price_id']}"
            }
    assert closed
    assert wrong.mispriced(unrated=closed) == told


def test_the_money_of_a_price_fault_is_the_sum_of_its_lines(faulty: Path, wrong: Books) -> None:
    lines = {line["line_id"]: line for line in wrong.rated_lines()}
    for fault in listed(faulty, "truth.jsonl"):
        if fault["code"] not in {"TU-19", "TU-22"}:
            continue
        named = [lines[each["id"]] for each in fault["entities"] if each["type"] == "invoice_line"]
        off = [wrong.expected(line)[0] - line["amount"] for line in named]
        assert Decimal(fault["under"]) == sum((delta for delta in off if delta > 0), Decimal(0))
        assert Decimal(fault["over"]) == -sum((delta for delta in off if delta < 0), Decimal(0))


def test_the_invoices_that_do_not_add_up_are_those_of_the_arithmetic_faults(faulty: Path, wrong: Books) -> None:
    told: dict[str, set[str]] = {"TU-34": set(), "TU-61": set()}
    for fault in listed(faulty, "truth.jsonl"):
        if fault["code"] in told:
            told[fault["code"]].add(fault["cause"].removeprefix("invoice:"))
    paid_in_part = wrong.misadded() - told["TU-34"]
    assert told["TU-34"] <= wrong.misadded()
    assert paid_in_part <= told["TU-61"]
    status = {invoice["invoice_id"]: invoice["status"] for invoice in wrong.rows("invoices")}
    assert {status[name] for name in paid_in_part} <= {"paid"}


def test_the_broken_ledgers_are_those_of_the_ledger_faults(faulty: Path, wrong: Books) -> None:
    told = {fault["customer_id"] for fault in listed(faulty, "truth.jsonl") if fault["code"] == "TU-52"}
    assert broken_ledgers(wrong) == told


def test_one_code_can_be_planted_alone(tmp_path: Path) -> None:
    summary = write(tmp_path / "books", "tu-40,TU-59", customers=80)
    assert set(summary.faults) == {"TU-40", "TU-59"}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_three_customers_a_code_are_enough_for_every_code(tmp_path: Path, seed: int) -> None:
    least = example.least_for("all")
    assert set(write(tmp_path / "books", "all", customers=least, seed=seed).faults) == set(FAULTS)


def test_every_story_is_told_in_a_company_of_a_hundred(clean: Path) -> None:
    assert len({each["what"] for each in listed(clean, "lookalikes.jsonl")}) == len(STORIES)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"faults": "TU-99"}, "no fault 'TU-99' can be planted; choose none, all, or from TU-01"),
        ({"faults": "TU-40", "customers": 19}, "19 customers are too few to keep planted faults apart; ask for 20"),
        ({"customers": 0}, "a company of 0 customers cannot be made; ask for at least 1"),
        ({"as_of": datetime(2026, 1, 1)}, "as_of 2026-01-01T00:00:00 has no timezone"),  # noqa: DTZ001
    ],
)
def test_what_cannot_be_made_is_refused_in_one_sentence(tmp_path: Path, asked: dict[str, Any], said: str) -> None:
    arguments: dict[str, Any] = {"customers": 30, "seed": 1, "faults": "none", "as_of": AS_OF} | asked
    with pytest.raises(example.ExampleError, match=said):
        example.write(tmp_path / "books", **arguments)
    assert not (tmp_path / "books").exists()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(example.ExampleError, match="is not an empty folder; name a new one or empty it first"):
        write(tmp_path, "none")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
