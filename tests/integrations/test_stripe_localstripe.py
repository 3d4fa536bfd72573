"""What we do with Stripe, held against localstripe, which others wrote: paging of customers, signatures of webhooks.

It speaks no more of what is read here (spec/connectors.md, section 1).
"""

from __future__ import annotations

import http.server
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from integrations.http import Client
from integrations.http_limits import Rate
from integrations.stripe.api import Api
from integrations.stripe.webhooks import ForgedError, verify
from tests.peers.stripe.process import ROOT

KEY = "sk_test_local"
SECRET = "whsec_local"


@pytest.fixture(scope="module")
def localstripe() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "tests.integrations.localstripe_server", str(port)], cwd=ROOT)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(url)
        yield url
    finally:
        process.kill()
        process.wait()


def _wait_for(url: str) -> None:
    for _ in range(300):
        try:
            httpx.get(f"{url}/v1/customers", auth=(KEY, ""))
            return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("localstripe did not start")


def create_customer(url: str, name: str) -> str:
    answer = httpx.post(f"{url}/v1/customers", data={"name": name}, auth=(KEY, ""))
    answer.raise_for_status()
    return str(answer.json()["id"])


def test_customers_are_paged_to_the_last_one(localstripe: str) -> None:
    made = {create_customer(localstripe, f"Customer {n}") for n in range(25)}
    api = Api(KEY, Client({"each": Rate(1000, burst=1000)}), localstripe, page_size=10)
    pages = list(api.pages("customers"))
    assert [len(page.objects) for page in pages] == [10, 10, 5]
    assert {str(customer["id"]) for page in pages for customer in page.objects} == made
    assert [page.more for page in pages] == [True, True, False]
    assert api.get("customers", "cus_nobody") is None


@contextmanager
def receiver() -> Iterator[tuple[str, queue.Queue[tuple[bytes, str]]]]:
    """A web server that keeps what is posted to it: its address, and the bodies with their signatures."""
    received: queue.Queue[tuple[bytes, str]] = queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.put((body, self.headers["Stripe-Signature"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            return None

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", received
    finally:
        server.shutdown()


def test_its_webhooks_are_believed_and_changed_ones_are_not(localstripe: str) -> None:
    with receiver() as (url, received):
        hook = {"url": url, "secret": SECRET, "events": ["customer.created"]}
        httpx.post(f"{localstripe}/_config/webhooks/ours", json=hook, auth=(KEY, "")).raise_for_status()
        for number in range(3):
            create_customer(localstripe, f"Announced {number}")
        deliveries = [received.get(timeout=20) for _ in range(3)]
    now = datetime.now(UTC)
    for body, header in deliveries:
        verify(body, header, SECRET, now)
        with pytest.raises(ForgedError, match="not of this payload"):
            verify(body.replace(b"cus_", b"sus_"), header, SECRET, now)
        with pytest.raises(ForgedError, match="not of this payload"):
            verify(body, header, "whsec_other", now)
        with pytest.raises(ForgedError, match="too long ago"):
            verify(body, header, SECRET, now + timedelta(minutes=6))
