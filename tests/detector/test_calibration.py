"""What a parameter does at each value, from the signals that people judged."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from detector import calibration, case_rows, cycle, triage
from detector.cycle import Setting
from detector.parameters import Parameter
from detector.rules import Rule, parse
from detector.trial_report import calibration_json, calibration_text
from store import operational
from store.operational_tables import Signal
from tests.detector.test_signals_cycle import NOW
from tests.lakes import lake

TEXT = """\
name: open_invoice
code: OWN-1
title: "{invoice_id} is open ({impact})"
why: An invoice over a least amount is open.
category: collection
severity: low
schedule: {daily: "06:00"}
params:
  least: {type: int, default: 0, min: 0, max: 100, why: "Smaller amounts are let be."}
  words: {type: text, default: open, why: "The status."}
query: |
  SELECT integration, invoice_id, currency, amount_due FROM invoices
  WHERE status = $words AND amount_due > $least AND invoice_id LIKE 'inv_t%'
subject: invoice
period: null
cause: invoice
impact: {exposure: amount_due}
entities: [invoice]
playbook: {root_cause: [{system: crm, change: Ask., outcome: Paid.}]}
cases:
  - name: open
    given: {invoices: [{invoice_id: inv_t, status: open, amount_due: 5.00}]}
    expect: [{cause: "invoice:inv_t", exposure: 5.00}]
  - {name: nothing, expect: quiet}
