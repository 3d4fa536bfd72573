"""The pages of the team and of the manager's report."""

import csv
import io
import re
from datetime import timedelta

from flask.testing import FlaskClient

from store import operational
from store.operational_tables import Signal
from tests.web.company import Home
from tests.web.reading import Page, act, get, text


def test_the_team_shows_load_and_hands_out(client: FlaskClient) -> None:
    assert "Nobody has a signal yet" in text(get(client, "/team"))
    for name in ("Ana", "Bob"):
        act(client, "/team/people", "/team", name=name)
    act(client, "/team/hand-out", "/team")
    html = get(client, "/team")
    shown = text(html)
    assert "Every open signal has somebody" in shown
    counts = re.findall(r'href="/signals\?view=every&amp;who=(\w+)">(\d+)<', html)
    assert abs(int(counts[0][1]) - int(counts[1][1])) <= 1
    assert Page(html).problems == []
    act(client, "/team/reassign", "/team", who="Bob", to="Ana")
    assert "signals of Bob are Ana's now" in text(get(client, "/team"))


def test_absence_and_rules_are_kept_and_mistakes_are_told(client: FlaskClient) -> None:
    act(client, "/team/people", "/team", name="Bob", until="2026-12-24", cover="Ana")
    assert "away until 24 Dec 2026 Ana stands in" in text(get(client, "/team"))
    act(client, "/team/rules", "/team", field="category", value="pricing", to="Ana")
    assert "Category pricing Ana" in text(get(client, "/team"))
    act(client, "/team/rules/1/remove", "/team")
    assert "New signals belong to nobody" in text(get(client, "/team"))
    audited = text(get(client, "/audit")).lower()
    for action in ("team: person", "team: rule: added", "team: rule: removed"):
        assert action in audited, "whatever is agreed on can be traced"


def test_the_report_leads_from_each_number_to_its_signals(client: FlaskClient, home: Home) -> None:
    act(client, "/signals/act", deed="dismiss", id="1", reason="immaterial")
    html = get(client, "/reports/manager?period=2026-11")
    assert Page(html).problems == []
    assert re.search(r"Written off [\d.,]+ [A-Z]{3}", text(html))
    compared = get(client, "/reports/manager?period=2026-11&compare=before")
    assert Page(compared).problems == []
    assert "before: nothing" in text(compared)
    assert "0 and 0 in 1–31 Oct 2026" in text(compared)
    assert re.search(r"Closed in time .* (Critical|High|Medium|Low) [\d,]+ 1 0 100%", text(html))
    work = re.search(r"All that are open ([\d,]+) In the last four weeks (\d+) were found and 1 closed", text(html))
    assert work
    assert "can be told once there were four" in text(html)
    with operational.writing(home.engine()) as session:
        session.get_one(Signal, 1).first_seen -= timedelta(days=90)
    later = text(get(client, "/reports/manager?period=2026-11"))
    assert f"about {int(work[1]) + int(work[2]) - 1 - 1} would be open: an estimate" in later
    behind = get(client, "/reports/manager?period=2026-11&show=written_off")
    assert 'href="/signals/SIG-1"' in behind
    rows = list(csv.reader(io.StringIO(client.get("/reports/manager.csv?period=2026-11").get_data(as_text=True))))
    assert rows[1][0] == "written_off"
    assert "0 closed" in text(get(client, "/reports/manager?period=2024"))
    assert "use a month like 2026-10" in text(get(client, "/reports/manager?period=soon", 400))


