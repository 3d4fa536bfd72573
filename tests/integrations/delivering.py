"""Webhooks as each vendor sends them: what they tell of an invoice, signed, and how one goes wrong."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache

import jwt
import stripe
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SECRET = "whsec_" + base64.b64encode(b"an endpoint's secret of the tests").decode()

Headers = dict[str, str]


@dataclass(frozen=True)
class Sender:
    """How a vendor tells of an invoice, and the headers with which it proves a body by a secret at an instant."""

    told: Callable[[str, str], dict[str, object]]  # (event id, invoice id) -> content
    signed: Callable[[bytes, str, datetime, str], Headers]  # (body, secret, at, event id) -> headers
    stamped: bool  # whether the instant is signed, so that an old delivery can be told

    def delivery(self, event: str, invoice: str, at: datetime, secret: str = SECRET) -> tuple[bytes, Headers]:
        """A body and its headers."""
        body = json.dumps(self.told(event, invoice)).encode()
        return body, {"content-type": "application/json", **self.signed(body, secret, at, event)}


def _stripe_told(event: str, invoice: str, kind: str = "invoice.updated", at: int = 1_795_176_000) -> dict[str, object]:
    return {
        "id": event,
        "object": "event",
        "type": kind,
        "created": at,
        "data": {"object": {"id": invoice, "object": "invoice"}},
    }


def _stripe_signed(body: bytes, secret: str, at: datetime, event: str) -> Headers:
    header = stripe.WebhookSignature.generate_signature_header(body.decode(), secret, int(at.timestamp()))
    return {"stripe-signature": str(header)}


def _lago_signed(body: bytes, secret: str, at: datetime, event: str) -> Headers:
    signature = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
    return {"x-lago-signature": signature, "x-lago-signature-algorithm": "hmac", "x-lago-unique-key": event}


def _standard_signed(body: bytes, secret: str, at: datetime, event: str) -> Headers:
    stamp = str(int(at.timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = base64.b64encode(hmac.new(key, f"{event}.{stamp}.".encode() + body, hashlib.sha256).digest()).decode()
    return {"webhook-id": event, "webhook-timestamp": stamp, "webhook-signature": f"v1,{signature}"}


SENDERS = {
    "stripe": Sender(_stripe_told, _stripe_signed, stamped=True),
    "lago": Sender(
        lambda event, invoice: {
            "webhook_type": "invoice.created",
            "object_type": "invoice",
            "invoice": {"lago_id": invoice, "number": event},
        },
        _lago_signed,
        stamped=False,
    ),
    "openmeter": Sender(
        lambda event, invoice: {"id": event, "type": "invoice.updated", "data": {"id": invoice}},
        _standard_signed,
        stamped=True,
    ),
    "chargebee": Sender(
        lambda event, invoice: {
            "id": event,
            "event_type": "invoice_generated",
            "content": {"invoice": {"id": invoice, "total": 1}},
        },
        lambda body, secret, at, event: {
            "authorization": f"Basic {base64.b64encode(f'trueup:{secret}'.encode()).decode()}"
        },
        stamped=False,
    ),
    "zuora": Sender(
        lambda event, invoice: {"event": "invoice posted", "EventId": event, "Invoice.ID": invoice},
        lambda body, secret, at, event: {
            "authorization": f"Basic {base64.b64encode(f'trueup:{secret}'.encode()).decode()}",
            "zuora-request-id": f"request of {event}",
        },
        stamped=False,
    ),
}
"""By kind of integration."""

SETTINGS = {
    "stripe": "webhook_secret",
    "lago": "webhook_key",
    "openmeter": "webhook_secret",
    "chargebee": "webhook_password",
    "zuora": "webhook_password",
}
"""The setting that holds the secret."""


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    """A key pair of an organization that signs by JWT."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_pem() -> bytes:
    """Its public half."""
    return rsa_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def lago_jwt(body: bytes, issuer: str) -> Headers:
    """The headers of a Lago endpoint that signs by JWT."""
    token = jwt.encode({"data": body.decode(), "iss": issuer}, rsa_key(), algorithm="RS256")
    return {"x-lago-signature": token, "x-lago-signature-algorithm": "jwt"}
