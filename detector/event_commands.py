"""The command `events`: what became of usage events, of all in a span of time or of one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from detector import cycle, terminal
from detector.commands import Opened
from detector.event_report import OUTCOMES, Traced, trace
from detector.report import count
from detector.terminal import INSTANT, JSON

USUAL = timedelta(days=31)
EVER = datetime(1970, 1, 1, tzinfo=UTC)


@click.command()
@click.argument("event", required=False)
@click.option("--from", "start", type=INSTANT, help="From when on they happened; 31 days ago when left out.")
@click.option("--to", "end", type=INSTANT, help="Until when; now when left out.")
@click.option("--as-of", type=INSTANT, help="What was known then; now when left out.")
@JSON
@click.pass_obj
def events(
    home: Opened,
    event: str | None,
    start: datetime | None,
    end: datetime | None,
    as_of: datetime | None,
    as_json: bool,
) -> None:
    """What became of usage events: which meter and line counted them, or why none did. With EVENT, of that one."""
    now = as_of or home.clock()
    until = end or now
    since = start or (EVER if event else until - USUAL)
    warehouse = home.warehouse
    with cycle.books_at(warehouse, warehouse.snapshot()) as con:
        found = trace(con, now, since, until, event_id=event, dialects=warehouse.dialects)
    if event and not found.events:
        raise click.UsageError(f"the books hold no event {event}")
    if as_json:
        terminal.answer(_json(found))
    else:
        terminal.echo("\n".join(_text(found)))


def _json(found: Traced) -> dict[str, Any]:
    return {
        "events": found.events,
        "outcomes": {outcome: found.count(outcome) for outcome in OUTCOMES},
        "by_type": [vars(share) for share in found.shares],
        "rows": [{name: _shown(value) for name, value in row.items()} for row in found.rows],
    }


def _text(found: Traced) -> list[str]:
    """A line for each outcome, and below it the types of events that had it; for single events a line each."""
    if found.rows:
        return [row_text(row) for row in found.rows]
    lines = [count(found.events, "event")]
    for outcome, meaning in OUTCOMES.items():
        if number := found.count(outcome):
            lines.append(f"{number:>12,} {outcome.replace('_', ' ')}: {meaning}")
            lines += [
                f"{'':>14}{share.events:,} {share.event_type}, for example {share.example}"
                for share in found.shares
                if share.outcome == outcome and outcome not in ("billed", "on_draft", "running")
            ]
    return lines


def row_text(row: Mapping[str, Any]) -> str:
    """One event in a sentence: whose it is, what became of it, and what counted it."""
    about = f"{row['integration']} {row['event_id']}, {row['event_type']} of {row['subject']}"
    why = f" ({row['error']})" if row["error"] else ""
    counted = [f"{name} {row[f'{name}_id']}" for name in ("meter", "item", "invoice", "line") if row[f"{name}_id"]]
    return f"{about}: {OUTCOMES[row['outcome']]}{why}{'; ' if counted else ''}{', '.join(counted)}"


def _shown(value: Any) -> Any:
    if isinstance(value, datetime):
        return f"{value.isoformat()}Z"
    return value if value is None else str(value)
