"""When a story or a fault enters the company's making. Each is one file with a `STAGE` and a function `plant`."""

from __future__ import annotations

from enum import IntEnum


class Stage(IntEnum):
    """What already exists when something is planted; everything later follows from it."""

    CONTRACTS = 1  # customers, subscriptions, items: no usage yet
    USAGE = 2  # and usage events: nothing recorded or billed yet
    LINES = 3  # and invoices with their lines: no totals, tax or payments yet
    BOOKS = 4  # everything
