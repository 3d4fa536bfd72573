"""A saved view and the manager's report come by mail when their person said so, each slot at most once."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from sqlalchemy import select

from detector import inbox, report, sheets, triage, views
from integrations.http import SourceError
from integrations.mail import Attached, Mail
from people import accounts, posting, scheduled, telling
from people.scheduled import BadExport
from store import operational
from store.audit_tables import AuditEntry
from store.export_tables import ScheduledExport
from store.operational_tables import Signal
from tests.people.test_telling import BASE, Box, mailbox, rows  # noqa: F401 (mailbox is a fixture)
from tests.web.company import Home
from tests.web.signing import person

FRIDAY = datetime(2026, 11, 20, 15, tzinfo=UTC)
MONDAY = datetime(2026, 11, 23, 7, tzinfo=UTC)  # eight in Berlin
DAY = timedelta(days=1)


@pytest.fixture
def home(many_signals: Home, tmp_path: Path) -> Home:
    home = many_signals.copy(tmp_path / "home")
    person(home, "Ada Admin", "admin")
    person(home, "Ana Ruiz", "analyst")
    person(home, "Max Mahn", "manager")
    return home


def view(home: Home, query: str = "sev=critical", owner: str = "Ana Ruiz", shared: bool = False) -> int:
    with operational.writing(home.engine()) as session:
        made = views.save(session, "Critical", query, owner=owner, shared=shared, is_default=False, now=FRIDAY)
        return made.id


def plan(home: Home, who: str = "Ana Ruiz", what: dict[str, object] | None = None, **given: str) -> int:
    wanted = {"rhythm": "weekdays", "at": "08:00", "timezone": "Europe/Berlin", **given}
    with operational.writing(home.engine()) as session:
        return scheduled.make(session, who, what or {"view": view(home)}, wanted, now=FRIDAY).id


def change(home: Home, number: int, now: datetime = FRIDAY, **given: str) -> None:
    with operational.writing(home.engine()) as session:
        scheduled.change(session, session.get_one(ScheduledExport, number), given, now=now)


def post(home: Home, now: datetime, way: telling.Way | None) -> int:
    with operational.writing(home.engine()) as session:
        posting.gather(session, now)
    return posting.send(home.engine(), way, BASE, lambda: now)


def test_a_view_comes_at_its_time_as_exactly_its_query_and_once(home: Home) -> None:
    mail, kept = Box(), view(home)
    plan(home, what={"view": kept})
    assert post(home, MONDAY - timedelta(minutes=1), mail) == 0, "a weekend has no slot"
    assert post(home, MONDAY, mail) == 1
    assert post(home, MONDAY + timedelta(minutes=1), mail) == 0
    (message,) = mail.messages
    assert (message.address, message.subject) == (
        "ana@example.com", "Trueup: Critical of Mon 23 Nov 2026 08:00 Europe/Berlin"
    )  # fmt: skip
    assert message.file is not None
    with operational.reading(home.engine()) as session:
        wanted = inbox.Filter(severity=("critical",), me="Ana Ruiz")
        assert message.file.body.decode() == "".join(
            sheets.lines(report.csv_rows(inbox.export(session, wanted, MONDAY)))
        )
        sent = session.scalars(select(AuditEntry).where(AuditEntry.action == "export.sent")).one()
    assert message.file.name == "signals-2026-11-23.csv"
    assert f"{BASE}/signals.csv?sev=critical" in message.text
    assert (sent.actor, "ana@example.com" in (sent.after or "")) == ("trueup", True)


def test_a_title_that_would_be_a_formula_stays_text_and_json_is_json(home: Home) -> None:
    mail = Box()
    with operational.writing(home.engine()) as session:
        for signal in session.scalars(select(Signal)):
            signal.title = "=HYPERLINK(1)"
    plan(home, what={"view": view(home, "view=every")})
    plan(home, what={"view": view(home, "view=every")}, format="json")
    assert post(home, MONDAY, mail) == 2
    sheet, document = (message.file for message in mail.messages)
    assert sheet is not None
    assert document is not None
    assert ",'=HYPERLINK(1)," in sheet.body.decode()
    assert ",=HYPERLINK" not in sheet.body.decode()
    assert (document.name, len(json.loads(document.body))) == ("signals-2026-11-23.json", 130)


def test_what_was_missed_comes_once_and_late_under_the_name_of_its_slot(home: Home) -> None:
    mail = Box()
    plan(home)
    assert post(home, MONDAY + 2 * DAY + timedelta(hours=3), mail) == 1
    (message,) = mail.messages
    assert message.subject == "Trueup: Late: Critical of Wed 25 Nov 2026 08:00 Europe/Berlin; 2 before it left out"
    assert "It could not be sent at its time" in message.text
    assert post(home, MONDAY + 3 * DAY - timedelta(minutes=1), mail) == 0
    assert post(home, MONDAY + 3 * DAY, mail) == 1


def test_who_is_killed_before_handing_over_sends_it_later_and_while_handing_over_never_again(home: Home) -> None:
    mail = Box()
    number = plan(home)
    with operational.writing(home.engine()) as session:
        posting.gather(session, MONDAY)
        posting.gather(session, MONDAY)
    assert posting.send(home.engine(), mail, BASE, lambda: MONDAY) == 1, "gathered twice, sent once"

    def dies(message: telling.Message, at: datetime) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        post(home, MONDAY + DAY, dies)
    assert post(home, MONDAY + DAY + timedelta(minutes=4), mail) == 0, "it may still be under way"
    assert post(home, MONDAY + DAY + timedelta(minutes=6), mail) == 0
    assert len(mail.messages) == 1
    with operational.reading(home.engine()) as session:
        last = posting.latest(session, "Ana Ruiz")[number]
    assert (last.status, "whether it came is not known" in (last.error or "")) == ("failed", True)


def test_a_mail_server_that_is_away_is_asked_again_and_the_page_has_the_reason(home: Home) -> None:
    mail = Box()
    number = plan(home)
    mail.problem = SourceError("mail.example.com:587 does not take mail", permanent=False)
    assert post(home, MONDAY, mail) == 0
    with operational.reading(home.engine()) as session:
        last = posting.latest(session, "Ana Ruiz")[number]
    assert (last.status, last.error) == ("waiting", "mail.example.com:587 does not take mail")
    mail.problem = None
    assert post(home, MONDAY + timedelta(minutes=1), mail) == 0
    assert post(home, MONDAY + timedelta(minutes=2), mail) == 1
    assert "Late" not in mail.messages[0].subject


def test_an_ended_paused_or_forbidden_person_gets_nothing(home: Home) -> None:
    mail = Box()
    ended, paused = plan(home), plan(home)
    of_report = plan(home, "Max Mahn", {"period": "this_month"})
    others = plan(home, "Max Mahn", {"view": view(home, shared=True)})
    with operational.writing(home.engine()) as session:
        posting.gather(session, MONDAY)
    change(home, paused, paused="yes")
    with operational.writing(home.engine()) as session:
        scheduled.end(session, session.get_one(ScheduledExport, ended), now=MONDAY)
        max_ = accounts.find(session, "Max Mahn")
        accounts.change(session, max_, roles=["analyst"], limits={}, actor="Ada Admin", now=MONDAY)
        views.save(session, "Critical", "", owner="Ana Ruiz", shared=False, is_default=False, now=MONDAY)
    assert posting.send(home.engine(), mail, BASE, lambda: MONDAY) == 0
    told = {int(row.about.split(":")[1]): row.error for row in rows(home)}
    assert told == {
        ended: "ended meanwhile",
        paused: "ended or paused meanwhile",
        of_report: "Max Mahn may not read the report: it needs the permission bulk",
        others: "the view Critical is gone, or no longer the team's",
    }
    change(home, paused, MONDAY, paused="no")
    with operational.writing(home.engine()) as session:
        accounts.disable(session, accounts.find(session, "Ana Ruiz"), actor="Ada Admin", now=MONDAY)
    assert post(home, MONDAY + DAY, mail) == 0
    assert "Ana Ruiz has no account any more" in {row.error for row in rows(home)}


def test_the_report_comes_with_what_each_number_means(home: Home) -> None:
    mail = Box()
    plan(home, "Max Mahn", {"period": "last_month"}, rhythm="monthly", day="1")
    with operational.writing(home.engine()) as session:
        triage.dismiss(session, [1], "immaterial", actor="Ana Ruiz", now=FRIDAY)
    assert post(home, datetime(2026, 12, 1, 7, tzinfo=UTC), mail) == 1
    (message,) = mail.messages
    assert message.file is not None
    assert message.file.name == "report-2026-11.csv"
    head, first, *_ = csv.reader(io.StringIO(message.file.body.decode()))
    assert head[-1] == "meaning"
    assert (first[0], first[-1].startswith("put aside as too small")) == ("written_off", True)
    assert "written off: put aside as too small" in message.text
    with pytest.raises(BadExport, match="it needs the permission bulk"):
        plan(home, what={"period": "last_month"})


def test_what_is_too_large_is_a_link(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    mail = Box()
    monkeypatch.setattr(posting, "LARGEST", 400)
    plan(home)
    assert post(home, MONDAY, mail) == 1
    (message,) = mail.messages
    assert message.file is None
    assert f"it is not attached; here it is:\n{BASE}/signals.csv?sev=critical" in message.text


def test_a_view_that_is_removed_is_sent_no_more_also_when_its_number_is_used_again(home: Home) -> None:
    mail, kept = Box(), view(home)
    number = plan(home, what={"view": kept})
    with operational.writing(home.engine()) as session:
        views.remove(session, kept, who="Ana Ruiz", now=FRIDAY)
        again = views.save(session, "Other", "", owner="Ana Ruiz", shared=False, is_default=False, now=FRIDAY)
        assert again.id == kept
    assert post(home, MONDAY, mail) == 0
    with operational.reading(home.engine()) as session:
        assert session.get_one(ScheduledExport, number).view_id is None


@pytest.mark.parametrize(
    ("rhythm", "day", "after", "slots"),
    [
        ("daily", "1", "2026-11-20", ["11-21", "11-22"]),
        ("weekdays", "1", "2026-11-20", ["11-23", "11-24"]),
        ("thursday", "1", "2026-11-20", ["11-26", "12-03"]),
        ("monthly", "31", "2026-11-20", ["11-30", "12-31"]),
        ("monthly", "5", "2026-11-20", ["12-05", "01-05"]),
    ],
)
def test_slots_fall_on_their_days(rhythm: str, day: str, after: str, slots: list[str]) -> None:
    export = ScheduledExport(rhythm=rhythm, day=int(day), at="08:00", timezone="Europe/Berlin")
    at, found = datetime.fromisoformat(f"{after}T12:00:00+00:00"), []
    for _ in slots:
        at = scheduled.following(export, at)
        assert f"{at:%H:%M}" == "07:00"
        found.append(f"{at:%m-%d}")
    assert found == slots


def test_a_slot_in_an_hour_that_a_clock_skips_comes_an_hour_later_and_one_that_it_has_twice_comes_once() -> None:
    export = ScheduledExport(rhythm="daily", day=1, at="02:30", timezone="Europe/Berlin")
    assert scheduled.following(export, datetime(2026, 3, 28, 12, tzinfo=UTC)) == datetime(
        2026, 3, 29, 1, 30, tzinfo=UTC
    )
    first = scheduled.following(export, datetime(2026, 10, 24, 12, tzinfo=UTC))
    assert first == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert scheduled.following(export, first) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


def test_everything_that_is_wrong_is_named_at_once(home: Home) -> None:
    with pytest.raises(BadExport) as caught:
        plan(home, rhythm="often", at="25:00", day="32", timezone="Berlin", format="xlsx", rythm="daily")
    told = caught.value.problems
    assert set(told) == {"rhythm", "at", "day", "timezone", "format", "rythm"}
    assert "did you mean rhythm?" in told["rythm"]
    with pytest.raises(BadExport, match="choose a saved view by its number; there are"):
        plan(home, "Max Mahn", {"view": view(home)})
    with pytest.raises(BadExport, match="has no account"):
        plan(home, "Nobody", {"period": "last_month"})


def test_the_attachment_goes_over_smtp_as_it_is(mailbox) -> None:  # type: ignore[no-untyped-def]  # noqa: F811
    mail = Mail("127.0.0.1", mailbox.server_address[1], "Trueup <trueup@example.com>", "none")
    file = Attached("signals.csv", "csv", "id,title\r\nSIG-1,Müller\r\n".encode())
    mail.send("ana@example.com", "Critical", "Grüße", key="trueup-1", at=FRIDAY, file=file)
    message = message_from_bytes(mailbox.taken[0], policy=policy.default)
    (part,) = message.iter_attachments()  # type: ignore[attr-defined]
    assert (part.get_filename(), part.get_content_type()) == ("signals.csv", "text/csv")
    assert part.get_payload(decode=True) == file.body
