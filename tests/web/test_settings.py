"""The page of settings: what is set here is shown before it is kept, and holds everywhere; the rest says whence."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from config import load
from detector.operator_settings import Stated
from stated import HIDDEN, stated
from tests.web.company import Home
from tests.web.reading import Page, act, get, text


@pytest.fixture
def client(many_signals: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    home = many_signals.copy(tmp_path_factory.mktemp("settings") / "home")
    with home.app().test_client() as client:
        yield client


def fields(html: str) -> dict[str, str]:
    """What the form of the page would send."""
    found = {each["name"]: each["value"] for each in Page(html).all("input") if "." in each.get("name", "")}
    year = re.search(r'<option value="(\d+)" selected', html)
    seen = re.search(r'name="seen" value="(\w+)"', html)
    assert year
    assert seen
    return {**found, "calendar.year_begins": year[1], "seen": seen[1]}


def keep(client: FlaskClient, **changes: str) -> str:
    """Change some fields, review, save; what the review showed."""
    form = {**fields(get(client, "/settings")), **{name.replace("__", "."): value for name, value in changes.items()}}
    shown = act(client, "/settings/review", "/settings", code=200, **form).get_data(as_text=True)
    act(client, "/settings", "/settings", **form, reason="agreed on Monday")
    return text(shown)


def test_a_change_is_shown_before_it_is_kept_and_then_holds_everywhere(client: FlaskClient) -> None:
    assert Page(get(client, "/settings")).problems == []
    shown = keep(client, sla_hours__critical="4", severity_words__critical="Blocker")
    assert "2 settings would change" in shown
    assert "Deadline in hours of critical 24 4" in shown
    inbox = get(client, "/signals")
    assert re.search(r'<span class="pill critical" title="A wrong invoice goes out soon[^"]*">Blocker</span>', inbox)
    assert "Blocker" in text(get(client, "/signals?sev=critical")).split("Clear all")[0]
    assert "Blocker 4 h" in text(get(client, "/team"))
    audited = text(get(client, "/audit"))
    assert "agreed on Monday" in audited
    assert "Team: Hours" in audited
    assert "Settings: Severities" in audited


def test_what_cannot_be_is_told_at_its_field_and_what_was_typed_stays(client: FlaskClient) -> None:
    form = {**fields(get(client, "/settings")), "sla_hours.low": "never", "calendar.timezone": "Mars/Olympus",
            "severity_words.info": "High"}  # fmt: skip
    html = act(client, "/settings/review", "/settings", code=400, **form).get_data(as_text=True)
    shown = text(html)
    assert "Nothing is kept yet: 3 fields need another value" in shown
    assert "The hours for low must be a whole number from 1 to 8784" in shown
    assert "There is no time zone 'Mars/Olympus'" in shown
    assert "High and info cannot both be called 'High'" in shown
    assert 'value="never"' in html
    assert Page(html).problems == []


def test_nothing_different_is_said_and_no_row_is_written(client: FlaskClient) -> None:
    act(client, "/settings/review", "/settings", **fields(get(client, "/settings")))
    assert "Nothing is different" in text(get(client, "/settings"))


def test_whoever_was_slower_is_told_who_was_faster(client: FlaskClient) -> None:
    old = {**fields(get(client, "/settings")), "sla_hours.low": "100"}
    act(client, "/preferences", who="Ada")
    keep(client, sla_hours__high="12")
    answer = act(client, "/settings", "/settings", code=409, **old)
    assert "Ada changed sla hours" in answer.get_data(as_text=True)
    assert fields(get(client, "/settings"))["sla_hours.low"] == "720"


def test_reports_begin_their_months_and_years_by_the_calendar(client: FlaskClient) -> None:
    keep(client, calendar__timezone="America/New_York", calendar__year_begins="7")
    assert "Report of 1–30 Nov 2026" in text(get(client, "/reports/manager?period=2026-11"))
    assert "Report of 1 Jul 2026 – 30 Jun 2027" in text(get(client, "/reports/manager?period=2026"))
    assert 'href="?period=2025"' in get(client, "/reports/manager?period=2025-11"), "November 2025 is of that year"


def test_the_configuration_is_shown_with_its_sources_and_never_a_secret(many_signals: Home) -> None:
    environment = {
        "TRUEUP__OPERATIONAL__URL": "postgresql://trueup:hunter2@db/trueup",
        "TRUEUP__WAREHOUSE__CATALOG": "postgres:dbname=lake password=hunter2",
        "TRUEUP__REMEDIATION__APPROVAL_LIMIT__USD": "500",
        "TRUEUP_HOME": "/srv/trueup",
    }
    told = {each.key: each for each in stated(load(environment), environment)}
    assert told["home"] == Stated("home", "/srv/trueup", "TRUEUP_HOME")
    assert told["remediation.approval_limit.USD"].source == "TRUEUP__REMEDIATION__APPROVAL_LIMIT__USD"
    assert told["detect.cooldown"] == Stated("detect.cooldown", "14 days", "")
    assert told["operational.url"].value == f"postgresql://trueup:{HIDDEN}@db/trueup"
    assert told["warehouse.catalog"].value == f"postgres:dbname=lake password={HIDDEN}"
    with many_signals.app(stated=tuple(told.values())).test_client() as client:
        html = get(client, "/settings")
    assert "hunter2" not in html
    assert "detect.cooldown 14 days built in" in text(html)
    assert Page(html).problems == []
