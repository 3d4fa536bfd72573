"""Whether the SQL that rates all lines and the Python that explains one come to the same, on random lines.

Lines by themselves: every price model, override, conversion, minimum, maximum and rounding mode, sound and unsound,
through rate() and its kin. Contracts: every dialect, with periods split, cut short and across clock changes, fixed and
percent discounts, from the books' rows through expected_lines and through `trueup explain`.
`python -m benchmarks.rating_equal [--lines N] [--contracts N] [--seed S]` prints JSON; any difference fails it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from contextlib import closing

from detector import derived, plain_books
from detector.explain import explain
from tests.detector.random_books import AS_OF, SPOKEN, company
from tests.detector.random_lines import lines
from tests.detector.test_derived_rating import differences

AT_ONCE = 20_000
CONTRACTS_AT_ONCE = 500
RATED = """
    SELECT integration, line_id, reason, expected_amount, expected_discount
    FROM expected_lines
    ORDER BY line_id"""


def main() -> int:
    """Compare, print, and exit with 1 where anything differs."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--lines", type=int, default=200_000)
    arguments.add_argument("--contracts", type=int, default=2_000)
    arguments.add_argument("--seed", type=int, default=1)
    chosen = arguments.parse_args()
    began = time.perf_counter()
    by_themselves = _lines(chosen.lines, chosen.seed)
    contracts = _contracts(chosen.contracts, chosen.seed)
    seconds = round(time.perf_counter() - began, 1)
    print(json.dumps({"lines": by_themselves, "contracts": contracts, "seconds": seconds}, indent=2))
    return 1 if by_themselves["different"] or contracts["different"] else 0


def _lines(count: int, seed: int) -> dict[str, object]:
    compared: Counter[str] = Counter()
    wrong = 0
    for batch in range(-(-count // AT_ONCE)):
        given = lines(min(AT_ONCE, count - batch * AT_ONCE), seed * 1_000 + batch)
        compared.update(str(line.price.model) for line in given)
        wrong += len(differences(given))
    return {"compared": sum(compared.values()), "different": wrong, "by_model": dict(sorted(compared.items()))}


def _contracts(count: int, seed: int) -> dict[str, object]:
    compared: Counter[str] = Counter()
    wrong: list[str] = []
    for batch in range(-(-count // CONTRACTS_AT_ONCE)):
        with closing(plain_books.open(company(CONTRACTS_AT_ONCE, seed * 1_000 + batch))) as con:
            derived.build(con, AS_OF, {"expected_lines"}, SPOKEN)
            for integration, line_id, *rated in con.execute(RATED).fetchall():
                found = explain(con, line_id, AS_OF, integration, SPOKEN).expectation
                discount = found.discount if found.amount is not None else None
                compared[SPOKEN[integration].name] += 1
                if [found.reason, found.amount, discount] != rated:
                    wrong.append(f"{seed * 1_000 + batch}/{line_id}")
    by_dialect = dict(sorted(compared.items()))
    return {"compared": sum(compared.values()), "different": len(wrong), "first": wrong[:5], "by_dialect": by_dialect}


if __name__ == "__main__":
    sys.exit(main())
