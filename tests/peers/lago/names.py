"""Names of Lago's objects, and its answer for what has none."""

from __future__ import annotations

import uuid

from tests.peers.vendor import Refused


def uid(name: object) -> str:
    """A stable UUID for a name."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, str(name)))


def missing(what: str) -> Refused:
    """The answer for what is not there."""
    return Refused(404, {"status": 404, "error": "Not Found", "code": f"{what.strip('/').split('/')[-1]}_not_found"})
