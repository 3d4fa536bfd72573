"""Credit cases of other engines' own test suites (conformance/README.md, credits.json)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing.credits import Balance, Grant, Recurrence, Usage, burn_down, burn_order
from billing.money import round_money, to_minor
from billing.wallets import Charge, Wallet, allocate

from .cases import at, cases

EVERY = {"daily": "P1D", "weekly": "P1W", "monthly": "P1M", "yearly": "P1Y", "hourly": "PT1H"}


def maybe(text: str | None) -> datetime | None:
    return at(text) if text else None


def grant(case: dict[str, Any], timezone: str) -> Grant:
    recurs = case.get("recurrence")
    return Grant(
        grant_id=case["id"],
        amount=Decimal(case["amount"]),
        effective_at=at(case["effective_at"]),
        priority=case["priority"],
        expires_at=maybe(case.get("expires_at")),
        voided_at=maybe(case.get("voided_at")),
        deleted_at=maybe(case.get("deleted_at")),
        min_rollover=Decimal(case.get("reset_min_rollover", 0)),
        max_rollover=Decimal(case.get("reset_max_rollover", 0)),
        recurrence=Recurrence(EVERY[recurs["interval"]], at(recurs["anchor"]), timezone) if recurs else None,
    )


def burned(case: dict[str, Any]) -> Balance:
    start = case["start"]
    return burn_down(
        [grant(each, case["timezone"]) for each in case["grants"]],
        [Usage(at(each["at"]), Decimal(each["amount"])) for each in case["usage"]],
        at(start["at"]),
        at(case["until"]),
        opening={name: Decimal(value) for name, value in start["balances"].items()},
        overage=Decimal(start["overage"]),
        resets=[at(each) for each in case.get("resets", ())],
        keep_overage=case.get("preserve_overage", False),
    )


@pytest.mark.parametrize("case", cases("credits.json", kind="grant_burndown"))
def test_grants_burn_down_as_the_peer_says(case: dict[str, Any]) -> None:
    balance, expected = burned(case), case["expected"]
    facts = {
        "overage": balance.overage,
        "total_balance": balance.total,
        "usage_since_reset": balance.usage_since_reset,
        "period_usage": balance.usage_since_reset,
        "total_grant_usage_since_reset": balance.burned_since_reset,
    }
    assert {name: facts[name] for name in facts.keys() & expected.keys()} == {
        name: Decimal(expected[name]) for name in facts.keys() & expected.keys()
    }
    for name, amount in expected.get("balances", {}).items():
        assert balance.balances[name] == Decimal(amount), name
    for segment, wanted in zip(balance.segments, expected.get("segments", []), strict=False):
        for name, value in (wanted or {}).items():
            first = case["grants"][0]["id"]
            got = segment.balances_at_start[first] if name == "balance_at_start" else getattr(segment, name)
            assert got == (value if name == "rollover" else Decimal(value)), (segment, name)


@pytest.mark.parametrize("case", cases("credits.json", kind="grant_effective_period"))
def test_a_grant_serves_until_the_first_of_its_ends(case: dict[str, Any]) -> None:
    now = datetime(2024, 3, 1, tzinfo=UTC)

    def after(name: str) -> datetime | None:
        seconds = case[name]
        return None if seconds is None else now + timedelta(seconds=seconds)

    granted = Grant(
        "g",
        Decimal(1),
        now + timedelta(seconds=case["effective_offset_s"]),
        expires_at=after("expires_offset_s"),
        voided_at=after("voided_offset_s"),
        deleted_at=after("deleted_offset_s"),
    )
    wanted = case["expected"]["to_offset_s"]
    assert granted.effective_at == now + timedelta(seconds=case["expected"]["from_offset_s"])
    assert granted.ended_at == (None if wanted is None else now + timedelta(seconds=wanted))


@pytest.mark.parametrize("case", cases("credits.json", kind="grant_order"))
def test_grants_burn_in_the_order_of_the_peer(case: dict[str, Any]) -> None:
    defaults = {"amount": "1", "priority": 1, "effective_at": "2024-01-01T00:00:00Z"}
    grants = [grant(defaults | each, case.get("timezone", "UTC")) for each in case["grants"]]
    assert [each.grant_id for each in burn_order(grants)] == case["expected"]["order"]


@pytest.mark.parametrize("case", cases("credits.json", kind="windowed_balance"))
def test_each_window_starts_with_what_was_left(case: dict[str, Any]) -> None:
    grants = [grant(each, case["timezone"]) for each in case["grants"]]
    usage = [Usage(at(each["at"]), Decimal(each["amount"])) for each in case["usage"]]
    start = at(case["from"])
    for number, wanted in case["expected"]["windows"].items():
        opens = start + timedelta(hours=int(number))
        balance = (
            burn_down(grants, usage, start, opens).total
            if opens > start
            else sum((each.amount for each in grants if each.active(start)), Decimal(0))
        )
        used = sum((each.amount for each in usage if opens <= each.at < opens + timedelta(hours=1)), Decimal(0))
        assert balance == Decimal(wanted["balance_at_start"]), number
        assert used == Decimal(wanted.get("usage", used)), number


@pytest.mark.parametrize("case", cases("credits.json", kind="wallet_allocation"))
def test_wallets_pay_as_the_peer_says(case: dict[str, Any]) -> None:
    wallets = [
        Wallet(
            each["id"],
            Decimal(each["balance_minor"]) / 100,
            each["currency"],
            each["priority"],
            frozenset(each["fee_types"]) if "fee_types" in each else None,
            frozenset(each["metrics"]) if "metrics" in each else None,
        )
        for each in case["wallets_in_creation_order"]
    ]
    charges = [
        Charge(each["type"], (Decimal(each["amount_minor"]) + Decimal(each["tax_minor"])) / 100, each.get("metric"))
        for each in case["fees"]
    ]
    paid = allocate(wallets, charges, case["currency"], Decimal(case["invoice_total_minor"]) / 100)
    minor = {wallet: str(to_minor(amount, case["currency"])) for wallet, amount in paid.items()}
    assert minor == case["expected"]["per_wallet_minor"]
    assert sum(map(int, minor.values())) == int(case["expected"]["total_minor"])


@pytest.mark.parametrize("case", cases("credits.json", kind="wallet_topup_rounding"))
def test_a_top_up_is_rounded_to_the_currency(case: dict[str, Any]) -> None:
    amount = round_money(Decimal(case["credits"]) * Decimal(case["rate"]), case["currency"])
    assert amount == Decimal(case["expected"]["credit_amount"])
    assert to_minor(amount, case["currency"]) == int(case["expected"]["balance_minor"])


@pytest.mark.parametrize("case", cases("credits.json", kind="wallet_lifecycle"))
def test_open_usage_and_drafts_wait_on_the_wallet_until_the_invoice_is_final(case: dict[str, Any]) -> None:
    balance = open_usage = draft = Decimal(0)
    unit = Decimal(case["plan"]["charge"]["unit_amount"])
    fee = Decimal(case["plan"]["amount_minor"]) / 100
    for step in case["steps"]:
        deed = step["do"]
        if granted := re.search(r"(\d+) credits granted", deed):
            balance += Decimal(granted[1])
        elif used := re.fullmatch(r"usage (\d+)", deed):
            open_usage += Decimal(used[1]) * unit
        elif deed.startswith("draft invoice"):
            draft, open_usage = open_usage + fee, Decimal(0)
        elif "finalized" in deed:
            paid = allocate([Wallet("w", balance, "EUR")], [Charge("charge", draft)], "EUR", draft)["w"]
            balance, draft = balance - paid, draft - paid
        waiting = draft + open_usage
        wanted = step.get("expected", {})
        got = {"balance_minor": balance, "ongoing_usage_minor": waiting, "ongoing_balance_minor": balance - waiting}
        assert {name: str(to_minor(got[name], "EUR")) for name in wanted} == wanted, deed
    assert to_minor(balance, "EUR") == int(case["expected"]["final_balance_minor"])
