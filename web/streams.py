"""Server-sent events: what is written meanwhile by a worker, told to a page or a program as it comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from threading import BoundedSemaphore

from flask import Response, stream_with_context

EVENTS = "text/event-stream"

STREAMS = BoundedSemaphore(6)
"""What is streamed at once: each keeps a thread of the server."""

LOOK = 0.25
"""Seconds between two looks."""

LONGEST = 90.0
"""Seconds that one stream lasts; whoever listens opens another one if it is not over by then."""

Look = Callable[[], tuple[str, bool] | None]
"""What there is now as JSON, and whether it is all; None when it is gone."""


def as_it_comes(look: Look) -> Response:
    """An event `part` each time there is more, `end` when it is all; once, when too many are streamed already."""
    headers = {"X-Accel-Buffering": "no"}
    return Response(stream_with_context(_events(look)), mimetype=EVENTS, headers=headers)


def _events(look: Look) -> Iterator[str]:
    alone = STREAMS.acquire(blocking=False)
    until, last = time.monotonic() + (LONGEST if alone else 0), ""
    try:
        while (found := look()) is not None:
            told, over = found
            if told != last or over:
                last = told
                yield f"event: {'end' if over else 'part'}\ndata: {told}\n\n"
            if over or time.monotonic() >= until:
                return
            yield ": waiting\n\n"  # finds out whether anybody still listens
            time.sleep(LOOK)
    finally:
        if alone:
            STREAMS.release()
