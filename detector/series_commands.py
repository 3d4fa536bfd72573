"""The command `series`: scores any file of usage series, and keeps nothing but what it is asked to write."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from detector import terminal
from detector.terminal import JSON, JobFailed
from detector.unusual import Scoring, reading
from detector.unusual.events import KINDS
from detector.unusual.scoring import METHODS, RESULT

SHOWN = 20
MOST_JSON = 1000
FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
SCHEMA = pa.schema(
    [("series", pa.string()), ("time", pa.timestamp("us"))]
    + [(name, pa.float64()) for name in RESULT[2:7]]
    + [("alarm", pa.bool_()), ("reason", pa.string())]
)


@click.command()
@click.argument("file", type=FILE)
@click.option("--events", type=FILE, help=f"Known changes: series, kind ({', '.join(KINDS)}), start, end.")
@click.option(
    "--budget", type=click.FloatRange(0.001, 1000), default=1.0, show_default=True,
    help="Signals per 1000 series-months of clean usage that you want to look at.",
)  # fmt: skip
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write every row here: .parquet or .csv.")
@click.option("--method", type=click.Choice(METHODS), default="boosting", show_default=True, help="The second look.")
@click.option(
    "--newest",
    is_flag=True,
    help="Only the newest day, or of hourly series the newest hour: much faster where there are many.",
)
@JSON
def series(
    file: Path, events: Path | None, budget: float, out: Path | None, method: str, newest: bool, as_json: bool
) -> None:
    """Score any usage series: a parquet or csv FILE with columns series, time, value; a missing row is missing.

    Each row is given what was expected, its band, a score (3: one in a thousand series-months; 2: ten), whether it is
    an alarm, and why. A score uses nothing after its time.
    """
    if out is not None and out.suffix.lower() not in (".parquet", ".csv"):
        raise click.BadParameter(f"{out} is neither .parquet nor .csv", param_hint="--out")
    if out is not None and not out.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder {out.absolute().parent}", param_hint="--out")
    try:
        rows = reading.read_series(file, newest=newest)
        known = reading.read_events(events) if events else None
    except reading.BadInputError as error:
        raise JobFailed(str(error)) from None
    for remark in rows.remarks:
        terminal.say(f"{file}: {remark}")
    with terminal.progress() as bar:
        try:
            scoring = Scoring(rows, known, budget, method=method, tell=bar)
        except reading.BadInputError as error:
            raise JobFailed(f"{file}: {error}") from None
        alarms = _written(scoring, out, rows.newest if newest else None)
    _answer(scoring, alarms, budget, out, as_json)


def _written(scoring: Scoring, out: Path | None, since: np.datetime64 | None) -> pd.DataFrame:
    """Write every part, from `since` on, and keep the alarms: those with the highest scores."""
    kept = pd.DataFrame(columns=list(RESULT))
    with _writer(out) as write:
        for part in scoring.parts(since):
            write(part)
            found = part[part["alarm"]]
            if len(found):
                kept = found if kept.empty else pd.concat([kept, found])
                kept = kept.nlargest(MOST_JSON, "score", keep="first")
    return kept


@contextmanager
def _writer(out: Path | None) -> Iterator[Any]:
    """What takes one part after the other; the file appears when all are written, or not at all."""
    if out is None:
        yield lambda part: None
        return
    handle, name = tempfile.mkstemp(prefix=f".{out.name}.", dir=out.absolute().parent)
    beside = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream, _to(stream, out) as write:
            yield write
        beside.chmod(0o644)
        beside.replace(out)
    except OSError as error:
        raise JobFailed(f"{out} cannot be written: {error.strerror or error}") from None
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def _to(stream: IO[bytes], out: Path) -> Iterator[Any]:
    if out.suffix.lower() == ".parquet":
        with pq.ParquetWriter(stream, SCHEMA, compression="zstd") as writer:
            yield lambda part: writer.write_table(pa.Table.from_pandas(part, SCHEMA, preserve_index=False))
        return
    stream.write((",".join(RESULT) + "\n").encode())
    yield lambda part: stream.write(part.to_csv(index=False, header=False).encode())


def _answer(scoring: Scoring, alarms: pd.DataFrame, budget: float, out: Path | None, as_json: bool) -> None:
    found = scoring.summary()
    if as_json:
        terminal.answer({
            "series": found.series, "rows": found.rows, "budget": budget, "alarms": found.alarms,
            "alarmed_series": found.alarmed_series, "out": str(out) if out else None,
            "highest": [_as_json(row) for row in alarms.to_dict("records")],
        })  # fmt: skip
        return
    terminal.echo(
        f"{found.series:,} series, {found.rows:,} rows: {found.alarms:,} alarms in {found.alarmed_series:,} series "
        f"at {budget:g} per 1000 series-months" + (f"; every row in {out}" if out else "")
    )
    if len(alarms):
        table = terminal.columns(
            "series", "time", "value", "expected", "score", "reason", right=("value", "expected", "score")
        )
        for row in alarms.head(SHOWN).to_dict("records"):
            table.add_row(
                str(row["series"]), f"{row['time']:%Y-%m-%d %H:%M}", _number(row["value"]), _number(row["expected"]),
                f"{row['score']:.1f}", str(row["reason"]),
            )  # fmt: skip
        terminal.show(table)


def _as_json(row: dict[Any, Any]) -> dict[str, Any]:
    told = {name: None if isinstance(row[name], float) and pd.isna(row[name]) else row[name] for name in RESULT}
    return told | {"time": f"{row['time']:%Y-%m-%dT%H:%M:%SZ}", "alarm": bool(row["alarm"])}


def _number(value: float) -> str:
    return "" if pd.isna(value) else f"{value:,.6g}"
