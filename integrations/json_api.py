"""Reading a vendor's JSON over the shared client: one place for its key, its errors and its clock."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

from integrations.http import Client, Reply, SourceError, UnreachableError
from integrations.writing import UnclearError

Params = Mapping[str, object]


class GoneError(SourceError):
    """The object asked for is not there (any more)."""


class KeyRefusedError(SourceError):
    """The key is not one that the vendor takes (any more)."""


@dataclass(frozen=True)
class Answer:
    """The JSON of an answer, decimals exact, and its instant by the vendor's own clock."""

    body: Any
    at: datetime


@dataclass(frozen=True)
class JsonApi:
    """One account of a vendor. Raises SourceError with one sentence that says what to do.

    `headers` hold the key; `secret` is cut out of everything that an error says.
    """

    vendor: str
    client: Client
    base_url: str
    headers: Mapping[str, str] = field(repr=False)
    secret: str = field(repr=False)
    key_setting: str = "api_key_env"

    def get(self, path: str, params: Params | None = None, *, classes: Iterable[str] = ("each",)) -> Answer:
        """The answer of a path below the base; parameters that are None are left out, lists are repeated."""
        asked = {name: value for name, value in (params or {}).items() if value is not None}
        query = f"?{urlencode(asked, doseq=True)}" if asked else ""
        headers = {"Accept": "application/json", **self.headers}
        reply = self.client.send("GET", f"{self.base_url}/{path}{query}", headers=headers, classes=classes)
        if reply.status != 200:
            raise self._explained(path, reply)
        try:
            body = json.loads(reply.body, parse_float=Decimal, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            raise SourceError(f"{self.vendor} gave no JSON for {path}.", permanent=False) from error
        return Answer(body, self._answered(reply))

    def write(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        *,
        form: Params | None = None,
        headers: Mapping[str, str] | None = None,
        classes: Iterable[str] = ("each",),
    ) -> Any:
        """Write below the base, a JSON body or a form; the JSON of the answer, an empty object for none.

        It is asked once, unless `headers` have a key under which the vendor does it once. Raises UnclearError when no
        answer says whether it was done, SourceError when it was not.
        """
        kind = "application/json" if form is None else "application/x-www-form-urlencoded"
        sent = {"Accept": "application/json", "Content-Type": kind, **self.headers, **(headers or {})}
        text = exact_json(body or {}) if form is None else urlencode(form)
        try:
            reply = self.client.send(method, f"{self.base_url}/{path}", headers=sent, body=text, classes=classes)
        except UnreachableError as error:
            raise UnclearError(f"{self.vendor} does not say whether {path} was done: {error}") from None
        if reply.status >= 500 or reply.status in (408, 409):
            raise UnclearError(f"{self.vendor} does not say whether {path} was done ({reply.status})")
        if reply.status >= 300:
            raise self._explained(path, reply)
        try:
            found = json.loads(reply.body or b"{}", parse_float=Decimal, parse_constant=_no_number)
        except (ValueError, RecursionError):
            raise UnclearError(f"{self.vendor} gave no JSON about {path}, so whether it was done is unclear") from None
        return found

    def _explained(self, path: str, reply: Reply) -> SourceError:
        if reply.status == 401:
            return KeyRefusedError(
                f"{self.vendor} refused the key; set the variable that {self.key_setting} names to a valid one.",
                permanent=True,
            )
        if reply.status == 403:
            return SourceError(f"The key may not read {path} at {self.vendor}; allow it there.", permanent=True)
        said = self._said(reply)
        if reply.status == 404:
            return GoneError(f"{self.vendor} has no {path}{said}", permanent=True)
        passing = reply.status in {408, 409, 425, 429} or reply.status >= 500
        return SourceError(f"{self.vendor} did not give {path} ({reply.status}){said}", permanent=not passing)

    def _said(self, reply: Reply) -> str:
        if "json" not in reply.headers.get("content-type", ""):
            return "."
        try:
            body = json.loads(reply.body)
        except ValueError:
            return "."
        told = body if isinstance(body, dict) else {}
        text = next((told[name] for name in ("message", "detail", "error", "title") if told.get(name)), "")
        return f": {str(text).replace(self.secret, 'the key')[:300]}" if text else "."

    def _answered(self, reply: Reply) -> datetime:
        try:
            return parsedate_to_datetime(reply.headers.get("date") or "").astimezone(UTC)
        except (TypeError, ValueError) as error:
            said = f"{self.vendor}'s answer has no date, so its version cannot be told."
            raise SourceError(said, permanent=False) from error


def current_row(what: str, read: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The row that `read` makes of a record; None when it is gone. Raises SourceError for one that cannot be read,
    so that nothing is done to what is not understood.
    """
    try:
        return read()
    except GoneError:
        return None
    except (ValueError, LookupError) as error:
        raise SourceError(f"{what} cannot be read, so nothing is done to it: {error}", permanent=False) from error


def exact_json(body: Mapping[str, object]) -> str:
    """The JSON of a body in which decimals are numbers as they are written, never floats."""
    marked = json.dumps(body, default=lambda value: f"{value:f}\0")
    return re.sub(r'"(-?[0-9.]+)\\u0000"', r"\1", marked)


def _no_number(text: str) -> object:
    raise ValueError(f"{text} is no JSON")


def connection(name: str, settings: Mapping[str, object], default_url: str | None) -> tuple[str, str, float | None]:
    """The key, the base address and the requests per second of an integration's settings.

    Raises ValueError naming the setting that is missing or wrong.
    """
    key, per_second = settings.get("api_key"), settings.get("requests_per_second")
    base = settings.get("base_url") or default_url
    if not isinstance(key, str) or not key:
        raise ValueError(f"integrations.{name}.api_key_env: a key that may read is needed.")
    if not str(base or "").startswith(("http://", "https://")):
        raise ValueError(f"integrations.{name}.base_url: an address that begins with https:// is needed, not {base!r}.")
    if per_second is not None and (not isinstance(per_second, int | float) or per_second <= 0):
        raise ValueError(f"integrations.{name}.requests_per_second is {per_second!r}; it must be a number above 0.")
    return key, str(base).rstrip("/"), None if per_second is None else float(per_second)
