"""Triage by forms: every change goes back where it came from, says what it did, and can be taken back."""

import re

from flask.testing import FlaskClient
from sqlalchemy import select

from store import operational
from store.operational_tables import Signal
from tests.web.company import Home
from tests.web.reading import act, get, labels, text, token


def signal(home: Home, label: str) -> Signal:
    with operational.reading(home.engine()) as session:
        return session.get_one(Signal, int(label.removeprefix("SIG-")))


def first(client: FlaskClient) -> str:
    return labels(get(client, "/signals"))[0]


def test_signals_are_assigned_and_the_notice_offers_to_undo(client: FlaskClient, home: Home) -> None:
    one, two = labels(get(client, "/signals"))[:2]
    answer = act(client, "/signals/act", deed="assign", assignee="Ana Ruiz", id=[one[4:], two[4:]])
    assert answer.location == "/signals"
    assert {signal(home, label).assignee for label in (one, two)} == {"Ana Ruiz"}
    html = get(client, "/signals")
    assert "2 signals assigned to Ana Ruiz." in html
    undo = re.search(r'action="(/changes/[0-9a-f]+/undo)"', html)
    assert undo
    act(client, undo[1])
    assert {signal(home, label).assignee for label in (one, two)} == {None}
    assert "Undone for 2 signals." in get(client, "/signals")


def test_the_timeline_names_the_person_of_this_browser(client: FlaskClient) -> None:
    act(client, "/preferences", who="Dee Patel", theme="dark", density="compact", keys="off")
    label = first(client)
    act(client, "/signals/act", deed="status", status="in_progress", id=label[4:])
    html = get(client, f"/signals/{label}")
    assert "Unhandled → In progress" in html
    assert "Dee Patel" in html
    assert 'data-theme="dark" data-density="compact" data-keys="off"' in html


def test_my_signals_have_a_view_once_i_have_a_name(client: FlaskClient) -> None:
    assert ">Mine" not in get(client, "/signals")
    act(client, "/preferences", who="Dee Patel", theme="auto", density="comfortable", keys="on")
    label = first(client)
    act(client, "/signals/act", deed="assign", assignee="Dee Patel", id=label[4:])
    assert labels(get(client, "/signals?view=mine")) == [label]


def test_a_dismissal_needs_a_reason(client: FlaskClient, home: Home) -> None:
    label = first(client)
    act(client, "/signals/act", deed="dismiss", id=label[4:])
    assert "Choose a reason to dismiss." in get(client, "/signals")
    act(client, "/signals/act", deed="dismiss", reason="expected", detail="as agreed in March", id=label[4:])
    assert signal(home, label).status == "suppressed"
    assert label not in labels(get(client, "/signals"))
    assert "as agreed in March" in get(client, f"/signals/{label}")


def test_resolving_without_a_run_that_confirms_it_needs_a_reason(client: FlaskClient, home: Home) -> None:
    label = first(client)
    act(client, "/signals/act", deed="resolve", cause="price fixed", id=label[4:])
    assert "is not verified" in get(client, "/signals")
    act(client, "/signals/act", deed="resolve", cause="price fixed", waiver="checked by hand", id=label[4:])
    assert signal(home, label).status == "resolved"


def test_a_snoozed_signal_waits_in_its_own_view(client: FlaskClient) -> None:
    label = first(client)
    act(client, "/signals/act", deed="snooze", hours="24", id=label[4:])
    assert label not in labels(get(client, "/signals"))
    assert labels(get(client, "/signals?view=snoozed")) == [label]


def test_all_that_match_are_changed_and_no_others(client: FlaskClient, home: Home) -> None:
    critical = labels(get(client, "/signals?sev=critical"))
    act(client, "/signals/act", "/signals?sev=critical", deed="assign", assignee="Eli Novak", all="1")
    with operational.reading(home.engine()) as session:
        assigned = {one.label for one in session.scalars(select(Signal).where(Signal.assignee == "Eli Novak"))}
    assert assigned == set(critical)


def test_nothing_selected_and_no_deed_say_so(client: FlaskClient) -> None:
    act(client, "/signals/act", deed="assign", assignee="x")
    assert "Select at least one signal first." in get(client, "/signals")
    act(client, "/signals/act", id="1")
    assert "Choose what to do with the signals." in get(client, "/signals")


def test_a_change_on_what_somebody_else_changed_meanwhile_is_refused_with_their_name(client: FlaskClient) -> None:
    label = first(client)
    page = f"/signals/{label}"
    seen = re.search(r'name="version" value="(\d+)"', get(client, page))
    assert seen
    act(client, "/signals/act", page, deed="assign", assignee="Ana Ruiz", id=label[4:])
    answer = act(client, "/signals/act", page, 409, deed="assign", assignee="Ben Okafor", id=label[4:], version=seen[1])
    html = text(answer.get_data(as_text=True))
    assert "Somebody was faster" in html
    assert "console at 2026-11-21" in html


def test_a_remark_stands_in_the_timeline(client: FlaskClient) -> None:
    label = first(client)
    act(client, "/signals/act", deed="comment", comment="asked <the> customer", id=label[4:])
    assert "asked &lt;the&gt; customer" in get(client, f"/signals/{label}")


def test_the_timeline_offers_to_undo_only_what_still_stands(client: FlaskClient) -> None:
    label = first(client)
    act(client, "/signals/act", deed="status", status="triaged", id=label[4:])
    act(client, "/signals/act", deed="status", status="in_progress", id=label[4:])
    get(client, "/rules")  # the notices are read
    html = get(client, f"/signals/{label}")
    changes = re.findall(r'action="/changes/([0-9a-f]+)/undo"', html)
    assert len(changes) == 1
    act(client, f"/changes/{changes[0]}/undo", f"/signals/{label}")
    assert "Triaged" in text(get(client, f"/signals/{label}"))


def test_forms_without_their_token_change_nothing(client: FlaskClient, home: Home) -> None:
    label = first(client)
    answer = client.post("/signals/act", data={"deed": "assign", "assignee": "x", "id": label[4:]})
    assert answer.status_code == 400
    assert "This form is out of date" in answer.get_data(as_text=True)
    assert signal(home, label).assignee is None


def test_a_form_never_leads_to_another_site(client: FlaskClient) -> None:
    html = get(client, "/signals")
    for back in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
        data = {"csrf_token": token(html), "back": back, "who": "x"}
        assert client.post("/preferences", data=data).location == "/signals"
