"""How the command line listens and speaks: its common options, tables and JSON, and the progress of a job.

While a job runs there is a bar on a terminal, and plain lines where there is none.

What a command answers goes to standard output, what it says meanwhile to standard error.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from integrations.pages import Remark

_WIDEST = 10_000

_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Control characters but line feed and tab, and those that turn the direction of letters (Unicode TR 9, 36)."""

EVERY = 5.0
"""Seconds between two plain lines of one job."""


class JobFailed(Exception):  # noqa: N818 (named for what happened)
    """A job did not do what it was asked to; the message says why, one line per reason."""


@contextmanager
def refusals() -> Iterator[None]:
    """What the work within refuses, by LookupError or ValueError, is told as why the job failed."""
    try:
        yield
    except (LookupError, ValueError) as reason:
        raise JobFailed(str(reason)) from None


class Instant(click.ParamType[datetime]):
    """An instant as RFC 3339; without a timezone it is UTC, without a time midnight."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The instant, aware. Fails with what is wrong and an example."""
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no instant; write 2026-11-01 or 2026-11-01T06:00:00Z", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class Commands(click.Group):
    """A group of commands of which each is imported when it is asked for, so that none waits for what others need.

    `elsewhere` says where they are: name -> `module:command`.
    """

    def __init__(self, *args: Any, elsewhere: Mapping[str, str], **more: Any) -> None:
        super().__init__(*args, **more)
        self.elsewhere = elsewhere

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every name, in order."""
        return sorted([*super().list_commands(ctx), *self.elsewhere])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name; None when there is none."""
        if cmd_name not in self.elsewhere:
            return super().get_command(ctx, cmd_name)
        module, _, name = self.elsewhere[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command


INSTANT = Instant()
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")


class Bar:
    """The progress of one job, part by part: `bar(done, total, part)`; `total` may be unknown."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}
        self._said = time.monotonic()

    def __call__(self, done: int, total: int | None, part: str) -> None:
        """Say how far `part` is."""
        if self._progress is not None:
            self._draw(self._progress, done, total, part)
        elif time.monotonic() - self._said >= EVERY:
            self._said = time.monotonic()
            whole = f" of {total:,}" if total else ""
            say(f"{part}: {done:,}{whole}")

    def _draw(self, progress: Progress, done: int, total: int | None, part: str) -> None:
        if part not in self._tasks:
            self._tasks[part] = progress.add_task(part, total=total)
        progress.update(self._tasks[part], completed=done, total=total)


@contextmanager
def progress() -> Iterator[Bar]:
    """A bar for the block: drawn on a terminal, a line every few seconds elsewhere."""
    if not sys.stderr.isatty():
        yield Bar(None)
        return
    columns = (TextColumn("{task.description:<20}"), BarColumn(), TextColumn("{task.completed:>12,.0f}"))
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as drawn:
        yield Bar(drawn)


def assignments(given: Iterable[str], option: str = "") -> dict[str, str]:
    """`name=value` arguments by their names; `option` stands before each of them.

    Raises click.UsageError for one without a value, or named twice.
    """
    found: dict[str, str] = {}
    for pair in given:
        name, sign, value = pair.partition("=")
        if not sign:
            raise click.UsageError(f"{option}{pair} needs a value: {option}{pair}=VALUE")
        if name in found:
            raise click.UsageError(f"{option}{name} is given twice")
        found[name] = value
    return found


def plain(text: str) -> str:
    """The text without what steers a terminal or turns its letters round: a record's name, or a model, must not."""
    return _STEERING.sub("?", text)


def echo(text: object = "", *, nl: bool = True) -> None:
    """Text on standard output, as `plain` leaves it; every command speaks through this."""
    click.echo(plain(str(text)), nl=nl)


def say(text: str) -> None:
    """One line about what is going on."""
    click.echo(plain(text), err=True)


def say_remarks(name: str, remarks: Iterable[Remark]) -> None:
    """A line for each record of an integration that could not be taken over as it stood."""
    for remark in remarks:
        say(f"{name}: {remark.kind} {remark.id}: {remark.reason}")


def complain(lines: Sequence[str], code: int) -> int:
    """What went wrong, line by line; returns the exit code."""
    for line in lines:
        say(f"trueup: {line}")
    return code


def answer(value: Any) -> None:
    """JSON and nothing else on standard output."""
    click.echo(_json(value))


def answer_all(values: Iterable[Any]) -> None:
    """A JSON array on standard output, written as its members come."""
    before = "["
    for value in values:
        click.echo(before + _json(value), nl=False)
        before = ",\n"
    click.echo("]" if before != "[" else "[]")


def _json(value: Any) -> str:
    """The value as JSON, in which what steers a terminal is escaped."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def show(table: Table) -> None:
    """A table on standard output: as wide as the terminal, and one line per row where there is none."""
    terminal = sys.stdout.isatty()
    out = Console(file=sys.stdout, width=None if terminal else _WIDEST, highlight=False, markup=False, emoji=False)
    if terminal:
        out.print(table)
        return
    with out.capture() as drawn:
        out.print(table)
    for line in drawn.get().splitlines():
        click.echo(line.rstrip())


class Cells(Table):
    """A table whose cells are plain text."""

    def add_row(self, *cells: Any, **more: Any) -> None:
        """A row, its texts as `plain` leaves them."""
        super().add_row(*(plain(cell) if isinstance(cell, str) else cell for cell in cells), **more)


def columns(*names: str, right: tuple[str, ...] = ()) -> Table:
    """An empty table with these columns; those in `right` hold numbers."""
    table = Cells(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    return table
