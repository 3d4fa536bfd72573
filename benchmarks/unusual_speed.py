"""How fast the newest day, or hour, of many series is screened, beside the bare median and MAD of the same time.

All begin with the same parquet file and end with the candidates, or alarms, of the newest day or hour; each runs in a
process of its own, so that the peak of memory is its own. The bare query is that of section 3 of detectors.md: the
median and the MAD of the same weekday (hour of the day) over the time before, in DuckDB SQL.
"""

from __future__ import annotations

import argparse
import functools
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
        WHERE u.time < n.time AND date_diff('{unit}', u.time, n.time) % {season} = 0
        GROUP BY u.series
    ), spread AS (
        SELECT u.series, any_value(p.usual) AS usual, median(abs(ln(u.value + 1) - p.usual)) AS mad
        FROM usage AS u JOIN past AS p USING (series), newest AS n
        WHERE u.time < n.time AND date_diff('{unit}', u.time, n.time) % {season} = 0
        GROUP BY u.series
    )
    SELECT count(*) FROM usage AS u JOIN spread AS s USING (series), newest AS n
    WHERE u.time = n.time AND abs(ln(u.value + 1) - s.usual) > 4 * greatest(1.4826 * s.mad, 0.1)"""
STEPS = {False: ("day", 7), True: ("hour", 24)}


def main() -> None:
    """Make the file, run all, print seconds, processor seconds, peaks and ratios."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--series", type=int, default=100_000)
    arguments.add_argument("--hourly", action="store_true")
    arguments.add_argument("--days", type=int, help="90; of hourly series 30")
    arguments.add_argument("--folder", type=Path, help="where the file is made, and kept for the next time")
    chosen = arguments.parse_args()
    days = chosen.days or (30 if chosen.hourly else 90)
    with tempfile.TemporaryDirectory() as folder:
        name = f"usage-{chosen.series}-{days}-{'hours' if chosen.hourly else 'days'}.parquet"
        file = (chosen.folder or Path(folder)) / name
        if not file.exists():
            _write(file, chosen.series, days, hourly=chosen.hourly)
        limit = f"{min(3500, max(700, 700 * chosen.series // 100_000))}MB"
        told = {"hourly": chosen.hourly, "limit": limit}
        bare = _apart(functools.partial(_bare, **told), file)
        screen = _apart(functools.partial(_screen, **told), file)
        whole = _apart(_examined, file)
    found = {"series": chosen.series, "days": days, "hourly": chosen.hourly}
    found |= {"bare": bare, "screen": screen, "screen_and_judged": whole}
    for name, each in (("screen_to_bare", screen), ("whole_to_bare", whole)):
        found[name] = {unit: round(each[unit] / bare[unit], 2) for unit in ("seconds", "cpu")}
    print(json.dumps(found, indent=2))


def _write(file: Path, series: int, days: int, *, hourly: bool) -> None:
    """Usage with a profile of the week, of hours also of the day, and noise by size, the same every time."""
    step, steps, day = ("to_hours", 24 * days, "t // 24") if hourly else ("to_days", days, "t")
    shape = "0.5 * sin(t % 24 / 24.0 * 2 * pi())" if hourly else "0"
    with duckdb.connect() as con:
        con.execute(f"""
            COPY (
                SELECT 's' || s AS series, TIMESTAMP '2026-01-01' + {step}(CAST(t AS INTEGER)) AS time,
                    round(exp(3 + hash(s) % 1000 / 150.0 + CASE WHEN {day} % 7 > 4 THEN -0.6 ELSE 0 END + {shape}
                        + (hash(s * 1009 + t) % 1000 / 1000.0 - 0.5) * 0.5)) AS value
                FROM range({series}) AS a (s), range({steps}) AS b (t)
            ) TO '{file}'""")


def _bare(file: Path, *, hourly: bool, limit: str) -> int:
    unit, season = STEPS[hourly]
    with _opened(file, limit) as con:
        return int(con.execute(BARE.format(unit=unit, season=season)).fetchall()[0][0])


def _screen(file: Path, *, hourly: bool, limit: str) -> int:
    with _opened(file, limit) as con:
        return len(newest_day.candidates(con, "usage", hourly=hourly))


def _examined(file: Path) -> int:
    """The whole of `trueup series --newest --method screen`, the reading of the file among it."""
    rows = reading.read_series(file, newest=True)
    return sum(int(part["alarm"].sum()) for part in Scoring(rows, None, method="screen").parts(rows.newest))


def _opened(file: Path, limit: str) -> duckdb.DuckDBPyConnection:
    """The file as `usage`; the limit grows with the number of series, since the bare query spills for minutes else."""
    con = duckdb.connect(config={"threads": 2, "memory_limit": limit, "temp_directory": str(file.parent / "spill")})
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
