"""What people write down about a customer, as forms of the customer's page: notes and contacts."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from flask import Blueprint, request
from werkzeug.wrappers import Response

from detector import customer_notes
from detector.customer_notes import LENGTHS, BadNote
from people.roles import Permission
from store import operational
from web.access import caller
from web.console import console, now
from web.pages import done, refused
from web.preferences import preferences
from web.records import one
from web.words import sentence

pages = Blueprint("customer_notes", __name__)


def anybodys() -> bool:
    """Whether the caller may change notes of others."""
    return caller().may(Permission.BULK)


@pages.post("/notes")
def write() -> Response:
    """A new note on `customer`."""
    customer = _customer()
    try:
        with operational.writing(console().engine) as session:
            customer_notes.write(session, customer, request.form.get("text", ""), actor=preferences().actor, now=now())
    except BadNote as bad:
        return refused(sentence(bad), to=_place(customer, "notes"))
    return done("The note is kept.", to=_place(customer, "notes"))


@pages.post("/notes/<int:number>")
def change(number: int) -> Response:
    """Write a note anew, or take it away: one's own, or as a manager anybody's."""
    by: dict[str, Any] = {"actor": preferences().actor, "anybodys": anybodys(), "now": now()}
    removes = request.form.get("deed") == "remove"
    try:
        with operational.writing(console().engine) as session:
            if removes:
                note = customer_notes.remove(session, number, **by)
            else:
                note = customer_notes.change(session, number, request.form.get("text", ""), **by)
            place = _place(note.customer_id, "notes")
    except (BadNote, LookupError) as bad:
        return refused(sentence(bad))
    return done("The note is removed." if removes else "The note is changed.", to=place)


@pages.post("/contacts")
def add_contact() -> Response:
    """A new contact of `customer`."""
    customer = _customer()
    try:
        with operational.writing(console().engine) as session:
            customer_notes.add_contact(session, customer, _fields(), actor=preferences().actor, now=now())
    except BadNote as bad:
        return refused(sentence(bad), to=_place(customer, "contacts"))
    return done("The contact is kept.", to=_place(customer, "contacts"))


@pages.post("/contacts/<int:number>")
def change_contact(number: int) -> Response:
    """Change a contact, or take it away."""
    actor, removes = preferences().actor, request.form.get("deed") == "remove"
    try:
        with operational.writing(console().engine) as session:
            if removes:
                contact = customer_notes.remove_contact(session, number, actor=actor, now=now())
            else:
                contact = customer_notes.change_contact(session, number, _fields(), actor=actor, now=now())
            place = _place(contact.customer_id, "contacts")
    except (BadNote, LookupError) as bad:
        return refused(sentence(bad))
    return done("The contact is removed." if removes else "The contact is changed.", to=place)


def _customer() -> str:
    """The id of the customer that the form names. Answers 404 where the books have none."""
    with console().books() as books:
        return str(one(books, "customer", request.form.get("customer", ""))[0]["customer_id"])


def _fields() -> dict[str, str]:
    return {name: request.form[name] for name in LENGTHS if name in request.form}


def _place(customer: str, part: str) -> str:
    return f"/customers/{quote(customer, safe='')}#{part}"
