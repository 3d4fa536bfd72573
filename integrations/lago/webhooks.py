"""Whether a webhook really comes from Lago (docs.getlago.com, Webhooks, Format & Signature).

An endpoint of Lago signs by `jwt` (RS256 by the organization's key, issued by the API's address; its claim `data` is
the body) or by `hmac`. Neither signs a time or an id.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field

import jwt

from integrations.webhooks import ForgedError, Headers, same, secret_of


@dataclass(frozen=True)
class Signed:
    """What deliveries of one organization are proven by; a key that is not configured proves nothing.

    `public_key`: PEM, or base64 as `GET /webhooks/json_public_key` answers. `issuer`: scheme and host of the API.
    """

    issuer: str
    hmac_key: str | None = field(default=None, repr=False)
    public_key: str | None = None

    def verify(self, body: bytes, headers: Headers) -> None:
        """Returns when the signature is of this body by the configured key. Raises ForgedError."""
        given, algorithm = headers.get("x-lago-signature", ""), headers.get("x-lago-signature-algorithm", "jwt")
        if algorithm == "hmac":
            key = secret_of(self.hmac_key, "webhook_key_env")
            expected = base64.b64encode(hmac.new(key.encode(), body, hashlib.sha256).digest()).decode()
            genuine = same(expected, given)
        else:
            genuine = self._signed_data(given, secret_of(self.public_key, "webhook_public_key")) == body
        if not genuine:
            raise ForgedError("The X-Lago-Signature header is not of this payload by this key.")

    def _signed_data(self, token: str, key: str) -> bytes | None:
        """The body that the token signs; None where the token is not Lago's."""
        try:
            claims = jwt.decode(token, _pem(key), algorithms=["RS256"], issuer=self.issuer)
        except jwt.InvalidTokenError:
            return None
        except (jwt.InvalidKeyError, ValueError) as error:
            raise ForgedError("The configured webhook_public_key is no public key.") from error
        return str(claims.get("data", "")).encode()


def _pem(key: str) -> str:
    """The key as PEM: Lago gives PEM in base64, its documents the base64 within PEM."""
    if "BEGIN" in key:
        return key
    decoded = base64.b64decode(key, validate=True)
    if decoded.startswith(b"-----BEGIN"):
        return decoded.decode()
    return f"-----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----\n"
