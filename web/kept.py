"""A form that was sent after its session was over: kept on the page of signing in, and sent on afterwards."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import request

from web.pages import is_own

_UNSEEN = ("back", "version", "id", "deed", "kind", "shown")


@dataclass(frozen=True)
class Kept:
    """Where the form goes, and its fields in order."""

    to: str
    fields: Sequence[tuple[str, str]]

    @property
    def typed(self) -> list[tuple[str, str]]:
        """The fields that a person would know again."""
        return [(name, value) for name, value in self.fields if value.strip() and name not in _UNSEEN]

    def __str__(self) -> str:
        return json.dumps({"to": self.to, "fields": list(self.fields)})


def sent() -> Kept:
    """The form of this request, without the token of its page."""
    return Kept(request.path, [pair for pair in request.form.items(multi=True) if pair[0] != "csrf_token"])


def held() -> Kept | None:
    """The form that the page of signing in held; None when there was none, or none of ours."""
    try:
        told: Any = json.loads(request.form.get("kept", "") or "null")
        to, fields = str(told["to"]), [(str(name), str(value)) for name, value in told["fields"]]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return Kept(to, fields) if is_own(to) else None
