"""The command `example`: a company of any size with planted faults, as a books folder."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Protocol

import click

from detector import terminal
from detector.cycle import Clock
from detector.terminal import INSTANT
from integrations import example as example_company


class Timed(Protocol):
    """What the command line knows: the clock."""

    clock: Clock


@click.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--customers", type=click.IntRange(1, 1_000_000), required=True)
@click.option("--seed", type=int, required=True, help="The same seed and instant give the same company.")
@click.option("--faults", default="none", show_default=True, help="none, all, or codes: TU-01,TU-19")
@click.option("--as-of", type=INSTANT, help="The company's present; the clock's when left out.")
@click.pass_obj
def example(home: Timed, directory: Path, customers: int, seed: int, faults: str, as_of: datetime | None) -> None:
    """Write an example company as a books folder, with truth.jsonl."""
    moment = as_of or home.clock().replace(microsecond=0)
    try:
        made = example_company.write(directory, customers=customers, seed=seed, faults=faults, as_of=moment)
    except example_company.ExampleError as error:
        raise click.UsageError(str(error)) from None
    rows, planted = sum(made.rows.values()), sum(made.faults.values())
    terminal.echo(f"{made.directory}: {rows:,} rows as of {moment:%Y-%m-%dT%H:%M:%SZ}, {planted} faults planted")
