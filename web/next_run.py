"""The bill run whose drafts become final first: what the inbox counts down to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from web import run_invoices
from web.console import console, now
from web.moments import with_zone


def coming() -> Mapping[str, Any] | None:
    """The next run as it is known near, read once per snapshot; None where there is none, or the copy is not there yet.

    No list of signals waits for the lake.
    """
    near = console().warehouse.near
    if "invoices" not in near.copied:
        return None
    key = ("coming bill runs", near.snapshot)
    runs = console().shelf.get(key)
    if runs is None:
        with console().books() as books:
            runs = [with_zone(row) for row in run_invoices.coming(books)]
        console().shelf.put(key, runs)
    return next((row for row in runs if row["finalizes_at"] > now()), None)
