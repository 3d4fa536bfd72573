"""In every dialect the set-based rating and the explanation of a single line come to the same."""

from __future__ import annotations

from contextlib import closing

from detector import derived, plain_books
from detector.explain import explain
from tests.detector.random_books import AS_OF, SPOKEN, company

RATED = """
    SELECT integration, line_id, reason, expected_amount, expected_discount, metered
    FROM expected_lines
    ORDER BY line_id"""


def test_lines_are_rated_alike_in_sql_and_in_python_whatever_the_dialect() -> None:
    compared, rated, discounted = 0, 0, 0
    with closing(plain_books.open(company(200, seed=7))) as con:
        derived.build(con, AS_OF, {"expected_lines"}, SPOKEN)
        for integration, line_id, reason, amount, discount, metered in con.execute(RATED).fetchall():
            found = explain(con, line_id, AS_OF, integration, SPOKEN).expectation
            taken = found.discount if amount is not None else None
            assert (found.reason, found.amount, taken) == (reason, amount, discount), (integration, line_id)
            assert found.basis is None or found.basis.quantity == metered, (integration, line_id)
            compared, rated, discounted = compared + 1, rated + (amount is not None), discounted + bool(discount)
    assert compared > 230
    assert rated > 0.8 * compared, "most of them can be rated"
    assert discounted > 0.1 * compared
