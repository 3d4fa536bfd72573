"""The audit: what was changed, by whom and why; its chain verified, and the rows of a query as a sheet."""

from __future__ import annotations

import json
from typing import Annotated, Any

from flask import Response, request
from pydantic import AwareDatetime, Field

from people import audit_log
from people.audit_log import Wanted
from store import audit as chain
from store import operational
from store.audit_tables import AuditEntry
from web import audit as console_page
from web.api.answers import Answer, Instant
from web.api.bodies import Body
from web.api.operations import JSON, Asked, Operation, body, operation, query
from web.api.queries import CSV, Limit, one_of
from web.console import console
from web.problems import answer


class AuditRow(Answer):
    """One change or attempt: who, what, from what to what, why, and its place in the chain."""

    id: int
    at: Instant
    actor_kind: str
    actor: str
    via: str | None
    action: str
    object_type: str
    object_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    reason: str | None
    request_id: str | None
    previous: str
    hash: str


class Audit(Answer):
    """A page of rows, the newest first."""

    rows: list[AuditRow]
    next: Annotated[str | None, Field(description="The `after` of the next page; null at the end.")]


class Verified(Answer):
    """What a walk along the chain found."""

    rows: int
    head: Annotated[str, Field(description="The last hash; noted elsewhere, it shows a chain that was made anew.")]
    whole: bool
    broken: Annotated[int | None, Field(description="The first row that does not fit.")]
    why: str | None


class AuditQuery(Asked):
    """Which rows, the newest first, and from where on."""

    actor: Annotated[str, Field(max_length=300)] = ""
    kind: Annotated[str, one_of(["", *console_page.KINDS])] = ""
    action: Annotated[str, Field(max_length=300, description="`signal` is all that was done to signals.")] = ""
    about: Annotated[str, Field(max_length=300, description="The id of what it was done to.")] = ""
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    after: Annotated[int | None, Field(ge=1, lt=2**63, description="The `next` of the page before.")] = None
    limit: Limit = 50


class WantedVerification(Body):
    """`known`: a last hash that was noted earlier, which the chain must hold."""

    known: Annotated[str | None, Field(pattern="^[0-9a-f]{64}$")] = None


@operation(
    "/audit",
    Operation("Read the audit", f"The rows of a query, page by page; with `Accept: {CSV}` all of them, oldest first.",
              Audit, query=AuditQuery, also=(CSV,)),
)  # fmt: skip
def audit() -> Response:
    """The rows of the audit."""
    asked = query(AuditQuery, request.args)
    wanted = Wanted(asked.actor, asked.kind, asked.action, asked.about, asked.since, asked.until)
    if request.accept_mimetypes.best_match((JSON, CSV)) == CSV:
        return console_page.sheet(wanted)
    with operational.reading(console().engine) as session:
        page = audit_log.page(session, wanted, before=asked.after, limit=asked.limit)
        rows = [_row(each) for each in page.rows]
    return answer(200, {"rows": rows, "next": str(page.next) if page.next else None})


@operation(
    "/audit/verify",
    Operation("Verify the audit", "Walk along the whole chain and say whether it holds.", Verified,
              body=WantedVerification),
    method="POST",
)  # fmt: skip
def verify_audit() -> Response:
    """Walk along the chain."""
    wanted: WantedVerification = body(WantedVerification)
    with operational.reading(console().engine) as session:
        found = chain.verify(session, wanted.known)
    told = {name: getattr(found, name) for name in ("rows", "head", "whole", "broken", "why")}
    return answer(200, told)


def _row(entry: AuditEntry) -> dict[str, Any]:
    names = ("id", "actor_kind", "actor", "via", "action", "object_type", "object_id", "reason", "request_id",
             "previous", "hash")  # fmt: skip
    documents = {name: json.loads(getattr(entry, name) or "null") for name in ("before", "after")}
    at = entry.at.isoformat().replace("+00:00", "Z")
    return {**{name: getattr(entry, name) for name in names}, **documents, "at": at}
