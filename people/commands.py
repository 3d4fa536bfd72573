"""The commands of people and their tokens. They open nothing themselves, see `Opened`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Protocol

import click
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from detector import terminal
from detector.cycle import Clock
from detector.terminal import JSON, JobFailed
from people import accounts, invitations, second_factor, sessions, tokens
from people.roles import ROLES, Permission
from store import operational
from store.people_tables import ApiToken, Person

BY = click.option("--as", "actor", default="cli", show_default=True, metavar="NAME", help="Who does this.")
ROLE = click.option(
    "--role", "roles", multiple=True, type=click.Choice(list(ROLES)), help="May be given several times."
)
LIMIT = click.option("--limit", "limits", default=None, help="What they approve alone: 'USD 500, EUR 400'.")


class Opened(Protocol):
    """What the command line opened."""

    @property
    def engine(self) -> Engine: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def address(self) -> str: ...


@click.group()
def people() -> None:
    """Who may sign in, as what, and their API tokens."""


@people.command("list")
@JSON
@click.pass_obj
def list_command(home: Opened, as_json: bool) -> None:
    """Everybody with an account, and who is invited."""
    with operational.reading(home.engine) as session:
        found, invited = accounts.listed(session), invitations.pending(session, home.clock())
        if as_json:
            waiting = [
                {"email": each.email, "roles": each.roles, "until": each.expires_at.isoformat()} for each in invited
            ]
            terminal.answer({"people": [_as_json(each) for each in found], "invited": waiting})
            return
        table = terminal.columns("name", "email", "roles", "approves alone", "second factor", "last seen", "state")
        for each in found:
            limits = ", ".join(f"{currency} {amount}" for currency, amount in each.limits.items())
            state = "disabled" if each.disabled_at else "active"
            factor = "yes" if each.totp_since else "no"
            table.add_row(each.name, each.email, ", ".join(each.roles), limits, factor, _when(each.seen_at), state)
        for invitation in invited:
            table.add_row("", invitation.email or "", ", ".join(invitation.roles), "", "", "", "invited")
        terminal.show(table)


@people.command("first")
@click.pass_obj
def first_command(home: Opened) -> None:
    """Print the one-time link that makes the first admin."""
    with operational.writing(home.engine) as session:
        secret = invitations.first_run(session, now=home.clock())
    if secret is None:
        raise JobFailed("somebody has an account already; its admin invites others: trueup people invite EMAIL")
    terminal.echo(f"{home.address}/first-run/{secret}")


@people.command("invite")
@click.argument("email")
@ROLE
@LIMIT
@BY
@click.pass_obj
def invite_command(home: Opened, email: str, roles: tuple[str, ...], limits: str | None, actor: str) -> None:
    """Print a one-time link that makes an account."""
    with _refusals(), operational.writing(home.engine) as session:
        allowed = accounts.read_limits(limits or "")
        _, secret = invitations.invite(session, email, roles=roles, limits=allowed, actor=actor, now=home.clock())
    terminal.echo(f"{home.address}/invitation/{secret}")


@people.command("withdraw")
@click.argument("email")
@BY
@click.pass_obj
def withdraw_command(home: Opened, email: str, actor: str) -> None:
    """Make the link of an invitation lead nowhere."""
    with operational.writing(home.engine) as session:
        found = [each for each in invitations.pending(session, home.clock()) if each.email == email.strip().casefold()]
        if not found:
            raise click.UsageError(f"nobody is invited as {email}; trueup people list shows who is")
        for each in found:
            invitations.withdraw(session, each, actor=actor, now=home.clock())
    terminal.echo(f"the invitation of {email} is withdrawn")


@people.command("set")
@click.argument("who")
@ROLE
@LIMIT
@BY
@click.pass_obj
def set_command(home: Opened, who: str, roles: tuple[str, ...], limits: str | None, actor: str) -> None:
    """Set what somebody may do; what is not given stays."""
    with _changing(home, who) as (session, person):
        accounts.change(
            session,
            person,
            roles=roles or person.roles,
            limits=person.limits if limits is None else accounts.read_limits(limits),
            actor=actor,
            now=home.clock(),
        )
    terminal.echo(f"{person.name}: {', '.join(person.roles)}")


@people.command("disable")
@click.argument("who")
@BY
@click.pass_obj
def disable_command(home: Opened, who: str, actor: str) -> None:
    """Shut somebody out: their sessions end, their tokens are revoked."""
    with _changing(home, who) as (session, person):
        accounts.disable(session, person, actor=actor, now=home.clock())
    terminal.echo(f"{person.name} is disabled")


@people.command("enable")
@click.argument("who")
@BY
@click.pass_obj
def enable_command(home: Opened, who: str, actor: str) -> None:
    """Let somebody sign in again."""
    with _changing(home, who) as (session, person):
        accounts.enable(session, person, actor=actor, now=home.clock())
    terminal.echo(f"{person.name} may sign in")


@people.command("sign-out")
@click.argument("who")
@BY
@click.pass_obj
def sign_out_command(home: Opened, who: str, actor: str) -> None:
    """End every session of somebody."""
    with _changing(home, who) as (session, person):
        count = sessions.end(session, person, actor=actor, now=home.clock())
    terminal.echo(f"{person.name}: {count} sessions ended")


@people.command("password")
@click.argument("who")
@click.password_option(help="Asked for where it is not given.")
@BY
@click.pass_obj
def password_command(home: Opened, who: str, password: str, actor: str) -> None:
    """Give somebody another password, for instance who has lost theirs; their sessions end."""
    with _changing(home, who) as (session, person):
        accounts.set_password(session, person, password, actor=actor, now=home.clock())
        sessions.end(session, person, actor=actor, now=home.clock())
    terminal.echo(f"{person.name} has another password")


@people.command("no-second-factor")
@click.argument("who")
@BY
@click.pass_obj
def factor_command(home: Opened, who: str, actor: str) -> None:
    """Take the second factor away from somebody who has lost it."""
    with _changing(home, who) as (session, person):
        second_factor.remove(session, person, actor=actor, now=home.clock())
    terminal.echo(f"{person.name} signs in without a second factor")


@people.command("token")
@click.argument("who")
@click.option("--name", required=True, help="What uses it.")
@click.option("--scope", "scopes", multiple=True, required=True, type=click.Choice([each.value for each in Permission]))
@click.option("--days", type=click.IntRange(1, tokens.LONGEST.days), default=90, show_default=True)
@BY
@click.pass_obj
def token_command(home: Opened, who: str, name: str, scopes: tuple[str, ...], days: int, actor: str) -> None:
    """Print a new API token of somebody; it is shown this once."""
    with _changing(home, who) as (session, person):
        _, secret = tokens.make(session, person, name=name, scopes=scopes, days=days, actor=actor, now=home.clock())
    terminal.echo(secret)


@people.command("tokens")
@JSON
@click.pass_obj
def tokens_command(home: Opened, as_json: bool) -> None:
    """The API tokens that work."""
    with operational.reading(home.engine) as session:
        owners = {each.id: each.email for each in accounts.listed(session)}
        found = tokens.listed(session, home.clock())
    if as_json:
        terminal.answer([{**_token_json(each), "owner": owners[each.person_id]} for each in found])
        return
    table = terminal.columns("id", "name", "owner", "scopes", "until", "last used", right=("id",))
    for each in found:
        until, used = _when(each.expires_at), _when(each.used_at)
        table.add_row(str(each.id), each.name, owners[each.person_id], ", ".join(each.scopes), until, used)
    terminal.show(table)


@people.command("revoke")
@click.argument("token", type=int)
@BY
@click.pass_obj
def revoke_command(home: Opened, token: int, actor: str) -> None:
    """Let an API token work no more."""
    with operational.writing(home.engine) as session:
        found = session.get(ApiToken, token)
        if found is None:
            raise click.UsageError(f"there is no token {token}; trueup people tokens lists them")
        tokens.revoke(session, found, actor=actor, now=home.clock())
    terminal.echo(f"{found.name} is revoked")


@contextmanager
def _changing(home: Opened, who: str) -> Iterator[tuple[Session, Person]]:
    with _refusals(), operational.writing(home.engine) as session:
        yield session, accounts.find(session, who)


@contextmanager
def _refusals() -> Iterator[None]:
    """Somebody who is not there is a wrong argument, and so is what an account cannot be."""
    try:
        yield
    except (LookupError, ValueError) as error:
        raise click.UsageError(str(error)) from None


def _as_json(person: Person) -> dict[str, Any]:
    return {
        **accounts.facts(person),
        "second_factor": person.totp_since is not None,
        "last_seen": person.seen_at and person.seen_at.isoformat(),
        "disabled": person.disabled_at is not None,
    }


def _token_json(token: ApiToken) -> dict[str, Any]:
    told = {"id": token.id, "name": token.name, "scopes": token.scopes, "until": token.expires_at.isoformat()}
    return told | {"last_used": token.used_at and token.used_at.isoformat()}


def _when(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M}" if at else ""