def test_what_others_give_to_a_person_and_say_to_them_is_new_until_it_is_read(home: Home) -> None:
    ana, bob = home.app().test_client(), home.app().test_client()
    act(ana, "/preferences", who="Ana")
    act(bob, "/preferences", who="Bob")
    act(bob, "/signals/act", deed="assign", id="1", assignee="Ana")
    act(bob, "/signals/act", deed="comment", id="2", comment="@ana, is this the old price?")
    act(ana, "/signals/act", deed="assign", id="3", assignee="Ana")
    html = get(ana, "/notifications")
    assert Page(html).problems == []
    assert "2 new" in text(html)
    assert re.search(r"Bob gave you SIG-1", text(html))
    assert "@ana, is this the old price?" in text(html)
    assert "gave you SIG-3" not in text(html), "what one takes oneself is no news"
    newest = re.findall(r'name="newest" value="(\d+)"', html)[0]
    act(ana, "/notifications/read", "/notifications", newest=newest)
    assert " new" not in text(get(ana, "/notifications")).split("Overdue")[0].replace("New", "")
    assert "Nobody has given you a signal" in text(get(bob, "/notifications"))


def test_a_broken_source_is_a_notification_for_everybody(hostile_company: Home) -> None:
    shown = text(get(hostile_company.app().test_client(), "/notifications"))
    assert "Sync broken files 5 min ago usage.csv row 3" in shown
    assert "Say your name in the preferences" in shown


def test_a_rule_or_cause_is_muted_for_a_while_but_never_who_speaks_to_one(home: Home) -> None:
    ana, bob = home.app().test_client(), home.app().test_client()
    act(ana, "/preferences", who="Ana")
    act(bob, "/preferences", who="Bob")
    act(bob, "/signals/act", deed="assign", id="1", assignee="Ana")
    html = get(ana, "/notifications")
    what = re.findall(r'<option value="(rule \w+|cause [^"]+)"', html)
    assert len(what) == 2
    act(ana, "/notifications/mute", "/notifications", what=what[1], days="7")
    html = get(ana, "/notifications")
    assert Page(html).problems == []
    assert "gave you SIG-1" not in text(html)
    assert "cause, until 28 Nov 2026 09:30 UTC" in text(html)
    act(bob, "/signals/act", deed="comment", id="1", comment="@Ana this one is urgent")
    assert "@Ana this one is urgent" in text(get(ana, "/notifications"))
    act(bob, "/signals/act", deed="assign", id="1", assignee="Bob")
    act(ana, "/notifications/mute", "/notifications", what=what[1], days="400")
    assert "no such length of time" in text(get(ana, "/notifications"))
    act(bob, "/signals/act", deed="assign", id="1", assignee="Ana")
    act(ana, "/notifications/mute", "/notifications", what=what[1])
    assert "gave you SIG-1" in text(get(ana, "/notifications"))
    assert "Muted for you alone" not in text(get(ana, "/notifications"))


def test_how_one_is_told_is_chosen_kept_and_tried(home: Home) -> None:
    app = home.app(ways=["chat"])
    ana = app.test_client()
    assert "Say your name" in text(get(ana, "/notifications/wishes"))
    act(ana, "/preferences", who="Ana")
    html = get(ana, "/notifications/wishes")
    assert Page(html).problems == []
    assert "notify.mail.host in config.yaml names the mail server" in text(html)
    assert re.search(r'name="mentioned.mail"[^>]* disabled', html)
    wanted = {"mentioned.chat": "once", "quiet_from": "20:00", "quiet_to": "07:00", "digest_at": "08:30"}
    act(ana, "/notifications/wishes", code=400, **wanted, timezone="Berlin")
    html = get(ana, "/notifications/wishes")
    assert 'value="20:00"' not in html, "nothing of a form with a mistake is kept"
    act(ana, "/notifications/wishes", **wanted, timezone="Europe/Berlin")
    html = get(ana, "/notifications/wishes")
    assert re.search(r'name="mentioned.chat".*?value="once" selected', html)
    assert 'value="20:00"' in html
    act(ana, "/notifications/test", way="chat")
    assert "waiting" in text(get(ana, "/notifications/wishes")).lower()
    act(ana, "/notifications/test", way="mail")
    assert "That way is not configured" in text(get(ana, "/notifications/wishes"))
