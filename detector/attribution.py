"""Whose usage events are: the subjects of a customer, from when and until when, as a condition on events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from detector.line_records import Books
from store.near import KEY

Subject = tuple[str, datetime | None, datetime | None]
"""A subject of a customer's, from when and until when its events are the customer's (None: always)."""

_SUBJECTS = """
SELECT subject, customer_id, valid_from, valid_to FROM books.subjects
WHERE (customer_id = $customer OR subject = $customer) AND valid_from <= $as_of"""

_FOR_A_WHILE = """
    len([1 FOR s IN CAST($spans AS STRUCT(subject VARCHAR, since TIMESTAMP, until TIMESTAMP)[])
        IF s.subject = e.subject AND s.since <= e.time AND e.time < s.until]) > 0"""


def subjects_of(books: Books, customer: str) -> list[Subject]:
    """The customer's subjects. One that no row of `subjects` names and that is a customer_id is that customer."""
    found = books.rows(_SUBJECTS, customer=customer)
    mine: list[Subject] = [
        (row["subject"], row["valid_from"], row["valid_to"]) for row in found if row["customer_id"] == customer
    ]
    return mine if any(row["subject"] == customer for row in found) else [*mine, (customer, None, None)]


def owned(
    subjects: Sequence[Subject], start: datetime, end: datetime, *, keyed: bool
) -> tuple[str, Mapping[str, object]]:
    """Whether an event `e` of [start, end) is of one of the subjects, as a condition and its values.

    Its subjects stand in it one by one, for DuckDB passes over the blocks that hold none of them where events are
    `keyed`: in the order of a key of their subject (store.near).
    """
    spans = [(subject, since or start, until or end) for subject, since, until in subjects]
    names = {subject: f"subject_{place}" for place, subject in enumerate(dict.fromkeys(one for one, _, _ in spans))}
    if not names:
        return "FALSE", {}
    always = {names[one] for one, since, until in spans if since <= start and until >= end}
    partly = [
        {"subject": one, "since": since, "until": until} for one, since, until in spans if since > start or until < end
    ]
    asked = ", ".join(f"${name}" for name in sorted(always))
    either = [*([f"e.subject IN ({asked})"] if always else []), *([_FOR_A_WHILE] if partly else [])]
    keys = ", ".join(f"hash(${name})" for name in names.values())
    values: dict[str, object] = {name: subject for subject, name in names.items() if keyed or name in always}
    key = f"e.{KEY} IN ({keys}) AND " if keyed else ""
    return f"{key}({' OR '.join(either)})", values | ({"spans": partly} if partly else {})
