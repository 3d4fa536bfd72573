"""A list or the report is scheduled beside its export, changed and ended there and on the notifications page."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from people import posting, telling
from store import operational
from store.export_tables import ScheduledExport
from store.notice_tables import Telling
from store.view_tables import SavedView
from tests.web.company import NOW, Home
from tests.web.reading import Page, act, get, text
from tests.web.signing import browser_of, team

WEEKLY = {"rhythm": "monday", "day": "1", "at": "07:30", "timezone": "Europe/Berlin", "format": "json"}


@pytest.fixture
def home(many_signals: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    return many_signals.copy(tmp_path_factory.mktemp("scheduling") / "home")


def exports(home: Home) -> list[ScheduledExport]:
    with operational.reading(home.engine()) as session:
        found = list(session.scalars(select(ScheduledExport).order_by(ScheduledExport.id)))
        session.expunge_all()
        return found


def test_a_list_is_scheduled_from_its_own_page_and_listed_with_what_came_of_it(home: Home) -> None:
    people = team(home)
    ana = browser_of(home.app(ways=["mail"]), home, people["analyst"])
    html = get(ana, "/signals?sev=critical")
    assert Page(html).problems == []
    assert "Keep this list as a view called" in text(html)
    act(ana, "/exports", "/signals?sev=critical", name="Critical", **WEEKLY)
    with operational.reading(home.engine()) as session:
        view = session.scalars(select(SavedView)).one()
    assert (view.owner, view.query, view.shared) == ("Ana Analyst", "sev=critical", False)
    html = get(ana, "/signals?sev=critical")
    assert Page(html).problems == []
    assert "Critical , as the view is when it is sent." in text(html)
    assert "Critical every Monday at 07:30, Europe/Berlin" in text(html)
    act(ana, "/exports", "/signals?sev=critical", view=str(view.id), **{**WEEKLY, "rhythm": "daily"})
    assert [each.view_id for each in exports(home)] == [view.id, view.id]
    with operational.writing(home.engine()) as session:
        first = session.get_one(ScheduledExport, 1)
        first.next_at = NOW
        posting.gather(session, NOW)
    posting.send(home.engine(), None, "", lambda: NOW)
    html = get(ana, "/notifications")
    assert Page(html).problems == []
    assert "Next in 1 d 21 h ." in text(html)
    assert "Not sent: no mail is configured; notify in config.yaml names it." in text(html)
    assert "Sent to you on a schedule Nothing is." in text(get(browser_of(home.app(), home, people["viewer"]),
                                                               "/notifications"))  # fmt: skip


def test_it_is_changed_paused_and_ended_by_its_own_person_only(home: Home) -> None:
    people = team(home)
    app = home.app(ways=["mail"])
    manager, ana = browser_of(app, home, people["manager"]), browser_of(app, home, people["analyst"])
    html = get(manager, "/reports/manager")
    assert Page(html).problems == []
    assert 'popovertarget="schedule">Schedule' in html
    act(manager, "/exports", "/reports/manager", period="last_month", rhythm="monthly", day="1", at="08:00",
        timezone="UTC")  # fmt: skip
    (made,) = exports(home)
    assert (made.period, made.rhythm, made.format) == ("last_month", "monthly", "csv")
    act(ana, f"/exports/{made.id}", "/notifications", deed="end")
    assert f"Ana Analyst has no scheduled export {made.id}" in text(get(ana, "/notifications"))
    changed = {"rhythm": "daily", "day": "2", "at": "25:00", "timezone": "UTC"}
    act(manager, f"/exports/{made.id}", "/notifications", deed="change", **changed)
    assert "At is a time of day such as 08:00, not '25:00'" in text(get(manager, "/notifications"))
    act(manager, f"/exports/{made.id}", "/notifications", deed="change", **{**changed, "at": "09:15"})
    assert "every day at 09:15, UTC" in text(get(manager, "/notifications"))
    act(manager, f"/exports/{made.id}", "/notifications", deed="pause")
    assert "Paused." in text(get(manager, "/reports/manager"))
    act(manager, f"/exports/{made.id}", "/notifications", deed="resume")
    act(manager, f"/exports/{made.id}", "/notifications", deed="end")
    assert exports(home) == []
    act(ana, "/exports", "/signals", period="last_month", rhythm="daily", day="1", at="08:00", timezone="UTC")
    assert "it needs the permission bulk" in text(get(ana, "/signals"))


def test_without_an_account_or_a_mail_server_the_sheet_says_what_is_missing(home: Home) -> None:
    html = get(home.app(ways=["mail"]).test_client(), "/signals")
    assert "Mail goes to the address of an account" in text(html)
    ana = browser_of(home.app(), home, team(home)["analyst"])
    assert re.search(r"No mail is configured. notify.mail.host", text(get(ana, "/signals")))
    act(ana, "/exports", "/signals", name="x", **WEEKLY)
    assert "No mail is configured; notify.mail in config.yaml" in text(get(ana, "/signals"))
    with operational.reading(home.engine()) as session:
        assert telling.latest(session, "Ana Analyst") == {}
        assert session.scalars(select(Telling)).all() == []
