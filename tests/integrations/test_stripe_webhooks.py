"""A webhook is believed only when it is signed by Stripe, with our secret, a moment ago."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import stripe

from integrations.stripe.webhooks import ForgedError, verify

SECRET = "whsec_ours"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
BODY = '{"id": "evt_1", "name": "Café"}'


def signed(body: str = BODY, secret: str = SECRET, at: datetime = NOW) -> str:
    """A header as the official SDK makes it."""
    return str(stripe.WebhookSignature.generate_signature_header(body, secret, int(at.timestamp())))


def test_what_the_sdk_signs_is_believed() -> None:
    verify(BODY.encode(), signed(), SECRET, NOW)
    verify(BODY.encode(), signed(at=NOW - timedelta(minutes=4)), SECRET, NOW)


def test_while_a_secret_is_rotated_one_of_two_signatures_is_enough() -> None:
    two = f"{signed(secret='whsec_old')},{signed().partition(',')[2]}"
    verify(BODY.encode(), two, SECRET, NOW)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (None, "missing or malformed"),
        ("", "missing or malformed"),
        ("t=,v1=", "missing or malformed"),
        ("t=abc,v1=00", "missing or malformed"),
        ("v1=00", "missing or malformed"),
        (f"t={int(NOW.timestamp())}", "missing or malformed"),
        (f"t={int(NOW.timestamp())},t=1,v1=00", "missing or malformed"),
        (signed(secret="whsec_other"), "not of this payload"),
        (signed(body=BODY + " "), "not of this payload"),
        (signed().replace("v1=", "v0="), "missing or malformed"),
        (f"t={int(NOW.timestamp())},v1=é", "not of this payload"),
        (signed(at=NOW - timedelta(minutes=6)), "too long ago"),
        (signed(at=NOW + timedelta(minutes=6)), "from the future"),
    ],
)
def test_everything_else_is_refused(header: str | None, reason: str) -> None:
    with pytest.raises(ForgedError, match=reason):
        verify(BODY.encode(), header, SECRET, NOW)
