"""Answers with a sheet: CSV (RFC 4180) that a spreadsheet opens without running anything that stands in it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from flask import Response

from web.moments import aware

FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula (owasp.org, CSV injection)."""


def csv_answer(name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Response:
    """The rows under their column names as a file `name`.csv; decimals exact, instants RFC 3339 in UTC."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return download(text.getvalue(), f"{name}.csv", "text/csv; charset=utf-8")


def download(body: str, name: str, type: str) -> Response:
    """The text as a file to keep; what is no plain letter or digit in its name becomes a hyphen."""
    safe = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_.") else "-" for letter in name)
    return Response(body, content_type=type, headers={"Content-Disposition": f'attachment; filename="{safe}"'})


def _cell(value: Any) -> str:
    """One value as text; a text that would be a formula gets an apostrophe before it."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return (aware(value)).isoformat().replace("+00:00", "Z")
    if isinstance(value, Decimal):
        return f"{value:f}"
    text = str(value)
    return f"'{text}" if text.startswith(FORMULAS) else text
