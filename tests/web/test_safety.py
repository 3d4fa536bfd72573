"""What a session of review found to be missing, held: sheets, work, limits, and the gate on stale data."""

from __future__ import annotations

import csv
import io
import re
import threading
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, select

from detector import sheets, team, triage, views
from detector.connections import Configured
from integrations.catalogue import find
from people import accounts, sessions, tokens
from people.accounts import BadAccount
from people.roles import ROLES
from people.sessions import Browser
from store import operational
from store.audit_tables import AuditEntry
from store.operational_tables import Signal
from store.people_tables import Person
from store.team_tables import AssignRule
from tests.web.company import NOW, Home
from tests.web.reading import get, text
from tests.web.signing import person
from web import rates
from web.rates import limiter

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("=1+1", "'=1+1"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("  =1+1", "'  =1+1"),
        ("\t=1+1", "'\t=1+1"),
        ("\n=1", "'\n=1"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("\x00=1", "?=1"),
        ("-12.50", "-12.50"),
        ("Acme = good", "Acme = good"),
        ("a\x1b[2Jb", "a?[2Jb"),
    ],
)  # fmt: skip
def test_a_cell_of_a_sheet_never_becomes_a_formula(value: str, kept: str) -> None:
    assert sheets.cell(value) == kept
    assert next(csv.reader(io.StringIO("".join(sheets.lines([[value]])), newline=""))) == [kept]


def test_sheets_are_written_in_one_place() -> None:
    """What writes data for machines is told here: books as files, and series as they came."""
    others = {"detector/sheets.py", "integrations/example/files.py", "detector/series_commands.py"}
    found = {
        str(path.relative_to(ROOT))
        for folder in ("billing", "detector", "integrations", "people", "remediation", "store", "web")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"csv\.(writer|DictWriter)\(|\.to_csv\(|xlsx|\.to_excel\(", path.read_text(encoding="utf-8"))
    }
    assert found <= others


def test_who_is_disabled_is_given_no_work(many_signals: Home, tmp_path: Path) -> None:
    home = many_signals.copy(tmp_path / "home")
    person(home, "Ada Admin", "admin")
    gone = person(home, "Gus Gone", "analyst")
    with operational.writing(home.engine()) as session:
        team.set_away(session, "Gus Gone", None, None, actor="tests", now=NOW)
        team.set_away(session, "Ada Admin", None, None, actor="tests", now=NOW)
        team.add_rule(session, "severity", "critical", "Gus Gone", actor="tests", now=NOW)
        accounts.disable(session, session.get_one(Person, gone.id), actor="Ada Admin", now=NOW)
    with operational.writing(home.engine()) as session:
        critical = list(session.scalars(select(Signal.id).where(Signal.severity == "critical")))
        team.assign_new(session, critical, now=NOW)
        assert session.scalars(select(Signal).where(Signal.assignee.is_not(None))).all() == []
        (change,) = team.hand_out(session, actor="tests", now=NOW)
        assert change.events[0].detail == "Ada Admin"
        with pytest.raises(team.BadTeam, match="the account of Gus Gone is disabled"):
            team.reassign(session, "Ada Admin", "Gus Gone", actor="tests", now=NOW)
        with pytest.raises(team.BadTeam, match="disabled"):
            team.set_away(session, "Ada Admin", NOW + timedelta(days=1), "Gus Gone", actor="tests", now=NOW)
        with pytest.raises(triage.IllegalTransition, match="the account of gus gone is disabled"):
            triage.assign(session, critical[:1], "gus gone", actor="tests", now=NOW)
        assert session.scalars(select(AssignRule)).one().assignee == "Gus Gone"  # it stays, for who comes back


def test_who_may_do_less_signs_in_again_and_loses_the_tokens_that_ask_for_more(sqlite_engine: Engine) -> None:
    with operational.writing(sqlite_engine) as session:
        add = {"limits": {}, "actor": "tests", "now": NOW}
        accounts.add(session, email="a@example.com", name="Ada Admin", roles=["admin"], **add)
        max_ = accounts.add(session, email="m@example.com", name="Max Manager", roles=["manager"], **add)
        opened = sessions.open_for(session, max_, Browser(), now=NOW, by="password")
        made = {
            scope: tokens.make(session, max_, name="script", scopes=[scope], days=9, actor="tests", now=NOW)[1]
            for scope in ("read", "audit")
        }
        session.flush()
        accounts.change(session, max_, roles=["manager", "viewer"], limits={}, actor="tests", now=NOW)
        session.flush()
        assert sessions.of_secret(session, opened, NOW), "more, or as much, ends nothing"
        accounts.change(session, max_, roles=["viewer"], limits={}, actor="tests", now=NOW)
        session.flush()
        assert sessions.of_secret(session, opened, NOW) is None
        assert tokens.of_secret(session, made["read"], NOW) is not None
        assert tokens.of_secret(session, made["audit"], NOW) is None