"""


@pytest.fixture(scope="module")
def rule() -> Rule:
    made, problems = parse(TEXT, Path("open_invoice.yaml"))
    assert made is not None, problems
    return made


def company(rule: Rule, amounts: list[int]) -> dict[str, list[dict[str, object]]]:
    """The company with an open invoice of each amount."""
    given = [
        {"invoice_id": f"inv_t{at:02}", "status": "open", "amount_due": Decimal(due)} for at, due in enumerate(amounts)
    ]
    case = rule.cases[0].model_copy(update={"given": {"invoices": given}})
    return case_rows.rows(case, case_rows.beside(rule.path))


@pytest.fixture
def setting(tmp_path: Path, sqlite_engine: Engine) -> Iterator[Setting]:
    warehouse = lake(tmp_path / "lake")
    yield Setting(warehouse, sqlite_engine, lambda: NOW, "tests")
    warehouse.close()


def judge(setting: Setting, rule: Rule, amounts: list[int], smallest_right: int) -> None:
    """The rule runs, people resolve the signals over an amount and say of the others that they are none.

    Afterwards every invoice is paid, so that only the past shows what the rule found.
    """
    setting.warehouse.upsert_rows(company(rule, amounts), integration="billing", version_at=NOW)
    cycle.run(setting, [rule], NOW)
    with operational.writing(setting.engine) as session:
        for signal in session.scalars(select(Signal)).all():
            if signal.exposure >= smallest_right:
                triage.resolve(session, [signal.id], "paid", actor="ana", now=NOW, waiver="seen")
            else:
                triage.dismiss(session, [signal.id], "false_positive", actor="ana", now=NOW)
    paid = [{**row, "status": "paid", "amount_due": Decimal(0)} for row in company(rule, amounts)["invoices"]
            if str(row["invoice_id"]).startswith("inv_t")]  # fmt: skip
    setting.warehouse.upsert_rows({"invoices": paid}, integration="billing", version_at=NOW + timedelta(hours=1))


def calibrated(setting: Setting, rule: Rule, **more: object) -> calibration.Calibration:
    later = NOW + timedelta(days=1)
    return calibration.calibrate(
        setting.warehouse,
        setting.engine,
        rule,
        "least",
        setting.policy,
        later,
        **more,  # type: ignore[arg-type]
    )


def test_the_curve_is_of_the_judged_signals_on_the_snapshot_that_raised_them(setting: Setting, rule: Rule) -> None:
    judge(setting, rule, [1, 2, 3, 20, 40, 60], smallest_right=20)
    found = calibrated(setting, rule, values=["0", "10", "30", "100"])
    curve = [(each.value, each.signals, each.right, each.wrong) for each in found.tried]
    assert curve == [("0", 6, 3, 3), ("10", 3, 3, 0), ("30", 2, 2, 0), ("100", 0, 0, 0)]
    assert [str(money.exposure) for each in found.tried for money in each.impacts] == [
        "126.0000",
        "120.0000",
        "100.0000",
    ]
    assert (found.right, found.wrong, found.current) == (3, 3, "0")


def test_the_suggested_value_spares_wrong_signals_and_says_what_it_would_lose(setting: Setting, rule: Rule) -> None:
    judge(setting, rule, [1, 2, 3, 20, 40, 60], smallest_right=20)
    found = calibrated(setting, rule, values=["0", "10", "30"])
    assert found.suggested is not None
    assert (found.suggested.value, found.suggested.lost, len(found.suggested.spared)) == ("10", (), 3)
    costly = calibrated(setting, rule, values=["0", "30"])
    assert costly.suggested is None
    assert [label.verdict for label in costly.tried[1].lost] == ["right"]
    assert "suggested: 10; it spares 3 wrong signals and of the right ones loses none" in "\n".join(
        calibration_text(calibration_json(found))
    )


def test_below_thirty_judged_signals_there_are_counts_and_no_rate(setting: Setting, rule: Rule) -> None:
    judge(setting, rule, list(range(1, 30)), smallest_right=20)
    told = calibration_json(calibrated(setting, rule, values=["0", "10"]))
    assert {each["precision"] for each in told["values"]} == {None}
    assert "29 judged signals: 10 right, 19 wrong; too few for a rate, which needs 30" in calibration_text(told)


def test_from_thirty_judged_signals_on_there_is_a_rate(setting: Setting, rule: Rule) -> None:
    judge(setting, rule, list(range(1, 41)), smallest_right=31)
    told = calibration_json(calibrated(setting, rule, values=["0", "5"]))
    assert [each["precision"] for each in told["values"]] == ["0.250", "0.286"]


def test_a_signal_that_healed_untouched_says_nothing_about_the_rule(setting: Setting, rule: Rule) -> None:
    setting.warehouse.upsert_rows(company(rule, [5]), integration="billing", version_at=NOW)
    cycle.run(setting, [rule], NOW)
    gone = [{**company(rule, [5])["invoices"][-1], "status": "paid", "amount_due": Decimal(0)}]
    setting.warehouse.upsert_rows({"invoices": gone}, integration="billing", version_at=NOW + timedelta(hours=1))
    for hour in (1, 2):
        cycle.run(setting, [rule], NOW + timedelta(hours=hour))
    assert calibrated(setting, rule, values=["0"]).judged == 0


def test_only_a_numeric_parameter_of_the_rule_can_be_calibrated(setting: Setting, rule: Rule) -> None:
    for name in ("words", "most"):
        with pytest.raises(ValueError, match=f"open_invoice has no numeric parameter {name}; it has least"):
            calibration.calibrate(setting.warehouse, setting.engine, rule, name, setting.policy, NOW)


@pytest.mark.parametrize(
    ("declared", "values"),
    [
        ({"type": "int", "default": 45, "min": 1, "max": 365}, "1 2 5 10 20 50 100 200 365"),
        ({"type": "decimal", "default": "0.01", "min": 0, "max": 5}, "0 0.005 0.01 0.05 0.1 0.2 1 2 5"),
        ({"type": "int", "default": 3}, "1 2 5 10 12"),
        ({"type": "duration", "default": "P2D"}, "P1D P2D P3D P4D P6D P8D"),
    ],
)
def test_round_values_between_the_bounds_are_tried(declared: dict[str, object], values: str) -> None:
    parameter = Parameter.model_validate({**declared, "why": "x"})
    spread = calibration.spread(parameter)
    assert all(parameter.parse(value) is not None for value in spread)
    assert " ".join(spread) == values
