"""What people write down about a customer: notes, the newest first, and contacts beside those that the books name.

Whose note may be changed by whom is for the caller to say (`anybodys`); every change is audited under the customer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from store import audit
from store.customer_tables import CustomerContact, CustomerNote

LONGEST = 4_000
MOST = 200
"""Notes of one customer that are shown, and contacts that one has."""

LENGTHS: Mapping[str, int] = {"name": 100, "role": 100, "address": 200, "phone": 40}
"""The fields of a contact, each with its most letters."""

_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f]")


class BadNote(ValueError):  # noqa: N818 (what is bad is what a person wrote)
    """A note or contact that cannot be kept or changed so; the message says why."""


def notes(session: Session, customer: str) -> Sequence[CustomerNote]:
    """The notes on a customer, the newest first."""
    query = select(CustomerNote).where(CustomerNote.customer_id == customer, CustomerNote.removed_at.is_(None))
    return session.scalars(query.order_by(CustomerNote.id.desc()).limit(MOST)).all()


def count(session: Session, customer: str | None) -> int:
    """How many notes there are on a customer."""
    of = (CustomerNote.customer_id == customer) & CustomerNote.removed_at.is_(None)
    return (session.scalar(select(func.count()).select_from(CustomerNote).where(of)) or 0) if customer else 0


def write(session: Session, customer: str, text: str, *, actor: str, now: datetime) -> CustomerNote:
    """A new note. Raises BadNote without text, or with too much."""
    note = CustomerNote(customer_id=customer, text=_text(text), author=actor, at=now)
    session.add(note)
    session.flush()
    _tell(session, "note.written", note, actor, now, after={"note": note.id, "text": note.text})
    return note


def change(session: Session, number: int, text: str, *, actor: str, anybodys: bool, now: datetime) -> CustomerNote:
    """Write a note anew. Raises LookupError where there is none, BadNote for another's and for no text."""
    note = _own(session, number, actor, anybodys)
    before, wanted = note.text, _text(text)
    if wanted != before:
        note.text, note.changed_at = wanted, now
        told = {"before": {"note": note.id, "text": before}, "after": {"note": note.id, "text": wanted}}
        _tell(session, "note.changed", note, actor, now, **told)
    return note


def remove(session: Session, number: int, *, actor: str, anybodys: bool, now: datetime) -> CustomerNote:
    """Take a note away. Raises LookupError where there is none, BadNote for another's."""
    note = _own(session, number, actor, anybodys)
    _tell(session, "note.removed", note, actor, now, before={"note": note.id, "author": note.author, "text": note.text})
    note.text, note.removed_at = "", now
    return note


def contacts(session: Session, customer: str) -> Sequence[CustomerContact]:
    """The contacts that people added, by name."""
    query = select(CustomerContact).where(CustomerContact.customer_id == customer)
    return session.scalars(query.order_by(CustomerContact.name, CustomerContact.id).limit(MOST)).all()


def add_contact(
    session: Session, customer: str, given: Mapping[str, str], *, actor: str, now: datetime
) -> CustomerContact:
    """A new contact. Raises BadNote without a name, or with a field that is too long."""
    wanted = _fields(given)
    if len(contacts(session, customer)) >= MOST:
        raise BadNote(f"there are {MOST} contacts already; remove one first")
    contact = CustomerContact(customer_id=customer, **wanted, added_by=actor, added_at=now)
    session.add(contact)
    session.flush()
    _tell(session, "contact.added", contact, actor, now, after={"contact": contact.id, **wanted})
    return contact


def change_contact(
    session: Session, number: int, given: Mapping[str, str], *, actor: str, now: datetime
) -> CustomerContact:
    """Set some fields of a contact, the others stay. Raises LookupError where there is none, BadNote."""
    contact = contact_of(session, number)
    before = contact_fields(contact)
    wanted = _fields({**before, **given})
    if wanted != before:
        for name, value in wanted.items():
            setattr(contact, name, value)
        told = {"before": {"contact": number, **before}, "after": {"contact": number, **wanted}}
        _tell(session, "contact.changed", contact, actor, now, **told)
    return contact


def remove_contact(session: Session, number: int, *, actor: str, now: datetime) -> CustomerContact:
    """Take a contact away. Raises LookupError where there is none."""
    contact = contact_of(session, number)
    _tell(session, "contact.removed", contact, actor, now, before={"contact": number, **contact_fields(contact)})
    session.delete(contact)
    return contact


def note_of(session: Session, number: int) -> CustomerNote:
    """The note of that number. Raises LookupError where there is none, or no more."""
    note = session.get(CustomerNote, number)
    if note is None or note.removed_at is not None:
        raise LookupError(f"there is no note {number}")
    return note


def contact_of(session: Session, number: int) -> CustomerContact:
    """The contact of that number. Raises LookupError where there is none."""
    contact = session.get(CustomerContact, number)
    if contact is None:
        raise LookupError(f"there is no contact {number}")
    return contact


def contact_fields(contact: CustomerContact) -> dict[str, str]:
    """Name, role, address and phone."""
    return {name: str(getattr(contact, name)) for name in LENGTHS}


def _own(session: Session, number: int, actor: str, anybodys: bool) -> CustomerNote:
    note = note_of(session, number)
    if note.author != actor and not anybodys:
        raise BadNote(f"note {number} is {note.author}'s; only {note.author} or a manager changes it")
    return note


def _text(text: str) -> str:
    kept = _STEERING.sub("", text.replace("\r\n", "\n")).strip()
    if not 1 <= len(kept) <= LONGEST:
        raise BadNote(f"a note has 1 to {LONGEST:,} letters, not {len(kept):,}")
    return kept


def _fields(given: Mapping[str, str]) -> dict[str, str]:
    wanted = {name: " ".join(_STEERING.sub(" ", given.get(name, "")).split()) for name in LENGTHS}
    if not wanted["name"]:
        raise BadNote("a contact needs a name")
    for name, most in LENGTHS.items():
        if len(wanted[name]) > most:
            raise BadNote(f"the {name} of a contact has at most {most} letters")
    return wanted


def _tell(
    session: Session, deed: str, about: CustomerNote | CustomerContact, actor: str, now: datetime, **more: Any
) -> None:
    audit.record(session, deed, ("customer", about.customer_id), actor=actor, now=now, **more)
