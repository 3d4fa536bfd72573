"""What is read in one go is what is read event by event, and what is not plainly right is left to that."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing import cloud_events
from store import plain_events

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
READS = {"llm": ("n", "tokens"), "disk": ("gb",)}

numbers = st.one_of(
    st.integers(-(10**25), 10**25).map(str),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.sampled_from(["-0", "0.1000", "1e5", "1E-9", "12.50", "1e400", "-0.0", "123456789012345678901234567890.5"]),
)
"""Numbers as they may stand in JSON."""
texts = st.text(max_size=8)
instants = st.one_of(
    st.datetimes(timezones=st.sampled_from([UTC])).map(datetime.isoformat),
    st.sampled_from(
        [
            "2026-11-21T10:00:00Z",
            "2026-11-21T10:00:00.123456789Z",
            "2026-11-21T10:00:00.1+05:30",
            "2026-11-21 10:00:00+01:00",
            "2026-11-21T10:00:00",
            "20261121T100000Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T10:00:60Z",
            "0001-01-01T00:00:00+14:00",
            "2026-11-21T10:00Z",
            "2026-11-21T10:00:00.1234567+00:00",
        ]
    ),
)


def raw(text: str) -> str:
    """A mark for a number in the form that was drawn."""
    return f"#{text}#"


values = st.recursive(
    st.one_of(st.none(), st.booleans(), texts, numbers.map(raw)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
datas = st.one_of(
    st.fixed_dictionaries({"n": st.fixed_dictionaries({"tokens": numbers.map(raw)})}, optional={"more": values}),
    st.dictionaries(texts, values, max_size=3),
    values,
)
right = st.fixed_dictionaries(
    {
        "specversion": st.just("1.0"),
        "id": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8),
        "source": st.sampled_from(["/app", "x" * 512]),
        "type": st.sampled_from(["llm", "other", "other"]),
        "subject": st.sampled_from(["acme", "Ünï"]),
        "data": datas.filter(lambda data: isinstance(data, dict)),
    },
    optional={"time": instants, "traceparent": values},
)
odd = st.fixed_dictionaries(
    {
        "specversion": st.sampled_from(["1.0", "1.0", "1.0", "0.3"]),
        "id": texts,
        "source": st.sampled_from(["/app", "x" * 512, "x" * 513, "\ud800"]),
        "type": st.sampled_from(["llm", "disk", "other"]),
        "subject": st.sampled_from(["acme", "Ünï", "\0"]),
    },
    optional={
        "time": instants | st.none(),
        "data": datas,
        "datacontenttype": st.sampled_from(["application/json", "text/plain", None]),
        "data_base64": st.none() | texts,
        "traceparent": values,
    },
)


def body(drawn: list[object]) -> bytes:
    text = json.dumps(drawn)
    for mark in ('"#', '#"'):
        text = text.replace(mark, "")
    return text.encode()


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.lists(right, max_size=3), st.lists(right | odd, max_size=3)))
def test_read_in_one_go_is_read_one_by_one(drawn: list[object]) -> None:
    sent = body(drawn)
    try:
        parsed = json.loads(sent, parse_float=Decimal)
    except ValueError:
        assert plain_events.read(sent, NOW, READS) is None
        return
    single = [cloud_events.read(event, NOW, READS) for event in parsed]
    at_once = plain_events.read(sent, NOW, READS)
    if any(event.flaws for event in single):
        assert at_once is None
    elif at_once is not None:
        assert at_once == single
        assert [str(event.value) for event in at_once] == [str(event.value) for event in single]


@pytest.mark.parametrize(
    "sent",
    [b"", b"[", b"{}", b"[1]", b'[{"specversion": "1.0"}]', b"[NaN]", b"\xff", b"[" * 100_000, b'["\\ud800"]'],
)
def test_what_is_no_batch_of_events_is_left(sent: bytes) -> None:
    assert plain_events.read(sent, NOW, READS) is None


def test_ordinary_events_are_plain() -> None:
    """Else the way for them would be of no use."""
    sent = {
        "specversion": "1.0",
        "id": "1",
        "source": "/a",
        "type": "llm",
        "subject": "s",
        "data": {"n": {"tokens": 1}},
    }
    whole = {**sent, "time": "2026-11-21T10:00:00.123Z", "datacontenttype": "application/json", "traceparent": "00-1"}
    read = plain_events.read(json.dumps([sent, whole]).encode(), NOW, READS)
    assert read is not None
    assert [str(event.value) for event in read] == ["1", "1"]
