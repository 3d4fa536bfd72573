"""Notes and contacts that people write down about a customer: who may, who is told, where they are seen."""

from __future__ import annotations

import re
from datetime import timedelta

from sqlalchemy import select

from detector import customer_notes
from people import telling, wishes
from store import operational
from store.audit_tables import AuditEntry
from store.customer_tables import CustomerContact, CustomerNote
from store.operational_tables import Signal
from tests.people.test_telling import BASE, Box
from tests.web.company import NOW, Home
from tests.web.reading import Page, act, get, text
from tests.web.signing import browser_of, team


def one_signal(home: Home) -> Signal:
    with operational.reading(home.engine()) as session:
        query = select(Signal).where(Signal.customer_count == 1, Signal.customer_name.is_not(None))
        signal = session.scalars(query.order_by(Signal.id)).first()
        assert signal is not None
        session.expunge_all()
        return signal


def test_a_note_is_its_authors_own_to_change_and_a_managers(home: Home) -> None:
    people, app, signal = team(home), home.app(), one_signal(home)
    ana, max_ = browser_of(app, home, people["analyst"]), browser_of(app, home, people["manager"])
    vic = browser_of(app, home, people["viewer"])
    page = f"/customers/{signal.customer_id}"
    customer = str(signal.customer_id)
    assert "on " + str(signal.customer_name) not in text(get(ana, f"/signals/{signal.label}")).replace("charged on", "")
    act(ana, "/notes", page, customer=customer, text="First\nline <b>two</b>")
    act(max_, "/notes", page, customer=customer, text="Second")
    html = get(ana, page)
    assert Page(html).problems == []
    assert "First\nline &lt;b&gt;two" in html
    assert text(html).index("Second") < text(html).index("First line"), "the newest first"
    assert len(re.findall(r'action="/notes/\d+"', html)) == 1, "one's own alone"
    assert len(re.findall(r'action="/notes/\d+"', get(max_, page))) == 2
    assert f"2 notes on {signal.customer_name}" in text(get(vic, f"/signals/{signal.label}"))
    shown = get(vic, page)
    assert Page(shown).problems == []
    assert "First line" in text(shown)
    assert 'action="/notes' not in shown
    act(ana, "/notes/2", page, text="Mine now")
    assert "Note 2 is Max Manager's; only Max Manager or a manager changes it" in text(get(ana, page))
    act(max_, "/notes/1", page, deed="change", text="First, put right")
    assert re.search(r"First, put right Ana Analyst, just now , changed just now", text(get(vic, page)))
    act(ana, "/notes/1", page, deed="remove")
    assert "First, put right" not in text(get(vic, page))
    assert f"1 note on {signal.customer_name}" in text(get(vic, f"/signals/{signal.label}"))
    act(ana, "/notes/1", page, deed="remove")
    assert "There is no note 1" in text(get(ana, page))
    act(ana, "/notes", page, customer=customer, text="  ")
    assert "A note has 1 to 4,000 letters, not 0" in text(get(ana, page))
    act(ana, "/notes", page, 404, customer="cus_nobody", text="x")
    with operational.reading(home.engine()) as session:
        told = session.scalars(select(AuditEntry).where(AuditEntry.object_id == customer).order_by(AuditEntry.id)).all()
        assert [each.action for each in told] == ["note.written", "note.written", "note.changed", "note.removed"]
        assert "First, put right" in (told[3].before or "")
        assert session.get_one(CustomerNote, 1).text == ""


def test_whoever_a_note_names_finds_it_among_the_notifications_and_is_told(home: Home) -> None:
    people, app, chat = team(home), home.app(), Box()
    ana, max_ = browser_of(app, home, people["analyst"]), browser_of(app, home, people["manager"])
    customer = str(one_signal(home).customer_id)
    page = f"/customers/{customer}"
    with operational.writing(home.engine()) as session:
        wished = wishes.read(wishes.of(session, "Ana Analyst"), {"mentioned.chat": "once"})
        wishes.keep(session, "Ana Analyst", wished, now=NOW - timedelta(hours=1))
    act(max_, "/notes", page, customer=customer, text="@ana analyst knows their contract")
    act(max_, "/notes", page, customer=customer, text="@Ana Analyst this was a mistake")
    act(max_, "/notes/2", page, deed="remove")
    html = get(ana, "/notifications")
    assert Page(html).problems == []
    assert f"New. Max Manager mentioned you in a note on {customer} @ana analyst knows" in text(html)
    assert "a mistake" not in text(html)
    assert "1 new" in text(html)
    with operational.writing(home.engine()) as session:
        telling.gather(session, NOW)
    assert telling.send(home.engine(), {"chat": chat}, BASE, lambda: NOW) == 1
    assert f"{BASE}/customers/{customer}#notes" in chat.messages[0].text
    newest = re.findall(r'name="newest_note" value="(\d+)"', html)[0]
    act(ana, "/notifications/read", "/notifications", newest="0", newest_note=newest)
    assert "New." not in text(get(ana, "/notifications"))
    act(max_, "/notes", page, customer=customer, text="@Ana Analyst one more")
    with operational.writing(home.engine()) as session:
        telling.gather(session, NOW)
        customer_notes.remove(session, 3, actor="Max Manager", anybodys=False, now=NOW)
    assert telling.send(home.engine(), {"chat": chat}, BASE, lambda: NOW) == 0, "what was removed is not told"


def test_contacts_stand_beside_the_address_of_the_books(home: Home) -> None:
    people, app = team(home), home.app()
    ana, vic = browser_of(app, home, people["analyst"]), browser_of(app, home, people["viewer"])
    customer = str(one_signal(home).customer_id)
    page = f"/customers/{customer}"
    lee = {"name": " Ann  Lee ", "role": "Finance", "address": "ann@acme.example", "phone": "+49 30 1234"}
    act(ana, "/contacts", page, customer=customer, **lee)
    html = get(vic, page)
    assert Page(html).problems == []
    assert "Ann Lee , Finance ann@acme.example +49 30 1234 added by Ana Analyst just now" in text(html)
    assert "mailto:" not in html
    assert 'action="/contacts' not in html
    act(ana, "/contacts/1", page, deed="change", name="Ann Lee", role="", phone="")
    with operational.reading(home.engine()) as session:
        kept = customer_notes.contact_fields(session.get_one(CustomerContact, 1))
    assert kept == {"name": "Ann Lee", "role": "", "address": "ann@acme.example", "phone": ""}
    act(ana, "/contacts/1", page, deed="change", name="x" * 101)
    assert "The name of a contact has at most 100 letters" in text(get(ana, page))
    act(ana, "/contacts", page, customer=customer, role="Finance")
    assert "A contact needs a name" in text(get(ana, page))
    act(ana, "/contacts/1", page, deed="remove")
    assert "Ann Lee" not in text(get(vic, page))
