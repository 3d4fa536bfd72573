"""Usage events come in by HTTP: once each, all of a request or none, and what cannot count is kept with its reason."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from billing.cloud_events import read
from store import known_events
from store.intake import Intake
from store.warehouse import Warehouse
from tests.web.company import Home, live
from web import create_app

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
BATCH = "application/cloudevents-batch+json"
METER = {
    "meter_id": "tokens",
    "name": "Tokens",
    "event_type": "llm",
    "aggregation": "sum",
    "value_property": "$.n.tokens",
}


def event(id: str = "e1", **more: object) -> dict[str, object]:
    return {
        "specversion": "1.0",
        "id": id,
        "source": "/app",
        "type": "llm",
        "subject": "acme",
        "time": "2026-11-21T10:00:00+01:00",
        "data": {"n": {"tokens": "12.5"}},
    } | more


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path)
    warehouse = made.warehouse
    warehouse.create()
    warehouse.upsert_rows({"meters": [METER]}, integration="billing", version_at=NOW)
    yield made
    warehouse.close()


@pytest.fixture
def app(home: Home) -> Flask:
    engine = home.engine()
    return create_app(
        engine=engine, warehouse=home.warehouse, rules=live(engine), clock=lambda: NOW, events_token="hush"
    )


def post(app: Flask, body: object, kind: str = BATCH, token: str = "hush") -> TestResponse:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}"}
    return app.test_client().post("/api/v1/events", data=data, content_type=kind, headers=headers)


def stored(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    with closing(warehouse.connect()) as con:
        return con.execute(
            "SELECT event_id, source, subject, time, value, properties, status FROM books.usage_events ORDER BY ALL"
        ).fetchall()


def test_an_event_is_a_row_of_the_books_with_its_metered_value(app: Flask, home: Home) -> None:
    answer = post(app, event(), "application/cloudevents+json")
    assert (answer.status_code, answer.json) == (202, {"accepted": 1, "duplicates": 0, "invalid": 0})
    (row,) = stored(home.warehouse)
    assert row[:3] == ("e1", "/app", "acme")
    assert (row[3], str(row[4]), row[6]) == (NOW.replace(hour=9, minute=0, tzinfo=None), "12.500000000", "accepted")
    assert row[5] == '{"n":{"tokens":"12.5"}}'


def test_numbers_keep_every_digit(app: Flask, home: Home) -> None:
    body = json.dumps([event(data={})]).replace('"data": {}', '"data": {"n": {"tokens": 0.123456789}, "x": 0.1000}')
    assert post(app, body.encode(), "application/json").status_code == 202
    (row,) = stored(home.warehouse)
    assert (str(row[4]), row[5]) == ("0.123456789", '{"n":{"tokens":0.123456789},"x":0.1000}')


def test_what_is_sent_again_counts_once_and_other_content_is_named(app: Flask, home: Home) -> None:
    assert post(app, [event("a"), event("b"), event("a")]).json == {"accepted": 2, "duplicates": 1, "invalid": 0}
    again = post(app, [event("b"), event("a", subject="other"), event("c")])
    assert again.json == {"accepted": 1, "duplicates": 2, "invalid": 0, "conflicts": ["/app/a"]}
    assert [(row[0], row[2]) for row in stored(home.warehouse)] == [("a", "acme"), ("b", "acme"), ("c", "acme")]
    assert post(app, [event("a", source="/other")]).json["accepted"] == 1  # another source has ids of its own


FLAWS: tuple[tuple[dict[str, object], str], ...] = (
    ({"specversion": "0.3"}, "/specversion"),
    ({"id": ""}, "/id"),
    ({"source": None}, "/source"),
    ({"type": 7}, "/type"),
    ({"subject": "x" * 513}, "/subject"),
    ({"time": "2026-11-21T10:00:00"}, "/time"),
    ({"time": "yesterday"}, "/time"),
    ({"time": 1_700_000_000}, "/time"),
    ({"datacontenttype": "text/plain"}, "/datacontenttype"),
    ({"data": [1]}, "/data"),
    ({"subject": "\ud800"}, "/subject"),
    ({"data": {"n": {"tokens": 1}, "who": "\udfff"}}, "/data"),
    ({"data": {}}, "/data/n/tokens"),
    ({"data": {"n": {"tokens": "NaN"}}}, "/data/n/tokens"),
    ({"data": {"n": {"tokens": True}}}, "/data/n/tokens"),
    ({"data": {"n": {"tokens": "1e30"}}}, "/data/n/tokens"),
    ({"data": {"n": {"tokens": "0.0000000001"}}}, "/data/n/tokens"),
)


def test_what_cannot_count_is_kept_and_its_place_is_named(app: Flask, home: Home) -> None:
    bad = [event("bad") | more | {"n": n} for n, (more, _) in enumerate(FLAWS)]
    answer = post(app, [event("good"), *bad])
    assert (answer.status_code, answer.json["accepted"], answer.json["invalid"]) == (202, 1, len(FLAWS))
    places = [place for _, place in FLAWS]
    assert [error["place"] for error in answer.json["errors"]] == [f"/{n}{place}" for n, place in enumerate(places, 1)]
    assert sorted(row[6] for row in stored(home.warehouse)) == ["accepted", *["invalid"] * len(FLAWS)]
    listed = app.test_client().get("/api/v1/events", headers={"Authorization": "Bearer hush"}).json["invalid"]
    assert sorted(row["error"].split(":")[0] for row in listed) == sorted(places)
    assert post(app, [event("bad")]).json["accepted"] == 1  # sent as it should be, it counts


def test_a_request_of_nothing_that_counts_is_a_problem_with_places(app: Flask) -> None:
    answer = post(app, {"id": 1}, "application/cloudevents+json")
    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")
    assert answer.json["title"] == "Invalid events"
    assert "/specversion" in [error["place"] for error in answer.json["errors"]]
    assert post(app, ["no event"]).json["errors"] == [{"place": "/0", "message": "an event is a JSON object"}]


NO_REQUESTS = (
    (b"{", BATCH, "hush", 400),
    (b"[" * 100_000, BATCH, "hush", 400),
    (b'[{"a": NaN}]', BATCH, "hush", 400),
    (b"\xff", BATCH, "hush", 400),
    (b"{}", BATCH, "hush", 400),
    (b"[]", "text/plain", "hush", 415),
    (b"[]", BATCH, "hash", 401),
    (b"[" + b"0," * 10_001 + b"0]", BATCH, "hush", 413),
    (b" " * 16_000_001, BATCH, "hush", 413),
)


def test_what_is_no_request_is_refused_with_a_problem(app: Flask, home: Home) -> None:
    for body, kind, token, status in NO_REQUESTS:
        answer = post(app, body, kind, token)
        assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), body[:20]
        assert answer.json["status"] == status
    assert stored(home.warehouse) == []


def test_an_empty_batch_and_a_console_without_a_token(app: Flask, home: Home) -> None:
    assert post(app, []).status_code == 202
    assert post(home.app(), [event()]).status_code == 403


def test_requests_at_once_are_all_stored_and_each_event_once(app: Flask, home: Home) -> None:
    answers: list[dict[str, Any]] = []

    def send(part: int) -> None:
        answers.append(post(app, [event(f"{part // 2}-{n}") for n in range(50)]).json)

    threads = [threading.Thread(target=send, args=(part,)) for part in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(answer["accepted"] for answer in answers) == 200
    assert sum(answer["duplicates"] for answer in answers) == 200
    assert len(stored(home.warehouse)) == 200


def test_a_write_that_fails_stores_nothing_and_the_same_events_sent_again_count(
    home: Home, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    import duckdb

    insert = Intake._insert

    def torn(*given: Any) -> None:
        insert(*given)
        raise duckdb.IOException("the disk is full")

    monkeypatch.setattr(Intake, "_insert", torn)
    answer = post(app, [event()])
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    monkeypatch.undo()
    assert stored(home.warehouse) == []
    assert post(app, [event()]).json["accepted"] == 1


@pytest.mark.parametrize(("recent", "hashed"), [(300_000, 1_000), (2, 1_000), (2, 3), (300_000, 0)])
def test_intakes_side_by_side_store_each_event_once(
    home: Home, monkeypatch: pytest.MonkeyPatch, recent: int, hashed: int
) -> None:
    """Each knows what it wrote itself, and asks the lake again once another wrote, imported or compacted; however much
    of it fits into memory.
    """
    monkeypatch.setattr(known_events, "RECENT", recent)
    monkeypatch.setattr(known_events, "HASHED", hashed)
    clock = iter(NOW + timedelta(seconds=n) for n in range(100))
    intakes = [Intake(home.warehouse, lambda: next(clock)) for _ in range(2)]

    def add(which: int, *ids: str) -> tuple[int, int]:
        at = next(clock)
        taken = intakes[which].add([read(event(id), at, {}) for id in ids], at)
        return taken.accepted, taken.duplicates

    assert add(0, "a", "b") == (2, 0)
    assert add(1, "a") == (0, 1)
    assert add(1, "c") == (1, 0)
    assert add(0, "b", "c", "d") == (1, 2)
    assert add(0, "d", "e") == (1, 1)
    home.warehouse.upsert_rows({"meters": [METER]}, integration="other", version_at=next(clock))
    assert add(0, "a", "e", "e2") == (1, 2)
    home.warehouse.compact(next(clock), files=0)
    assert add(0, "a", "e", "f") == (1, 2)
    assert add(1, "f", "a", "g") == (1, 2)
    assert [row[0] for row in stored(home.warehouse)] == ["a", "b", "c", "d", "e", "e2", "f", "g"]
    assert Intake(home.warehouse, lambda: next(clock)).add([read(event("a"), NOW, {})], NOW).duplicates == 1
