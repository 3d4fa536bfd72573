"""An OpenID provider as its specification describes one (OpenID Connect Core 1.0, code flow with PKCE), over HTTP.

It shares no code with Trueup. Whoever is sent to it is `user`, and comes back at once.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from joserfc import jwt
from joserfc.jwk import RSAKey
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

CLIENT, SECRET = "trueup", "client-secret"


class Issuer:
    """The provider: its key, whom it vouches for, and the codes that wait. `spoil` alters an id token's claims."""

    def __init__(self) -> None:
        self.url = ""
        self.key = RSAKey.generate_key(2048, {"kid": "one"})
        self.stranger = RSAKey.generate_key(2048, {"kid": "one"})
        self.user: dict[str, Any] = {}
        self.spoil: dict[str, Any] = {}
        self.forged = False
        self.codes: dict[str, dict[str, str]] = {}
        self.down = False

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        request = Request(environ)
        answers = {
            "/.well-known/openid-configuration": self.configuration,
            "/authorize": self.authorize,
            "/token": self.token,
            "/keys": lambda _: _json({"keys": [self.key.as_dict(private=False)]}),
        }
        answer = Response(status=503) if self.down else answers[request.path](request)
        return answer(environ, start_response)

    def configuration(self, request: Request) -> Response:
        return _json(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
            }
        )

    def authorize(self, request: Request) -> Response:
        asked = request.args
        if (asked["client_id"], asked["response_type"], asked["code_challenge_method"]) != (CLIENT, "code", "S256"):
            return Response("not a request of this client", 400)
        code = secrets.token_urlsafe(16)
        self.codes[code] = dict(asked)
        return redirect(f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}")  # type: ignore[return-value]

    def token(self, request: Request) -> Response:
        client = request.authorization
        known = client is not None and (client.username, client.password) == (CLIENT, SECRET)
        asked = self.codes.pop(request.form.get("code", ""), None)
        verifier = hashlib.sha256(request.form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).rstrip(b"=").decode()
        if not known:
            return _json({"error": "invalid_client"}, 401)
        shown = {"code_challenge": challenge, "redirect_uri": request.form.get("redirect_uri", "")}
        if asked is None or not shown.items() <= asked.items():
            return _json({"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"], **self.user}
        key = self.stranger if self.forged else self.key
        token = jwt.encode({"alg": "RS256", "kid": "one"}, {**claims, **self.spoil}, key)
        return _json({"access_token": "at", "token_type": "Bearer", "id_token": token})


@contextmanager
def serving() -> Iterator[Issuer]:
    """The provider on a free port of this machine, in a thread of its own."""
    issuer = Issuer()
    server = make_server("127.0.0.1", 0, issuer, threaded=True, request_handler=_Quiet)
    issuer.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Says nothing."""


def _json(body: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(body), status, mimetype="application/json")
