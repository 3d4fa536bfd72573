"""Whose usage events are: the subjects of a customer, from when and until when, as a relation that a query joins."""

from __future__ import annotations

from typing import Any

from detector.line_records import Books
from store.near import KEY

SUBJECTS = """
    SELECT unnest(CAST($subjects AS VARCHAR[])) AS subject,
        coalesce(unnest(CAST($counts_from AS TIMESTAMP[])), TIMESTAMP '-infinity') AS counts_from,
        coalesce(unnest(CAST($counts_to AS TIMESTAMP[])), TIMESTAMP 'infinity') AS counts_to"""
"""The subjects that `subjects_of` found, each with the stretch of time in which its events count."""

OWN = "m.subject = e.subject AND m.counts_from <= e.time AND e.time < m.counts_to"
"""Whether an event `e` is of one of these subjects `m`."""

KEYED = f"hash(m.subject) = e.{KEY} AND {OWN}"
"""As `OWN`, where events lie in the order of a key of their subject (store.near): few of them are read."""

_OF_CUSTOMER = """
SELECT subject, customer_id, valid_from, valid_to FROM books.subjects
WHERE (customer_id = $customer OR subject = $customer) AND valid_from <= $as_of"""


def subjects_of(books: Books, customer: str) -> dict[str, list[Any]]:
    """The values that `SUBJECTS` asks for: the customer's subjects, from when and until when (None: always).

    A subject that no row of `subjects` names and that is itself a customer_id is that customer, always.
    """
    found = books.rows(_OF_CUSTOMER, customer=customer)
    mine = [(row["subject"], row["valid_from"], row["valid_to"]) for row in found if row["customer_id"] == customer]
    if not any(row["subject"] == customer for row in found):
        mine.append((customer, None, None))
    return {
        "subjects": [subject for subject, _, _ in mine],
        "counts_from": [start for _, start, _ in mine],
        "counts_to": [end for _, _, end in mine],
    }
