"""Asking a Zuora tenant: an OAuth token from the client's id and secret, renewed before it ends and when refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from integrations.http import Client, SourceError
from integrations.json_api import Answer, JsonApi, KeyRefusedError, Params
from integrations.objects import entries, nested

EARLY = 60.0
"""Seconds by which a token is renewed before it ends."""


@dataclass
class Tenant:
    """One tenant. Remembers its token for as long as that lasts."""

    client: Client
    base_url: str
    client_id: str
    secret: str = field(repr=False)
    _token: str | None = field(default=None, init=False, repr=False)
    _until: float = field(default=0.0, init=False)

    def get(self, path: str, params: Params | None = None) -> Answer:
        """The answer of a path. A token that is refused is renewed once. Raises SourceError."""
        api = self._api()
        try:
            answer = api.get(path, params)
        except KeyRefusedError:
            self._token = None
            answer = self._api().get(path, params)
        if nested(answer.body, "success") is False:  # which Zuora says with status 200
            raise SourceError(f"Zuora did not give {path}: {_reasons(answer.body)}", permanent=False)
        return answer

    def write(self, method: str, path: str, body: Mapping[str, object], key: str | None) -> Any:
        """Write, under a key where there is one; what Zuora answers. Raises UnclearError, SourceError."""
        headers = {"Idempotency-Key": key} if key else {}
        try:
            said = self._api().write(method, path, body, headers=headers)
        except KeyRefusedError:
            self._token = None
            said = self._api().write(method, path, body, headers=headers)
        if nested(said, "success") is False:
            raise SourceError(f"Zuora did not do {path}: {_reasons(said)}", permanent=True)
        return said

    def _api(self) -> JsonApi:
        if self._token is None or self.client.pace.now() >= self._until - EARLY:
            self._token, lasts = self._granted()
            self._until = self.client.pace.now() + lasts
        return JsonApi("Zuora", self.client, self.base_url, {"Authorization": f"Bearer {self._token}"}, self._token)

    def _granted(self) -> tuple[str, float]:
        """A new token, and the seconds that it lasts."""
        asked = {"grant_type": "client_credentials", "client_id": self.client_id, "client_secret": self.secret}
        headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        url, form = f"{self.base_url}/oauth/token", urlencode(asked)
        reply = self.client.send("POST", url, headers=headers, body=form, classes=("each",), repeatable=True)
        if reply.status in {400, 401, 403}:
            said = "Zuora refused the key; set client_id and what api_key_env names to those of an OAuth client."
            raise KeyRefusedError(said, permanent=True)
        try:
            given = json.loads(reply.body) if reply.status == 200 else {}
            return str(given["access_token"]), float(given.get("expires_in") or 0)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SourceError(f"Zuora gave no token ({reply.status}); it is asked again.", permanent=False) from error


def _reasons(body: Any) -> str:
    said = next((str(each.get("message")) for each in entries(body.get("reasons"))), "no reason given")
    return said[:300]
