"""Whether a webhook really comes from Stripe (docs.stripe.com/webhooks/signature).

Written here and not taken from the SDK, because the SDK reads the clock by itself; held against it in the tests.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta

from integrations.webhooks import TOLERANCE, ForgedError, recent


def verify(payload: bytes, header: str | None, secret: str, now: datetime, tolerance: timedelta = TOLERANCE) -> None:
    """Returns when one of the header's signatures is of this payload, by this secret, and recent.

    `payload`: the body exactly as received. `header`: `Stripe-Signature`, "t=<seconds>,v1=<hex>[,v1=<hex>...]".
    Raises ForgedError or StaleError saying which of these is not so.
    """
    parts = [part.strip().partition("=") for part in (header or "").split(",")]
    stamped = [value for name, _, value in parts if name == "t"]
    signatures = [value for name, _, value in parts if name == "v1"]
    if len(stamped) != 1 or not (stamped[0].isascii() and stamped[0].isdigit()) or not signatures:
        raise ForgedError("The Stripe-Signature header is missing or malformed.")
    signed = f"{stamped[0]}.".encode() + payload
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode()
    if not any(hmac.compare_digest(expected, signature.encode()) for signature in signatures):
        raise ForgedError("The Stripe-Signature header is not of this payload by this secret.")
    recent(int(stamped[0]), now, tolerance)
