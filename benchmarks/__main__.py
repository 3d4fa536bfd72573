"""Runs every benchmark of this folder in a process of its own and keeps what it printed in results/<name>.json.

A benchmark measures something beside a reference in the same process or session and prints one JSON object.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE / "results"


def main(names: list[str]) -> int:
    """Run the benchmarks of these names, or all. Exit code 1 when one of them failed."""
    RESULTS.mkdir(exist_ok=True)
    failed = [name for name in names or every() if not run(name)]
    for name in failed:
        print(f"{name} failed; run `python -m benchmarks.{name}` to see it alone", file=sys.stderr)
    return 1 if failed else 0


def every() -> list[str]:
    """The names of all benchmarks: the modules of this folder that do not start with an underscore."""
    return sorted(path.stem for path in HERE.glob("[!_]*.py"))


def run(name: str) -> bool:
    """Run one benchmark, show its JSON, keep it. False when it failed."""
    print(f"{name} ...", flush=True)
    done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        return False
    measured = json.loads(done.stdout)
    (RESULTS / f"{name}.json").write_text(json.dumps(measured, indent=2) + "\n")
    print(json.dumps(measured, indent=2))
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
