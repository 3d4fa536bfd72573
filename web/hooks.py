"""Takes in webhooks of billing systems: proven, stored, answered; a worker applies them to the books.

202: stored. 200: known already, nothing more will be done. 401: not proven, or signed too long ago. 400, 413, 415: it
cannot be read. What is refused is counted by its reason, and answered as problem details (RFC 9457).
"""

from __future__ import annotations

import logging

from flask import Blueprint, Response, current_app, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import RequestEntityTooLarge

from detector import deliveries
from detector.deliveries import Outcome, Proof, Refusal
from web.console import console, now
from web.problems import Refused, answer, problem, speak_problems

pages = Blueprint("hooks", __name__, url_prefix="/hooks")
speak_problems(pages)

log = logging.getLogger(__name__)

KEY = "trueup-hooks"
LARGEST = 4_000_000
"""Bytes of one delivery."""

STATUS = {
    Refusal.FORGED: 401,
    Refusal.STALE: 401,
    Refusal.UNREADABLE: 400,
    Refusal.WRONG_TYPE: 415,
    Refusal.TOO_LARGE: 413,
}
"""How refusals are answered. What is known already gets 200: after anything else a vendor would send it again."""


@pages.post("/<name>")
def take(name: str) -> Response:
    """Take one delivery."""
    proof = _proof(name)
    outcome = _unreadable(name) or deliveries.take(console().engine, name, proof, request.get_data(), _headers(), now())
    if outcome.refusal is None:
        return answer(202, {"taken": True})
    if outcome.refusal is Refusal.REPLAYED:
        return answer(200, {"taken": False, "reason": outcome.detail})
    return problem(STATUS[outcome.refusal], "The delivery is not taken", outcome.detail)


def _proof(name: str) -> Proof:
    """What proves deliveries to that integration. Raises Refused."""
    proofs: dict[str, Proof] = current_app.extensions.get(KEY, {})
    if name not in proofs:
        detail = "No integration of that name takes webhooks; config.yaml names those that do, and their secrets."
        raise Refused(404, "Nothing takes webhooks here", detail)
    return proofs[name]


def _unreadable(name: str) -> Outcome | None:
    """A refusal of what need not even be proven: of another type or encoding, or too large."""
    request.max_content_length = LARGEST
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    plain = request.headers.get("Content-Encoding", "identity").lower() == "identity"
    if not request.is_json or charset != "utf-8" or not plain:
        detail = "Send application/json in UTF-8, without a content encoding."
        return deliveries.refuse(console().engine, name, Refusal.WRONG_TYPE, detail, now())
    try:
        request.get_data()
    except RequestEntityTooLarge:
        detail = f"A delivery has at most {LARGEST:,} bytes."
        return deliveries.refuse(console().engine, name, Refusal.TOO_LARGE, detail, now())
    return None


def _headers() -> dict[str, str]:
    return {key.lower(): value for key, value in request.headers.items()}


@pages.errorhandler(SQLAlchemyError)
def _not_now(error: Exception) -> Response:
    log.error("a delivery could not be stored: %s", error)
    refusal = problem(503, "Deliveries cannot be stored right now", "Nothing was taken. Send it again.")
    refusal.headers["Retry-After"] = "5"
    return refusal
