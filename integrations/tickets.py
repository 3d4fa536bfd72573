"""Opens tickets elsewhere: a file in a folder, or a request to an address. No integration: nothing is read from it.

Owns how a ticket is handed over, once under its key; does not own what stands in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from integrations.http import Client, SourceError, UnreachableError
from integrations.http_retry import Retry
from integrations.writing import Deed, Preview, Receipt, Request, UnclearError, Writes

VERBS = frozenset({"open"})


def _request(deed: Deed, place: str) -> Request:
    if deed.verb not in VERBS:
        raise ValueError(f"a ticket cannot be asked to {deed.verb}")
    return Request("post", place, deed.about)


@dataclass(frozen=True)
class FolderTickets:
    """Tickets as JSON files, named by their key, for whatever picks them up."""

    folder: Path
    can: frozenset[str] = VERBS
    keyed: bool = True

    def request(self, deed: Deed) -> Request:
        """The file that the ticket will be. Raises ValueError for another verb."""
        return _request(deed, str(self.folder))

    def state(self, type: str, id: str) -> Mapping[str, Any] | None:
        """Nothing is known of what tickets are about."""
        return {}

    def seen(self, deed: Deed, key: str) -> Receipt | None:
        """The receipt of a ticket whose file is there. Raises SourceError."""
        path = self._path(key)
        return Receipt(path.stem, {"path": str(path)}) if path.exists() else None

    def preview(self, deed: Deed) -> Preview | None:
        """A ticket comes to no amount."""
        return None

    def send(self, deed: Deed, key: str) -> Receipt:
        """Write the file, whole or not at all. Raises SourceError where the folder cannot be written to."""
        path = self._path(key)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            part.write_text(json.dumps({"key": key, **deed.about}, indent=2) + "\n", encoding="utf-8")
            part.replace(path)
        except OSError as error:
            told = f"{self.folder} cannot be written to ({error.strerror}); remediation.tickets names the folder"
            raise SourceError(told, permanent=True) from None
        return Receipt(path.stem, {"path": str(path)})

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.json"


@dataclass(frozen=True)
class HttpTickets:
    """Tickets as JSON by POST, each under an Idempotency-Key that whoever takes them should hold to."""

    url: str
    client: Client = field(repr=False)
    token: str | None = field(default=None, repr=False)
    can: frozenset[str] = VERBS
    keyed: bool = True

    def request(self, deed: Deed) -> Request:
        """The request that the ticket will be. Raises ValueError for another verb."""
        return _request(deed, self.url)

    def state(self, type: str, id: str) -> Mapping[str, Any] | None:
        """Nothing is known of what tickets are about."""
        return {}

    def seen(self, deed: Deed, key: str) -> Receipt | None:
        """Nothing: the other side is not asked what it has."""
        return None

    def preview(self, deed: Deed) -> Preview | None:
        """A ticket comes to no amount."""
        return None

    def send(self, deed: Deed, key: str) -> Receipt:
        """Post it. Raises UnclearError where no answer says whether it was taken, SourceError when it was refused."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        headers |= {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            reply = self.client.send("POST", self.url, headers=headers, body=json.dumps({"key": key, **deed.about}))
        except UnreachableError as error:
            raise UnclearError(f"the address of remediation.tickets gives no answer: {error}") from None
        if reply.status >= 500:
            raise UnclearError(f"the address of remediation.tickets answers {reply.status}")
        if reply.status >= 400:
            raise SourceError(f"the address of remediation.tickets refuses the ticket ({reply.status})", permanent=True)
        return Receipt(_named(reply.body) or key, {"status": reply.status})


def at(folder: Path | None, url: str | None, token: str | None) -> Writes | None:
    """The configured place of tickets; None where there is none. A post is never sent twice by itself."""
    if folder is not None:
        return FolderTickets(folder)
    return HttpTickets(url, Client(retry=Retry(attempts=1), expects=""), token) if url else None


def _named(body: bytes) -> str | None:
    """The id or address that the other side gave the ticket."""
    try:
        said = json.loads(body)
    except ValueError:
        return None
    found = said.get("url") or said.get("key") or said.get("id") if isinstance(said, dict) else None
    return str(found)[:200] if found else None
