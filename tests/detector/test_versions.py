"""Custom rules: saved as versions, activated only when tried, run as files are; what operators set is kept apart."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError

from detector import cycle, overrides, trials, versions
from detector.cycle import Setting
from detector.live_rules import LiveRules
from detector.rules import Rule, load
from detector.trials import Wanted
from store import operational
from store.operational_tables import Job, RuleOverride, RuleVersion, Run, Signal
from tests.detector.test_signals_cycle import NOW, company_rows
from tests.lakes import lake

RULES = Path(__file__).parents[2] / "rules"


@pytest.fixture
def engine(sqlite_engine: Engine) -> Engine:
    """What the two stores may do differently is tested where signals are folded; here one of them will do."""
    return sqlite_engine


@pytest.fixture(scope="module")
def files() -> list[Rule]:
    return load(RULES)[0]


@pytest.fixture(scope="module")
def text(files: list[Rule]) -> str:
    """A copy of a system rule under a name of its own."""
    return versions.renamed(next(rule for rule in files if rule.name == "wrong_tier_mode").text, "tier_mode_own")


@pytest.fixture
def setting(tmp_path: Path, files: list[Rule], engine: Engine) -> Iterator[Setting]:
    warehouse = lake(tmp_path / "lake")
    rule = next(rule for rule in files if rule.name == "wrong_tier_mode")
    warehouse.upsert_rows(company_rows(rule), integration="billing", version_at=NOW)
    yield Setting(warehouse, engine, lambda: NOW, "tests")
    warehouse.close()


def save(engine: Engine, text: str, note: str = "", **more: object) -> RuleVersion:
    with operational.writing(engine) as session:
        return versions.save(session, text, author="ana", note=note, now=NOW, **more)  # type: ignore[arg-type]


def activate(engine: Engine, number: int, note: str = "it finds what ours should") -> None:
    with operational.writing(engine) as session:
        version = versions.numbered(session, "tier_mode_own", number)
        versions.activate(session, version, actor="ben", note=note, now=NOW)


def run_dry(setting: Setting, files: list[Rule], wanted: Wanted) -> Job:
    live = LiveRules(files, setting.engine)
    with operational.writing(setting.engine) as session:
        trials.ask(session, live, wanted, actor="ana", now=NOW)
    job = trials.work(setting, live)
    assert job is not None
    return job


def test_a_version_is_activated_only_after_a_dry_run_of_that_very_text_and_then_runs_like_a_file(
    setting: Setting, files: list[Rule], text: str
) -> None:
    live = LiveRules(files, setting.engine)
    first = save(setting.engine, text, "a copy")
    assert "tier_mode_own" not in {rule.name for rule in live()}
    with pytest.raises(versions.NotTried, match="tier_mode_own@1 was not run dry yet"):
        activate(setting.engine, 1)
    assert run_dry(setting, files, Wanted("tier_mode_own", number=1)).status == "ok"
    with pytest.raises(ValueError, match="needs a note"):
        activate(setting.engine, 1, " ")
    activate(setting.engine, 1)
    (rule,) = [each for each in live() if each.name == "tier_mode_own"]
    assert rule.content_hash == first.content_hash
    (result,) = cycle.run(setting, [rule], NOW)
    assert (result.status, result.findings) == ("ok", 1)
    with operational.reading(setting.engine) as session:
        assert session.scalars(select(Run.rule_hash)).all() == [first.content_hash]
        assert session.scalars(select(Signal.rule_hash)).all() == [first.content_hash]
        assert versions.of_hash(session, "tier_mode_own", first.content_hash).number == 1  # type: ignore[union-attr]


def test_a_dry_run_of_another_text_or_with_other_values_does_not_count(
    setting: Setting, files: list[Rule], text: str
) -> None:
    save(setting.engine, text)
    save(setting.engine, text.replace("severity: critical", "severity: low"), "calmer")
    run_dry(setting, files, Wanted("tier_mode_own", number=1))
    run_dry(setting, files, Wanted("tier_mode_own", number=2, params={"tolerance_percent": "1"}))
    with pytest.raises(versions.NotTried):
        activate(setting.engine, 2)
    run_dry(setting, files, Wanted("tier_mode_own", text=text.replace("severity: critical", "severity: low")))
    activate(setting.engine, 2)


def test_every_saved_text_is_a_version_and_the_same_text_again_is_none(setting: Setting, text: str) -> None:
    save(setting.engine, text, "first")
    again = save(setting.engine, text, "again")
    assert (again.number, again.note, again.author) == (1, "first", "ana")
    second = save(setting.engine, text + "# a remark\n", "with a remark")
    assert second.number == 2
    with operational.reading(setting.engine) as session:
        assert [each.number for each in versions.listed(session, "tier_mode_own")] == [2, 1]
        assert versions.numbered(session, "tier_mode_own", 1).text == text
        with pytest.raises(versions.NoVersion, match="has no version 7; it has 1 to 2"):
            versions.numbered(session, "tier_mode_own", 7)
    assert versions.difference(text, second.text, ("1", "2"))[-1] == "+# a remark"


def test_an_earlier_version_is_restored_as_the_newest_one(setting: Setting, text: str) -> None:
    save(setting.engine, text, "first")
    save(setting.engine, text + "# a remark\n", "second")
    with operational.writing(setting.engine) as session:
        third = versions.restore(session, "tier_mode_own", 1, author="ben", now=NOW)
    assert (third.number, third.text, third.note, third.live) == (3, text, "restores version 1", False)


def test_activating_another_version_ends_the_one_before_and_retiring_ends_all(
    setting: Setting, files: list[Rule], text: str
) -> None:
    live = LiveRules(files, setting.engine)
    save(setting.engine, text)
    save(setting.engine, text.replace("severity: critical", "severity: low"))
    for number in (1, 2):
        run_dry(setting, files, Wanted("tier_mode_own", number=number))
        activate(setting.engine, number)
    assert [rule.severity for rule in live() if rule.name == "tier_mode_own"] == ["low"]
    with operational.writing(setting.engine) as session:
        assert versions.retire(session, "tier_mode_own", actor="ann", now=NOW).number == 2  # type: ignore[union-attr]
        assert [each.label for each in versions.drafts(session)] == ["tier_mode_own@2"]
    assert "tier_mode_own" not in {rule.name for rule in live()}


def test_the_database_lets_only_one_version_be_live(setting: Setting, text: str) -> None:
    save(setting.engine, text)
    save(setting.engine, text + "#\n")
    with pytest.raises(IntegrityError), operational.writing(setting.engine) as session:
        for version in versions.listed(session, "tier_mode_own"):
            version.live = True


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("severity: critical", "severity: awful", "custom/tier_mode_own.yaml:9: severity: "),
        ("FROM price_differences", "FROM price_diff", "custom/tier_mode_own.yaml:19:8: query: there is no relation"),
        ("name: tier_mode_own", "name: other_name", "name: it stays tier_mode_own"),
        ("name: tier_mode_own", "name: usage_spike", "a file of the rules folder has the name usage_spike"),
    ],
)
def test_a_text_that_is_not_sound_is_refused_by_line(
    setting: Setting, files: list[Rule], text: str, old: str, new: str, said: str
) -> None:
    with pytest.raises(versions.Unsound) as refused:
        name = None if "usage" in new else "tier_mode_own"
        save(setting.engine, text.replace(old, new), name=name, taken={rule.name for rule in files})
    assert said in str(refused.value)


def test_the_text_of_a_system_rule_is_kept_when_it_first_runs(setting: Setting, files: list[Rule]) -> None:
    rule = next(rule for rule in files if rule.name == "wrong_tier_mode")
    for _ in range(2):
        cycle.run(setting, [rule], NOW)
    with operational.reading(setting.engine) as session:
        (kept,) = versions.listed(session, "wrong_tier_mode")
        assert (kept.origin, kept.text, kept.live) == ("system", rule.text, False)
    with operational.writing(setting.engine) as session, pytest.raises(ValueError, match="runs by its file; copy it"):
        versions.activate(session, versions.newest(session, rule.name), actor="b", note="n", now=NOW)  # type: ignore[arg-type]


def test_a_custom_rule_beside_which_a_file_of_its_name_came_does_not_run_and_that_is_said(
    setting: Setting, files: list[Rule], text: str
) -> None:
    save(setting.engine, text)
    run_dry(setting, files, Wanted("tier_mode_own", number=1))
    activate(setting.engine, 1)
    upgraded = [*files, files[0].model_copy(update={"name": "tier_mode_own"})]
    rules, problems = LiveRules(upgraded, setting.engine).read()
    assert [rule.content_hash for rule in rules if rule.name == "tier_mode_own"] == [files[0].content_hash]
    assert "a file of the rules folder has the name tier_mode_own" in str(problems[0])


def set_by(engine: Engine, rule: Rule, **wanted: object) -> RuleOverride | None:
    with operational.writing(engine) as session:
        return overrides.change(session, rule, overrides.Change(**wanted), actor="ana", now=NOW)  # type: ignore[arg-type]


def test_what_is_set_for_a_system_rule_holds_and_survives_an_upgrade(setting: Setting, files: list[Rule]) -> None:
    rule = next(rule for rule in files if rule.name == "wrong_tier_mode")
    set_by(
        setting.engine, rule, severity="low", schedule='{daily: "07:30", timezone: Europe/Berlin}',
        params={"tolerance_percent": "0.5"},
    )  # fmt: skip
    upgraded = rule.model_copy(update={"content_hash": "another", "why": "Said better."})
    (running,) = LiveRules([upgraded], setting.engine)()
    assert (running.severity, str(running.params["tolerance_percent"].default)) == ("low", "0.5")
    assert (f"{running.schedule.daily:%H:%M}", running.schedule.timezone) == ("07:30", "Europe/Berlin")
    assert running.why == "Said better."
    cycle.run(setting, [rule], NOW)
    with operational.reading(setting.engine) as session:
        assert session.scalars(select(Signal.severity)).all() == ["low"]


def test_what_an_upgrade_no_longer_takes_is_left_out_and_said(setting: Setting, files: list[Rule]) -> None:
    rule = next(rule for rule in files if rule.name == "wrong_tier_mode")
    override = set_by(setting.engine, rule, params={"tolerance_percent": "4"}, severity="low")
    narrower = rule.params["tolerance_percent"].model_copy(update={"max": 2})
    upgraded = rule.model_copy(update={"params": {"tolerance_percent": narrower}})
    running = overrides.applied(upgraded, override)
    assert (running.severity, running.params["tolerance_percent"].default) == ("low", narrower.default)
    assert overrides.remarks(upgraded, override) == [
        "tolerance_percent: 4 is above the maximum of 2; the rule's own 0.01 holds"
    ]
    gone = rule.model_copy(update={"params": {}})
    assert "no such parameter any more" in overrides.remarks(gone, override)[0]


def test_a_rule_that_is_set_back_to_its_text_has_no_override_left(setting: Setting, files: list[Rule]) -> None:
    rule = next(rule for rule in files if rule.name == "wrong_tier_mode")
    assert set_by(setting.engine, rule, off=True) is not None
    with operational.reading(setting.engine) as session:
        assert overrides.off(session, NOW) == {"wrong_tier_mode"}
    as_it_is = overrides.written(rule.schedule)
    assert (
        set_by(setting.engine, rule, severity="critical", schedule=as_it_is, params={"tolerance_percent": "0.010"})
        is None
    )
    with operational.reading(setting.engine) as session:
        assert session.scalars(select(RuleOverride)).all() == []
        assert overrides.off(session, NOW) == set()


def test_a_rule_is_off_until_the_instant_that_was_named(setting: Setting, files: list[Rule]) -> None:
    set_by(setting.engine, files[0], off=True, until=NOW + timedelta(days=1))
    with operational.reading(setting.engine) as session:
        assert overrides.off(session, NOW) == {files[0].name}
        assert overrides.off(session, NOW + timedelta(days=1)) == set()


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"severity": "awful"}, "severity: 'awful' is none of critical, high, medium, low"),
        ({"schedule": '{daily: "25:00"}'}, "schedule: daily: '25:00' is not a time of day"),
        ({"schedule": "soon"}, "schedule: write a schedule as in a rule"),
        ({"params": {"tolerance_percent": "9"}}, "params: parameter tolerance_percent: 9 is above the maximum of 5"),
        ({"params": {"tolerance": "1"}}, "params: there is no parameter tolerance; the rule has: tolerance_percent"),
    ],
)
def test_what_a_rule_does_not_take_is_refused(
    setting: Setting, files: list[Rule], wanted: dict[str, object], said: str
) -> None:
    rule = next(rule for rule in files if rule.name == "wrong_tier_mode")
    with pytest.raises(overrides.BadOverride) as refused:
        set_by(setting.engine, rule, **wanted)
    assert said in str(refused.value)


def test_a_trial_that_waits_or_runs_can_be_cancelled(setting: Setting, files: list[Rule], text: str) -> None:
    live = LiveRules(files, setting.engine)
    start = NOW - timedelta(days=5)
    with operational.writing(setting.engine) as session:
        waiting = trials.ask(session, live, Wanted("wrong_tier_mode"), actor="ana", now=NOW)
        assert trials.cancel(session, waiting.id, NOW)
        assert not trials.cancel(session, waiting.id, NOW)
    assert trials.work(setting, live) is None
    with operational.writing(setting.engine) as session:
        running = trials.ask(session, live, Wanted("wrong_tier_mode", start=start, step="P1D"), actor="ana", now=NOW)
        running.status = "running"
        assert trials.cancel(session, running.id, NOW)
        assert running.status == "cancelling"
        running.lease_until = NOW  # its worker is gone; the next one finds that nobody wants it any more
    assert trials.work(setting, live) is None
    with operational.reading(setting.engine) as session:
        assert session.scalars(select(Job.status).order_by(Job.id)).all() == ["cancelled", "cancelled"]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Wanted("wrong_tier_mode", params={"tolerance": "1"}), "there is no parameter tolerance"),
        (Wanted("wrong_tier_mode", step="daily"), "is not an ISO 8601 duration"),
        (Wanted("wrong_tier_mode", start=NOW + timedelta(days=1)), "before it starts"),
        (Wanted("wrong_tier_mode", text="name: x"), "this field is missing"),
    ],
)
def test_what_cannot_be_tried_is_refused_when_it_is_asked_for(
    setting: Setting, files: list[Rule], wanted: Wanted, said: str
) -> None:
    with pytest.raises(ValueError, match=said), operational.writing(setting.engine) as session:
        trials.ask(session, LiveRules(files, setting.engine), wanted, actor="ana", now=NOW)
    with operational.reading(setting.engine) as session:
        assert session.scalars(select(Job)).all() == []
