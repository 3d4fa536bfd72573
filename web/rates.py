"""How often one address may try to sign in; counted in memory, by each process for itself."""

from __future__ import annotations

from flask import request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

limiter = Limiter(get_remote_address, storage_uri="memory://")

BY_ADDRESS = "20 per minute"
BY_EMAIL = "5 per minute; 30 per hour"
"""Of one account, from wherever; 30 an hour are hopeless against any password that is taken."""


def email() -> str:
    """The account that a form of signing in names."""
    return request.form.get("email", "").strip().casefold()[:200]
