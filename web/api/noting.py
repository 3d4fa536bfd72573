"""What people write down about customers: notes and contacts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from flask import Response, request
from pydantic import Field

from detector import customer_notes
from detector.customer_notes import LENGTHS, LONGEST, BadNote
from detector.detail import instant
from store import operational
from store.customer_tables import CustomerContact, CustomerNote
from web import records
from web.api.answers import Answer, Instant
from web.api.bodies import Body
from web.api.operations import Asked, Operation, body, operation, query
from web.console import console, now
from web.customer_notes import anybodys
from web.preferences import preferences
from web.problems import Refused, answer
from web.words import sentence

CustomerId = Annotated[str, Field(min_length=1, max_length=300, description="The customer_id of the books.")]
Text = Annotated[str, Field(min_length=1, max_length=LONGEST, description="`@` and a name tells that person.")]
REFUSED = {404: "There is none of that number, or no such customer.", 409: "It cannot be done; the detail says why."}


class Note(Answer):
    """What somebody wrote about a customer."""

    id: int
    customer: str
    text: str
    author: str
    at: Instant
    changed_at: Instant | None


class Notes(Answer):
    """The notes on a customer, the newest first."""

    notes: list[Note]


class Contact(Answer):
    """Whom people reach at a customer; Trueup writes to none of them."""

    id: int
    customer: str
    name: str
    role: str
    address: str
    phone: str
    added_by: str
    added_at: Instant


class Contacts(Answer):
    """The contacts that people added, by name; the email address of the books stands in the customer's record."""

    contacts: list[Contact]


class OfCustomer(Asked):
    """Of which customer."""

    customer: CustomerId


class WantedNote(Body):
    """A new note."""

    customer: CustomerId
    text: Text


class ChangedNote(Body):
    """A note anew."""

    text: Text


class ChangedContact(Body):
    """What is named; the rest stays."""

    name: Annotated[str | None, Field(min_length=1, max_length=LENGTHS["name"])] = None
    role: Annotated[str | None, Field(max_length=LENGTHS["role"])] = None
    address: Annotated[str | None, Field(max_length=LENGTHS["address"])] = None
    phone: Annotated[str | None, Field(max_length=LENGTHS["phone"])] = None

    def given(self) -> dict[str, str]:
        """The fields that are named."""
        return self.model_dump(include=set(LENGTHS), exclude_none=True)


class WantedContact(ChangedContact):
    """A new contact, which has a name at least."""

    customer: CustomerId
    name: Annotated[str, Field(min_length=1, max_length=LENGTHS["name"])]


@operation("/notes", Operation("List notes on a customer", "The newest 200.", Notes, query=OfCustomer))
def notes() -> Response:
    """The notes on a customer."""
    asked = query(OfCustomer, request.args)
    with operational.reading(console().engine) as session:
        return answer(200, {"notes": [_note(each) for each in customer_notes.notes(session, asked.customer)]})


@operation("/notes", Operation("Write a note on a customer", "Who is named by `@` is told.", Note, 201, body=WantedNote,
                               refuses=REFUSED), method="POST")  # fmt: skip
def write_note() -> Response:
    """A new note."""
    wanted: WantedNote = body(WantedNote)
    customer = _known(wanted.customer)
    with _refusals(), operational.writing(console().engine) as session:
        return answer(201, _note(customer_notes.write(session, customer, wanted.text, actor=_actor(), now=now())))


@operation("/notes/<int:number>", Operation("Change a note", "One's own; as a manager anybody's.", Note,
                                            body=ChangedNote, refuses=REFUSED), method="PUT")  # fmt: skip
def change_note(number: int) -> Response:
    """A note anew."""
    wanted: ChangedNote = body(ChangedNote)
    by: dict[str, Any] = {"actor": _actor(), "anybodys": anybodys(), "now": now()}
    with _refusals(), operational.writing(console().engine) as session:
        return answer(200, _note(customer_notes.change(session, number, wanted.text, **by)))


@operation("/notes/<int:number>", Operation("Remove a note", "One's own; as a manager anybody's.", None, 204,
                                            refuses=REFUSED), method="DELETE")  # fmt: skip
def remove_note(number: int) -> Response:
    """Take a note away."""
    with _refusals(), operational.writing(console().engine) as session:
        customer_notes.remove(session, number, actor=_actor(), anybodys=anybodys(), now=now())
    return Response(status=204)


@operation("/contacts", Operation("List contacts of a customer", "That people added.", Contacts, query=OfCustomer))
def contacts() -> Response:
    """The contacts of a customer."""
    asked = query(OfCustomer, request.args)
    with operational.reading(console().engine) as session:
        return answer(200, {"contacts": [_contact(each) for each in customer_notes.contacts(session, asked.customer)]})


@operation("/contacts", Operation("Add a contact", "Of a customer of the books.", Contact, 201, body=WantedContact,
                                  refuses=REFUSED), method="POST")  # fmt: skip
def add_contact() -> Response:
    """A new contact."""
    wanted: WantedContact = body(WantedContact)
    customer = _known(wanted.customer)
    with _refusals(), operational.writing(console().engine) as session:
        made = customer_notes.add_contact(session, customer, wanted.given(), actor=_actor(), now=now())
        return answer(201, _contact(made))


@operation("/contacts/<int:number>", Operation("Change a contact", "What is named.", Contact, body=ChangedContact,
                                               refuses=REFUSED), method="PUT")  # fmt: skip
def change_contact(number: int) -> Response:
    """Set fields of a contact."""
    wanted: ChangedContact = body(ChangedContact)
    with _refusals(), operational.writing(console().engine) as session:
        made = customer_notes.change_contact(session, number, wanted.given(), actor=_actor(), now=now())
        return answer(200, _contact(made))


@operation("/contacts/<int:number>", Operation("Remove a contact", "That people added.", None, 204, refuses=REFUSED),
           method="DELETE")  # fmt: skip
def remove_contact(number: int) -> Response:
    """Take a contact away."""
    with _refusals(), operational.writing(console().engine) as session:
        customer_notes.remove_contact(session, number, actor=_actor(), now=now())
    return Response(status=204)


def _actor() -> str:
    return preferences().actor


def _known(customer: str) -> str:
    """The id, where the books have such a customer. Answers 404 where they have none."""
    with console().books() as books:
        return str(records.one(books, "customer", customer)[0]["customer_id"])


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except LookupError as gone:
        raise Refused(404, "No such record", sentence(gone)) from None
    except BadNote as bad:
        raise Refused(409, "It cannot be done", sentence(bad)) from None


def _note(each: CustomerNote) -> dict[str, Any]:
    at = {"at": instant(each.at), "changed_at": instant(each.changed_at)}
    return {"id": each.id, "customer": each.customer_id, "text": each.text, "author": each.author, **at}


def _contact(each: CustomerContact) -> dict[str, Any]:
    fields = customer_notes.contact_fields(each)
    return {"id": each.id, "customer": each.customer_id, **fields, "added_by": each.added_by,
            "added_at": instant(each.added_at)}  # fmt: skip
