"""Serves the console by waitress, and says when it answers."""

from __future__ import annotations

import gc
import http.client
import signal
import threading
import time
from collections.abc import Callable

import waitress
from flask import Flask
from waitress.server import BaseWSGIServer
from waitress.wasyncore import dispatcher

THREADS = 16
"""Requests at once. Those that bring usage events wait together for one commit, so more of them cost little."""
_PATIENCE = 60.0


class AddressTaken(RuntimeError):  # noqa: N818 (named for what is in the way)
    """Another program answers at the port; the message names it and what helps."""


def serve_forever(app: Flask, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Answer requests until the process is told to stop; `on_ready` gets the address once the console answers.

    Port 0 takes a free one. Raises AddressTaken.
    """
    try:
        server = waitress.create_server(
            app,
            host=host,
            port=port,
            threads=THREADS,
            ident="trueup",
            clear_untrusted_proxy_headers=False,  # web.access takes them as a sign that others can reach the console
        )
    except OSError as error:
        raise AddressTaken(f"{host}:{port} cannot be used ({error.strerror}); choose another with --port") from None
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=announce, args=(host, server.effective_port, on_ready), daemon=True).start()
    try:
        server.run()
    finally:
        close(server)


def close(server: BaseWSGIServer) -> None:
    """Take no more requests, and leave those under way to end by themselves.

    Waitress's own close also frees the pipe by which a request that ends wakes the server. It writes there by number,
    which by then may be that of a database that another thread has opened: the database would be ruined.
    """
    dispatcher.close(server)


def settle() -> None:
    """Take what is there by now for lasting: Python's collector would look all of it through again and again, and hold
    a request up for a tenth of a second each time.
    """
    gc.collect()
    gc.freeze()


def _leave(number: int, frame: object) -> None:
    """A polite request to stop ends the loop as Ctrl-C does."""
    raise SystemExit(0)


def announce(host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Ask until there is an answer; the first one also warms the console up."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        connection = http.client.HTTPConnection(host, port, timeout=10)
        try:
            connection.request("GET", "/signals")
            if connection.getresponse().status < 500:
                settle()
                on_ready(f"http://{host}:{port}")
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.1)