def test_of_two_admins_who_disable_each_other_at_once_one_stays(engine: Engine) -> None:
    with operational.writing(engine) as session:
        for name in ("Ada Admin", "Bea Boss"):
            email = f"{name[:3].lower()}@example.com"
            accounts.add(session, email=email, name=name, roles=["admin"], limits={}, actor="tests", now=NOW)
    ready, said = threading.Barrier(2), []

    def disable(who: str) -> None:
        ready.wait()
        try:
            with operational.writing(engine) as session:
                accounts.disable(session, accounts.find(session, who), actor="tests", now=NOW)
        except BadAccount as refusal:
            said.append(str(refusal))

    threads = [threading.Thread(target=disable, args=(name,)) for name in ("Ada Admin", "Bea Boss")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with operational.reading(engine) as session:
        assert len([each for each in accounts.listed(session) if each.disabled_at is None]) == 1
    assert len(said) == 1
    assert "is the last admin" in said[0]


def test_an_invoice_asks_the_gate_on_data_as_old_as_it_is(home: Home) -> None:
    with closing(home.warehouse.connect()) as books:
        drafts = [row[0] for row in books.execute(
            "SELECT invoice_id FROM books.invoices WHERE status = 'draft'").fetchall()]  # fmt: skip
        (source,) = books.execute("SELECT min(integration) FROM books.invoices").fetchall()[0]
    api = home.app().test_client()
    blocked = next(each["invoice"] for each in api.get("/api/v1/drafts?state=blocked").json["drafts"])
    assert blocked in drafts
    assert "the data is stale" not in text(get(api, f"/invoices/{blocked}"))
    late = Configured(source, "stripe", find("stripe").capabilities, stale_after=timedelta(minutes=1))
    stale = home.app(connected=[late]).test_client()
    assert "the data is stale, so nothing is held" in text(get(stale, f"/invoices/{blocked}"))
    assert stale.get(f"/api/v1/invoices/{blocked}").json["gate"]["state"] == "warned"
    assert stale.get("/api/v1/drafts?state=blocked").json["drafts"] == []


def test_every_change_of_a_view_is_audited(sqlite_engine: Engine) -> None:
    with operational.writing(sqlite_engine) as session:
        view = views.save(session, "mine", "sev=high", owner="Ana", shared=False, is_default=False, now=NOW)
        views.save(session, "ours", "", owner="Ana", shared=True, is_default=True, now=NOW)
        views.remove(session, view.id, who="Ana", now=NOW)
    with operational.reading(sqlite_engine) as session:
        actions = list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))
    assert actions == ["view.saved", "view.shared", "view.removed"]


@pytest.fixture
def counted() -> None:
    """The counters of rates as they were."""
    limiter.limiter.storage.reset()  # type: ignore[no-untyped-call]


def test_wrong_tokens_are_held_back_and_a_right_one_is_not(home: Home, counted: None) -> None:
    with operational.writing(home.engine()) as session:
        ada = accounts.add(session, email="a@example.com", name="Ada Admin", roles=["admin"], limits={},
                           actor="tests", now=NOW)  # fmt: skip
        _, secret = tokens.make(session, ada, name="script", scopes=ROLES["viewer"], days=9, actor="tests", now=NOW)
    client = home.app().test_client()
    wrong = {"Authorization": "Bearer trueup_nothing"}
    answers = [client.get("/api/v1/me", headers=wrong) for _ in range(rates.WRONG_TOKENS.amount + 1)]
    assert {each.status_code for each in answers[:-1]} == {401}
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert answers[-1].json["request_id"] == answers[-1].headers["X-Request-ID"]
    assert client.get("/api/v1/me", headers={"Authorization": f"Bearer {secret}"}).status_code == 200


def test_one_token_cannot_ask_without_end(home: Home, counted: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from web import access

    monkeypatch.setattr(access, "BY_TOKEN", access.BY_TOKEN.__class__(3, 1))
    with operational.writing(home.engine()) as session:
        ada = accounts.add(session, email="a@example.com", name="Ada Admin", roles=["admin"], limits={},
                           actor="tests", now=NOW)  # fmt: skip
        _, secret = tokens.make(session, ada, name="script", scopes=["read"], days=9, actor="tests", now=NOW)
    client = home.app().test_client()
    asked = [client.get("/api/v1/me", headers={"Authorization": f"Bearer {secret}"}).status_code for _ in range(4)]
    assert asked == [200, 200, 200, 429]


def test_a_viewer_does_not_remove_a_view_of_the_team(many_signals: Home, tmp_path: Path) -> None:
    from tests.web.signing import browser_of
    from tests.web.signing import team as people_of

    home = many_signals.copy(tmp_path / "home")
    people = people_of(home)
    app = home.app()
    app.config["WTF_CSRF_ENABLED"] = False
    with operational.writing(home.engine()) as session:
        number = views.save(session, "ours", "", owner="Max Manager", shared=True, is_default=False, now=NOW).id
    viewer: FlaskClient = browser_of(app, home, people["viewer"])
    assert viewer.post(f"/views/{number}/remove").status_code == 403
    assert browser_of(app, home, people["analyst"]).post(f"/views/{number}/remove").status_code == 303
