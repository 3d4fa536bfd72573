"""The commands about prices: `explain` for a line or an invoice, with what-ifs, and `rerate` for a past period.

Both read the books as they are and keep nothing.
"""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import duckdb
import yaml

from billing.dialects import Dialects
from detector import terminal
from detector.commands import Opened
from detector.explain import Explanation
from detector.explain_invoice import InvoiceExplanation, explain_id
from detector.line_records import UnknownRecordError
from detector.other_terms import other_terms
from detector.price_settings import BadSettingError, price_columns
from detector.rerating import rerate as rerating
from detector.terminal import INSTANT, JSON
from detector.what_if import WhatIf, what_if

SETTINGS = """What if a line had other terms: quantity=1200, plan_version=3, price=ID, price.unit_amount=0.02,
price.model=volume, price.tiers='[...]' or another column of prices. Any number of times."""

INTEGRATION = click.option("--integration", help="Where the record is from, when two systems have one of that id.")


@click.command()
@click.argument("id")
@click.option("--set", "given", multiple=True, metavar="NAME=VALUE", help=SETTINGS)
@click.option(
    "--of", type=click.Choice(["line", "invoice"]), help="Which is meant, when a line and an invoice have it."
)
@INTEGRATION
@click.option("--as-of", type=INSTANT, help="As if it were then.")
@JSON
@click.pass_obj
def explain(
    home: Opened,
    id: str,
    given: tuple[str, ...],
    of: str | None,
    integration: str | None,
    as_of: datetime | None,
    as_json: bool,
) -> None:
    """How the expected amount of an invoice line comes about, or what an invoice's lines and sums should be.

    With --set also what a line would be under other terms, beside what it is; nothing is changed.
    """
    settings = terminal.assignments(given, "--set ")
    with closing(home.warehouse.connect(read_only=True)) as con:
        try:
            found = _explained(con, id, as_of or home.clock(), integration, of, settings, home.warehouse.dialects)
        except (UnknownRecordError, BadSettingError) as error:
            raise click.UsageError(str(error)) from None
    if as_json:
        terminal.answer(found.as_json())
    else:
        terminal.echo(found.as_text(), nl=False)


def _explained(
    con: duckdb.DuckDBPyConnection,
    id: str,
    as_of: datetime,
    integration: str | None,
    of: str | None,
    settings: dict[str, str],
    dialects: Dialects,
) -> Explanation | InvoiceExplanation | WhatIf:
    if not settings:
        return explain_id(con, id, as_of, integration=integration, of=of, dialects=dialects)
    other = other_terms(settings)
    found = explain_id(con, id, as_of, integration=integration, of=of, dialects=dialects)
    if isinstance(found, InvoiceExplanation):
        lines = ", ".join(line.line.line_id for line in found.lines) or "it has none"
        raise BadSettingError(f"--set changes the terms of one line, and {id} is an invoice; its lines: {lines}")
    return what_if(con, id, as_of, other, found.line.integration, dialects)


@click.command()
@click.argument("price")
@click.option("--from", "start", type=INSTANT, required=True, help="Lines whose period starts then or later ...")
@click.option("--to", "end", type=INSTANT, required=True, help="... and before this.")
@click.option("--set", "given", multiple=True, metavar="COLUMN=VALUE", help="Another value for a column of the price.")
@click.option(
    "--price",
    "draft",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A YAML file of columns of the draft price; those it does not name stay.",
)
@INTEGRATION
@click.option("--as-of", type=INSTANT, help="As if it were then.")
@JSON
@click.pass_obj
def rerate(
    home: Opened,
    price: str,
    start: datetime,
    end: datetime,
    given: tuple[str, ...],
    draft: Path | None,
    integration: str | None,
    as_of: datetime | None,
    as_json: bool,
) -> None:
    """Rate a past period again under a draft price: every line of every customer on it, and what it changes.

    Nothing is kept and nothing is changed.
    """
    settings = {**(_file(draft) if draft else {}), **terminal.assignments(given, "--set ")}
    if not settings:
        raise click.UsageError("there is no draft to rate by; give --set COLUMN=VALUE or --price FILE.yaml")
    if end <= start:
        raise click.UsageError("--to must be after --from")
    with closing(home.warehouse.connect(snapshot=home.warehouse.snapshot())) as con:
        try:
            instant, columns = as_of or home.clock(), price_columns(settings)
            found = rerating(con, price, start, end, columns, instant, integration, home.warehouse.dialects)
        except (UnknownRecordError, BadSettingError) as error:
            raise click.UsageError(str(error)) from None
    if as_json:
        terminal.answer(found.as_json())
    else:
        terminal.echo(found.as_text(), nl=False)


def _file(path: Path) -> dict[str, Any]:
    """The columns that a YAML file sets, every scalar as the text that it is: 0.10 stays exact."""
    try:
        held = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{path} is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(held, dict):
        raise click.UsageError(f"{path} is no list of columns; write lines such as unit_amount: 0.02")
    return held
