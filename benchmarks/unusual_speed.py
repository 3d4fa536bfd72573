"""How fast the newest day of many series is screened: the whole screen beside the bare same-weekday median and MAD.

Both begin with the same parquet file and end with the candidates of the newest day; each runs in a process of its own,
so that the peak of memory is its own. The bare query is that of section 3 of detectors.md: the median and the MAD of
the same weekday over the weeks before, in DuckDB SQL.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from detector.unusual import newest_day, reading
from detector.unusual.scoring import Scoring

BARE = """
    WITH newest AS (SELECT max(time) AS time FROM usage),
    past AS (
        SELECT u.series, median(ln(u.value + 1)) AS usual
        FROM usage AS u, newest AS n
        WHERE u.time < n.time AND date_diff('day', u.time, n.time) % 7 = 0
        GROUP BY u.series
    ), spread AS (
        SELECT u.series, any_value(p.usual) AS usual, median(abs(ln(u.value + 1) - p.usual)) AS mad
        FROM usage AS u JOIN past AS p USING (series), newest AS n
        WHERE u.time < n.time AND date_diff('day', u.time, n.time) % 7 = 0
        GROUP BY u.series
    )
    SELECT count(*) FROM usage AS u JOIN spread AS s USING (series), newest AS n
    WHERE u.time = n.time AND abs(ln(u.value + 1) - s.usual) > 4 * greatest(1.4826 * s.mad, 0.1)"""


def main() -> None:
    """Make the file, run both, print seconds, processor seconds, peaks and the ratio."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--series", type=int, default=100_000)
    arguments.add_argument("--days", type=int, default=90)
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "usage.parquet"
        _write(file, chosen.series, chosen.days)
        bare, screen, whole = (_apart(work, file) for work in (_bare, _screen, _examined))
    found = {"series": chosen.series, "days": chosen.days, "bare": bare, "screen": screen, "screen_and_judged": whole}
    ratio = {name: round(screen[name] / bare[name], 2) for name in ("seconds", "cpu")}
    print(json.dumps(found | {"screen_to_bare": ratio}, indent=2))


def _write(file: Path, series: int, days: int) -> None:
    """Usage with a profile of the week and noise by size, the same every time."""
    with duckdb.connect() as con:
        con.execute(f"""
            COPY (
                SELECT 's' || s AS series, TIMESTAMP '2026-01-01' + to_days(CAST(d AS INTEGER)) AS time,
                    round(exp(3 + hash(s) % 1000 / 150.0 + CASE WHEN d % 7 > 4 THEN -0.6 ELSE 0 END
                        + (hash(s * 1009 + d) % 1000 / 1000.0 - 0.5) * 0.5)) AS value
                FROM range({series}) AS a (s), range({days}) AS b (d)
            ) TO '{file}'""")


def _bare(file: Path) -> int:
    with _opened(file) as con:
        return int(con.execute(BARE).fetchall()[0][0])


def _screen(file: Path) -> int:
    with _opened(file) as con:
        return len(newest_day.candidates(con, "usage"))


def _examined(file: Path) -> int:
    """The whole of `trueup series --newest --method screen`, the reading of the file among it."""
    scoring = Scoring(reading.read_series(file, newest=True), None, method="screen")
    return sum(int(part["alarm"].sum()) for part in scoring.parts())


def _opened(file: Path) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(config={"threads": 2, "memory_limit": "700MB", "temp_directory": str(file.parent / "spill")})
    con.execute("SET enable_progress_bar = false")
    con.execute(f"CREATE VIEW usage AS FROM read_parquet('{file}')")
    return con


def _apart(work: Callable[[Path], int], file: Path) -> dict[str, Any]:
    """What a process of its own takes for the work."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_timed, (work, file))


def _timed(work: Callable[[Path], int], file: Path) -> dict[str, Any]:
    began, processor = time.perf_counter(), time.process_time()
    found = work(file)
    return {
        "seconds": round(time.perf_counter() - began, 2),
        "cpu": round(time.process_time() - processor, 2),
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
        "candidates": found,
    }


if __name__ == "__main__":
    main()
