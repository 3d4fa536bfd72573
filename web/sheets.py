"""Answers with a sheet: CSV (RFC 4180) that a spreadsheet opens without running anything that stands in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from flask import Response

from detector import sheets


def csv_answer(name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Response:
    """The rows under their column names as a file `name`.csv; decimals exact, instants RFC 3339 in UTC."""
    text = "".join(sheets.lines([columns, *rows]))
    return download(text, f"{name}.csv", "text/csv; charset=utf-8")


def download(body: str, name: str, type: str) -> Response:
    """The text as a file to keep; what is no plain letter or digit in its name becomes a hyphen."""
    safe = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_.") else "-" for letter in name)
    return Response(body, content_type=type, headers={"Content-Disposition": f'attachment; filename="{safe}"'})
