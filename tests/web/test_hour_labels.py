"""What people say of hours is said on the page and by programs, by whom may act and by nobody else."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from store import operational
from store.usage_tables import UsageLabelRow
from tests.unusual_home import make_hourly
from tests.web.api.conftest import token_of
from tests.web.company import Home
from tests.web.reading import get, token
from tests.web.signing import browser_of, person, team


@pytest.fixture(scope="module")
def hourly_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return make_hourly(tmp_path_factory.mktemp("hours") / "home")


def said(home: Home) -> list[tuple[int, str, str, str]]:
    with operational.reading(home.engine()) as session:
        rows = session.scalars(select(UsageLabelRow).order_by(UsageLabelRow.id))
        return [(row.signal_id, row.oddness, row.verdict, str(row.last_day - row.first_day)) for row in rows]


def test_hours_are_labelled_on_the_page_and_by_programs_by_whom_may_act(hourly_home: Home) -> None:
    app = hourly_home.app()
    people = team(hourly_home)
    viewer, analyst = (browser_of(app, hourly_home, people[role]) for role in ("viewer", "analyst"))
    page = get(analyst, "/signals/SIG-1")
    assert "What was it?" in page
    assert "let pass for eight weeks" in page
    form = {"csrf_token": token(page), "id": "1", "deed": "label", "verdict": "no_fault", "back": "/signals/SIG-1"}
    seen = get(viewer, "/signals/SIG-1")
    assert viewer.post("/signals/act", data=form | {"csrf_token": token(seen)}).status_code == 403
    assert said(hourly_home) == []
    assert analyst.post("/signals/act", data=form).status_code == 303
    assert by_program(app.test_client(), token_of(hourly_home, people["viewer"])) == 403
    assert by_program(app.test_client(), token_of(hourly_home, people["analyst"])) == 200
    assert said(hourly_home) == [(1, "silent_hours", "no_fault", "0:00:00"), (2, "high_hours", "fault", "0:00:00")]
    assert "False positive" in get(analyst, "/signals/SIG-1")
    assert "In progress" in get(analyst, "/signals/SIG-2")


def by_program(client: FlaskClient, secret: str) -> int:
    body = {"op": "label", "ids": ["SIG-2"], "verdict": "fault"}
    answer = client.post("/api/v1/signals/actions", json=body, headers={"Authorization": f"Bearer {secret}"})
    return answer.status_code


def test_the_chart_of_hours_shows_them_beside_the_week_before(hourly_home: Home) -> None:
    client = browser_of(hourly_home.app(), hourly_home, person(hourly_home, "Olga Other", "viewer"))
    silence, rise = (get(client, f"/signals/SIG-{number}?show=working") for number in (1, 2))
    assert "Usage by hour" in silence
    assert silence.count("no events") == 5  # 03:00 to 07:00: the eighth hour is not over at its source
    assert re.search(r"21 Nov 2026, 08:00: 9,000 \w+", rise)
