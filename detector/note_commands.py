"""Notes on customers and their contacts at the terminal."""

from __future__ import annotations

from contextlib import closing

import click

from detector import customer_notes, terminal
from detector.commands import Opened
from detector.detail import instant
from detector.near import meant
from detector.signal_commands import AS
from detector.terminal import JSON
from store import operational

FIELDS = click.argument("fields", nargs=-1, metavar="[FIELD=VALUE]...")
NUMBER = click.argument("number", type=click.IntRange(min=0))


@click.group("notes", invoke_without_command=True)
@click.option("--on", "customer", help="The customer_id of the books.")
@JSON
@click.pass_context
def notes_group(context: click.Context, customer: str | None, as_json: bool) -> None:
    """What people wrote about a customer, the newest first: `notes --on cus_1`, `notes add cus_1 --text "..."`."""
    if context.invoked_subcommand is not None:
        return
    home: Opened = context.obj
    named = _known(home, customer)
    with operational.reading(home.engine) as session:
        found = customer_notes.notes(session, named)
        lines = [f"{each.id} {each.at:%Y-%m-%d %H:%M} {each.author}: {each.text}" for each in found]
        told = [
            {"id": each.id, "author": each.author, "at": instant(each.at), "changed_at": instant(each.changed_at),
             "text": each.text}
            for each in found
        ]  # fmt: skip
    if as_json:
        terminal.answer(told)
        return
    for line in lines or [f"there are no notes on {named}"]:
        terminal.echo(line)


@notes_group.command("add")
@click.argument("customer")
@click.option("--text", required=True, help="`@` and a name tells that person.")
@AS
@click.pass_obj
def add_note(home: Opened, customer: str, text: str, actor: str) -> None:
    """Write a note on a customer."""
    named = _known(home, customer)
    with terminal.refusals(), operational.writing(home.engine) as session:
        made = customer_notes.write(session, named, text, actor=actor, now=home.clock())
        terminal.echo(f"note {made.id} is written")


@notes_group.command("set")
@NUMBER
@click.option("--text", required=True)
@AS
@click.pass_obj
def set_note(home: Opened, number: int, text: str, actor: str) -> None:
    """Write a note anew."""
    with terminal.refusals(), operational.writing(home.engine) as session:
        customer_notes.change(session, number, text, actor=actor, anybodys=True, now=home.clock())
    terminal.echo(f"note {number} is changed")


@notes_group.command("remove")
@NUMBER
@AS
@click.pass_obj
def remove_note(home: Opened, number: int, actor: str) -> None:
    """Take a note away."""
    with terminal.refusals(), operational.writing(home.engine) as session:
        customer_notes.remove(session, number, actor=actor, anybodys=True, now=home.clock())
    terminal.echo(f"note {number} is removed")


@click.group("contacts", invoke_without_command=True)
@click.option("--of", "customer", help="The customer_id of the books.")
@JSON
@click.pass_context
def contacts_group(context: click.Context, customer: str | None, as_json: bool) -> None:
    """Whom people reach at a customer: `contacts --of cus_1`, `contacts add cus_1 "name=Ann Lee" role=Finance`."""
    if context.invoked_subcommand is not None:
        return
    home: Opened = context.obj
    named = _known(home, customer)
    with operational.reading(home.engine) as session:
        found = customer_notes.contacts(session, named)
        told = [{"id": each.id, **customer_notes.contact_fields(each), "added_by": each.added_by} for each in found]
    if as_json:
        terminal.answer(told)
        return
    lines = [", ".join(str(each[name]) for name in ("id", *customer_notes.LENGTHS) if each[name]) for each in told]
    for line in lines or [f"there are no contacts of {named} but those in the books"]:
        terminal.echo(line)


@contacts_group.command("add")
@click.argument("customer")
@FIELDS
@AS
@click.pass_obj
def add_contact(home: Opened, customer: str, fields: tuple[str, ...], actor: str) -> None:
    """Add a contact: name, role, address and phone."""
    given = _given(fields)
    named = _known(home, customer)
    with terminal.refusals(), operational.writing(home.engine) as session:
        made = customer_notes.add_contact(session, named, given, actor=actor, now=home.clock())
        terminal.echo(f"contact {made.id} is added")


@contacts_group.command("set")
@NUMBER
@FIELDS
@AS
@click.pass_obj
def set_contact(home: Opened, number: int, fields: tuple[str, ...], actor: str) -> None:
    """Change fields of a contact."""
    given = _given(fields)
    with terminal.refusals(), operational.writing(home.engine) as session:
        customer_notes.change_contact(session, number, given, actor=actor, now=home.clock())
    terminal.echo(f"contact {number} is changed")


@contacts_group.command("remove")
@NUMBER
@AS
@click.pass_obj
def remove_contact(home: Opened, number: int, actor: str) -> None:
    """Take a contact away."""
    with terminal.refusals(), operational.writing(home.engine) as session:
        customer_notes.remove_contact(session, number, actor=actor, now=home.clock())
    terminal.echo(f"contact {number} is removed")


def _given(fields: tuple[str, ...]) -> dict[str, str]:
    given = terminal.assignments(fields)
    for name in given:
        if name not in customer_notes.LENGTHS:
            raise click.UsageError(f"there is no field {name[:40]!r}; {meant(name, customer_notes.LENGTHS)}")
    return given


def _known(home: Opened, customer: str | None) -> str:
    """The customer, if the books have it."""
    if not customer:
        raise click.UsageError("say of which customer: its customer_id in the books")
    with closing(home.warehouse.connect()) as con:
        if not con.execute("SELECT 1 FROM books.customers WHERE customer_id = ? LIMIT 1", [customer]).fetchone():
            raise click.UsageError(f"there is no customer {customer} in the books")
    return customer
