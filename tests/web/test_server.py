"""The server that answers for the console, as it stops."""

from __future__ import annotations

import gc
import http.client
import os
import threading
from pathlib import Path

import waitress
from flask import Flask

from web.server import announce, close


def test_a_request_that_outlives_the_server_writes_into_no_file_that_was_opened_since(tmp_path: Path) -> None:
    app, asked, over = Flask("slow"), threading.Event(), threading.Event()

    @app.get("/")
    def slow() -> str:
        asked.set()
        over.wait(10)
        return "late"

    server = waitress.create_server(app, host="127.0.0.1", port=0, threads=1)
    running = threading.Thread(target=server.run, daemon=True)
    running.start()
    connection = http.client.HTTPConnection("127.0.0.1", server.effective_port, timeout=10)
    connection.request("GET", "/")
    assert asked.wait(10)
    close(server)
    databases = [tmp_path / f"{n}.sqlite" for n in range(64)]
    held = []
    for each in databases:
        each.write_bytes(b"SQLite format 3")
        held.append(os.open(each, os.O_RDWR))
    over.set()
    server.task_dispatcher.shutdown()
    for number in held:
        os.close(number)
    assert {each.read_bytes() for each in databases} == {b"SQLite format 3"}


def test_once_it_answers_what_it_has_loaded_is_looked_through_no_more() -> None:
    app = Flask("quick")
    app.add_url_rule("/signals", "signals", lambda: "here")
    server = waitress.create_server(app, host="127.0.0.1", port=0, threads=1)
    threading.Thread(target=server.run, daemon=True).start()
    told: list[tuple[str, int]] = []
    try:
        announce("127.0.0.1", server.effective_port, lambda url: told.append((url, gc.get_freeze_count())))
        assert [url for url, _ in told] == [f"http://127.0.0.1:{server.effective_port}"]
        assert told[0][1] > 10_000, "Python's collector has nothing of it to look through"
    finally:
        gc.unfreeze()
        close(server)
