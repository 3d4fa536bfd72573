"""Webhooks as the command line tells them: how many, which failed, what was refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from detector import deliveries
from detector.detail import instant


def deliveries_json(session: Session, name: str | None = None) -> dict[str, Any]:
    """The counts by integration, the failures with their cause and the refusals by reason; of one, or of all."""
    tallies, refused = deliveries.tallies(session), deliveries.refusals(session)
    return {
        "deliveries": [
            {
                "integration": integration,
                "applied": tally.applied,
                "waiting": tally.waiting,
                "failed": tally.failed,
                "last_at": instant(tally.last_at),
            }
            for integration, tally in sorted(tallies.items())
            if name in (None, integration)
        ],
        "failures": [
            {
                "integration": each.integration,
                "id": each.delivery_id,
                "kind": each.kind,
                "status": each.status,
                "attempts": each.attempts,
                "error": each.error,
            }
            for each in deliveries.failures(session, name)
        ],
        "refused": [
            {"integration": each.integration, "reason": each.reason, "count": each.count, "last": each.detail}
            for each in refused
            if name in (None, each.integration)
        ],
    }


def deliveries_text(told: Mapping[str, Any]) -> list[str]:
    """The same as lines."""
    lines = [
        "{integration}: {applied} applied, {waiting} waiting, {failed} failed".format(**each)
        for each in told["deliveries"]
    ]
    lines += ["{integration}: {kind} {id} {status} after {attempts}: {error}".format(**f) for f in told["failures"]]
    lines += ["{integration}: {count} refused as {reason}, last: {last}".format(**each) for each in told["refused"]]
    return lines or ["no webhook has come in"]
