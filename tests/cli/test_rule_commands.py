"""Rules on the command line: tried on the past, saved as versions, activated, set, calibrated."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import AS_OF, ROOT, Commands

EARLIER = "2026-10-20T06:00:00Z"


@pytest.fixture
def own(trueup_filled: Commands, tmp_path: Path) -> Path:
    """A file with a copy of a system rule."""
    made = trueup_filled("rules", "new", "tier_mode_own", "--to", tmp_path / "tier_mode_own.yaml", "--copy", "TU-19")
    assert made.code == 0, made.err
    return tmp_path / "tier_mode_own.yaml"


def test_a_rule_goes_from_a_file_through_a_dry_run_to_running(trueup_filled: Commands, own: Path) -> None:
    assert "tier_mode_own@1 saved; try it: trueup dry-run tier_mode_own@1" in trueup_filled("rules", "push", own).out
    early = trueup_filled("rules", "activate", "tier_mode_own", "--note", "ours")
    assert early.code == 2
    assert "was not run dry yet" in early.err
    dry = trueup_filled("dry-run", "tier_mode_own@1", "--to", AS_OF, "--json").json
    assert dry["difference"] is None
    active = trueup_filled("rules", "activate", "tier_mode_own", "--note", "ours", "--json").json
    assert (active["live"], active["number"], active["activation_note"]) == (True, 1, "ours")
    ran = trueup_filled("run", "tier_mode_own", "--as-of", AS_OF)
    assert ran.code == 0
    kept = trueup_filled("signals", "--rule", "tier_mode_own", "--json").json
    assert len(kept) == dry["signals"]
    assert {signal["cause"] for signal in kept} == {each["cause"] for each in dry["would_raise"]}
    assert "tier_mode_own" in trueup_filled("rules", "list").out
    assert trueup_filled("signal", "show", kept[0]["id"], "--json").json["run"]["rule_version"] == 1


def test_the_export_of_a_rule_is_what_was_pushed(trueup_filled: Commands, own: Path, tmp_path: Path) -> None:
    trueup_filled("rules", "push", own)
    assert trueup_filled("rules", "export", "tier_mode_own").out == own.read_text()
    trueup_filled("rules", "export", "wrong_tier_mode", "--to", tmp_path / "out.yaml")
    system = (ROOT / "rules" / "pricing" / "wrong_tier_mode.yaml").read_text()
    assert (tmp_path / "out.yaml").read_text() == system
    again = trueup_filled("rules", "export", "wrong_tier_mode", "--to", tmp_path / "out.yaml")
    assert again.code == 2
    assert "is there already" in again.err


def test_versions_are_listed_compared_and_restored(trueup_filled: Commands, own: Path) -> None:
    trueup_filled("rules", "push", own, "--note", "a copy")
    deaf = own.read_text().replace("\nsubject:", "      AND abs(difference) > 1000000\n\nsubject:", 1)
    own.write_text(deaf)
    trueup_filled("rules", "push", own, "--note", "only what is large")
    told = trueup_filled("rules", "diff", "tier_mode_own", "--effect", "--to", AS_OF, "--json").json
    assert (told["before"], told["after"]) == ("tier_mode_own@1", "tier_mode_own@2")
    assert "+      AND abs(difference) > 1000000" in told["text"]
    counts = told["effect"]["difference"]["counts"]
    assert (counts["added"], counts["gone"] > 0) == (0, True)
    restored = trueup_filled("rules", "restore", "tier_mode_own", 1, "--json").json
    assert (restored["number"], restored["note"]) == (3, "restores version 1")
    listed = trueup_filled("rules", "versions", "tier_mode_own", "--json").json
    assert [each["number"] for each in listed] == [3, 2, 1]
    assert listed[0]["content_hash"] == listed[2]["content_hash"]


def test_a_file_with_mistakes_is_not_saved_and_every_line_is_named(trueup_filled: Commands, own: Path) -> None:
    own.write_text(own.read_text().replace("severity: critical", "severity: awful"))
    answer = trueup_filled("rules", "push", own)
    assert answer.code == 1
    assert re.search(rf"{own}:\d+: severity: ", answer.err)
    assert trueup_filled("rules", "versions", "tier_mode_own").code == 2


def test_the_name_of_a_file_of_the_pack_cannot_be_pushed(trueup_filled: Commands) -> None:
    answer = trueup_filled("rules", "push", ROOT / "rules" / "usage" / "usage_spike.yaml")
    assert answer.code == 1
    assert "a file of the rules folder has the name usage_spike; take another" in answer.err


def test_a_dry_run_over_a_range_steps_through_it_and_can_be_limited(trueup_filled: Commands) -> None:
    span = ("--from", EARLIER, "--to", AS_OF)
    told = trueup_filled("dry-run", "wrong_tier_mode", *span, "--step", "P5D", "--json").json
    moments = [point["as_of"][:10] for point in told["instants"]["evaluated"]]
    assert moments == ["2026-10-20", "2026-10-25", "2026-10-30", "2026-11-03"]
    assert (told["partial"], told["step"], told["thinned"]) == (None, "P5D", False)
    assert {point["of_that_time"] for point in told["instants"]["evaluated"]} == {False}
    hasty = trueup_filled("dry-run", "wrong_tier_mode", *span, "--seconds", "0.1", "--json").json
    assert hasty["partial"].startswith("stopped at the limit of 0.1 s after")
    assert hasty["thinned"]


def test_a_dry_run_of_a_file_says_what_it_adds_to_the_live_rule(trueup_filled: Commands, own: Path) -> None:
    text = trueup_filled("dry-run", own, "--to", AS_OF)
    assert text.code == 0
    assert "TU-19 tier_mode_own would raise" in text.out
    spare = trueup_filled("dry-run", "usage_spike", "--to", AS_OF, "--set", "min_money=100000")
    assert re.search(r"beside the live version: 0 added, [1-9]\d* gone, 0 changed, 0 the same", spare.out), spare.out
    unknown = trueup_filled("dry-run", "usage_spike", "--set", "least=1")
    assert (unknown.code, len(unknown.lines)) == (2, 1)
    assert "there is no parameter least; the rule has: min_money" in unknown.err


def test_what_is_set_for_a_rule_holds_until_it_is_reset(trueup_filled: Commands) -> None:
    told = trueup_filled(
        "rules", "set", "TU-19", "--severity", "low", "--param", "tolerance_percent=1", "--off", "--json"
    ).json
    assert told["set"] == {"severity": "low", "tolerance_percent": "1", "off": "for good"}
    (shown,) = [rule for rule in trueup_filled("rules", "list", "--json").json if rule["code"] == "TU-19"]
    assert shown["severity"] == "low"
    assert "wrong_tier_mode" not in trueup_filled("run", "--as-of", AS_OF).out
    assert "TU-19 wrong_tier_mode: " in trueup_filled("run", "wrong_tier_mode", "--as-of", AS_OF).out
    assert trueup_filled("rules", "set", "TU-19", "--on", "--json").json["set"] == {
        "severity": "low",
        "tolerance_percent": "1",
    }
    assert trueup_filled("rules", "set", "TU-19", "--reset", "--json").json["set"] == {}


def test_a_parameter_is_calibrated(trueup_filled: Commands) -> None:
    told = trueup_filled("rules", "calibrate", "payment_retries_exhausted", "min_attempts", "--json").json
    signals = [each["signals"] for each in told["values"]]
    assert signals == sorted(signals, reverse=True)
    assert [each["value"] for each in told["values"]].count(told["current"]) == 1
    assert {each["precision"] for each in told["values"]} == {None}
    text = trueup_filled("rules", "calibrate", "TU-59", "min_attempts", "--value", "2", "--value", "20")
    assert "too few for a rate, which needs 30" in text.out
    assert "nobody dismissed a signal of it" in text.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rules", "calibrate", "TU-19", "patience"], "has no numeric parameter patience; it has tolerance_percent"),
        (["rules", "set", "TU-19", "--severity", "awful"], "severity: 'awful' is none of critical, high, medium, low"),
        (["rules", "versions", "nothing"], "no version of nothing was ever kept"),
        (["rules", "restore", "nothing", "1"], "no version of nothing was ever saved"),
        (["rules", "retire", "TU-19"], "no version of TU-19 is live"),
        (["rules", "activate", "nothing", "--note", "x"], "no version of nothing was ever saved"),
        (["dry-run", "TU-19", "--step", "daily"], "--step: 'daily' is not an ISO 8601 duration"),
        (["dry-run", "TU-19", "--from", "2026-11-03", "--to", "2026-11-01"], "before it starts"),
        (["dry-run", "nothing@3"], "no version of nothing was ever saved"),
    ],
)
def test_bad_arguments_are_one_line_and_two(trueup_in: Commands, arguments: list[str], said: str) -> None:
    answer = trueup_in(*arguments)
    assert (answer.code, answer.out, len(answer.lines)) == (2, "", 1), answer.err
    assert said in answer.lines[0]


def test_the_schema_is_json_for_an_editor(trueup_in: Commands) -> None:
    told = json.loads(trueup_in("rules", "schema").out)
    assert {"name", "cause", "cases"} <= set(told["required"])
