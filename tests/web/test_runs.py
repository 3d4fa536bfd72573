"""The page of runs: what ran and why, what was skipped, and how a person stops or pauses something."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from detector.schedule import paused
from store import operational
from store.operational_tables import Job, Run
from tests.web.company import NOW, Home, _run
from tests.web.reading import act, get, text


@pytest.fixture
def client(empty_company: Home, tmp_path: Path) -> FlaskClient:
    """A browser on a home with a catch-up, a failed run, a skipped one and one that is going on."""
    home = empty_company.copy(tmp_path / "runs")
    with operational.writing(home.engine()) as session:
        late = _run("wrong_tier_mode", 3)
        late.missed, late.missed_from, late.milliseconds = 4, NOW - timedelta(days=3, hours=5), 1234
        failed = _run("wrong_tier_mode", 2)
        failed.status, failed.reason, failed.error = "failed", "rule_failed", "rule failed at line 7: no such luck"
        skipped = _run("usage_spike", 1)
        skipped.status, skipped.reason, skipped.trigger = "skipped", "unchanged", "event"
        skipped.slot = "invoice.draft/stripe/17"
        running = _run("usage_spike", 0)
        running.status, running.finished_at, running.findings = "running", None, None
        for run in (late, failed, skipped, running):
            session.add(run)
            session.flush()
    return home.app().test_client()


def engine_of(client: FlaskClient) -> operational.Engine:
    return client.application.extensions["trueup"].engine


def test_it_says_what_ran_why_on_which_snapshot_and_how_long(client: FlaskClient) -> None:
    html = text(get(client, "/runs"))
    assert re.search(
        r"1 Wrong tier mode 3 d ago By the clock, catches up 4 missed slots since 2026-11-18 04:30 UTC 1 1.23 s Ok 1",
        html,
    )
    assert "Failed Rule failed rule failed at line 7: no such luck" in html
    assert re.search(r"Usage spike .{3,12} ago On invoice.draft of stripe 1 .* Skipped Unchanged", html)


def test_it_lists_one_rule_or_one_way_to_end(client: FlaskClient) -> None:
    assert get(client, "/runs?rule=wrong_tier_mode").count('<td class="name">') == 2
    assert get(client, "/runs?status=failed").count('<td class="name">') == 1
    assert "Nothing of wrong tier mode has ended skipped." in text(
        get(client, "/runs?rule=wrong_tier_mode&status=skipped")
    )
    assert "There is no rule nonsense." in text(get(client, "/runs?rule=nonsense"))
    get(client, "/runs?status=nonsense", 404)


def test_before_anything_ran_it_says_how_to_begin(empty_company: Home) -> None:
    assert "Nothing has run yet" in text(get(empty_company.app().test_client(), "/runs"))


def test_a_run_that_goes_on_can_be_stopped_and_one_that_is_over_cannot(client: FlaskClient) -> None:
    act(client, "/runs/4/cancel", "/runs")
    assert "stopping, asked by console" in text(get(client, "/runs"))
    act(client, "/runs/1/cancel", "/runs")
    assert "Run 1 is over already." in text(get(client, "/runs"))
    with operational.reading(engine_of(client)) as session:
        assert session.scalars(select(Run.cancelled_by).order_by(Run.id)).all() == [None, None, None, "console"]


def test_a_rule_can_be_paused_for_a_while_and_resumed(client: FlaskClient) -> None:
    page = "/runs?rule=usage_spike"
    act(client, "/rules/usage_spike/pause", page, **{"for": "P1D"})
    html = text(get(client, "/runs"))
    assert "Usage spike is paused until 22 Nov 2026 09:30 UTC by console, just now" in html
    act(client, "/rules/usage_spike/resume", "/runs")
    with operational.reading(engine_of(client)) as session:
        assert paused(session, NOW) == {}
    act(client, "/rules/no_such_rule/pause", "/runs", **{"for": "P1D"})
    assert "There is no such rule" in text(get(client, "/runs"))


def test_what_was_asked_for_can_be_taken_back_while_it_waits(client: FlaskClient) -> None:
    act(client, "/jobs", "/runs?rule=usage_spike", kind="run", name="usage_spike")
    assert "Run of usage_spike, asked for by console just now : Queued" in text(get(client, "/runs"))
    act(client, "/jobs/1/cancel", "/runs")
    with operational.reading(engine_of(client)) as session:
        assert session.scalars(select(Job.result)).all() == ["cancelled by console"]
