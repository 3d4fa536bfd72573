"""How often one address may try to sign in, or show a wrong token, and how often one token may ask; counted in memory,
by each process for itself.
"""

from __future__ import annotations

import time

from flask import request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from limits import RateLimitItem, parse
from werkzeug.exceptions import TooManyRequests

limiter = Limiter(get_remote_address, storage_uri="memory://")

BY_ADDRESS = "20 per minute"
WRONG_TOKENS = parse("60 per minute")
"""Of one address: further ones are neither looked into nor written down. A right token is let in all the same."""

BY_TOKEN = parse("6000 per minute")
"""Requests with one token: more than a page of signals every second, less than what would starve the console."""

BY_EMAIL = "5 per minute; 30 per hour"
"""Of one account, from wherever; 30 an hour are hopeless against any password that is taken."""


def email() -> str:
    """The account that a form of signing in names."""
    return request.form.get("email", "").strip().casefold()[:200]


def hold_back(limit: RateLimitItem, *who: str) -> None:
    """Count one more of these; abort with 429 when there were too many."""
    if not limiter.limiter.hit(limit, *who):
        until = limiter.limiter.get_window_stats(limit, *who).reset_time
        raise TooManyRequests(
            f"More than {limit.amount} requests in a minute. Wait, then go on.",
            retry_after=max(1, round(until - time.time())),
        )
