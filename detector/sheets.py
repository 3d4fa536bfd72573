"""The one way to write a sheet: CSV (RFC 4180) that a spreadsheet opens without running anything that stands in it.

Whatever is exported comes from records, so a text may begin as a formula does. Every row of every sheet passes here;
a test holds that nothing else writes CSV for people.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

_FORMULA = re.compile("[\\s\x00-\x1f]*[=+\\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
"""How a text begins that a spreadsheet takes for a formula (owasp.org, CSV injection)."""

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_STEERING = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class Line:
    """What the CSV writer writes to: hands each line back instead of keeping it."""

    def write(self, text: str) -> str:
        """The line as written."""
        return text


def lines(rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """The rows as lines of a sheet, each as it comes."""
    writer = csv.writer(Line())
    for row in rows:
        yield writer.writerow([cell(value) for value in row])


def cell(value: Any) -> str:
    """One value as text: decimals exact, instants RFC 3339 in UTC; an apostrophe before what would be a formula."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        at = value if value.tzinfo else value.replace(tzinfo=UTC)
        return at.isoformat().replace("+00:00", "Z")
    if isinstance(value, Decimal):
        return f"{value:f}"
    text = _STEERING.sub("?", str(value))
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text
