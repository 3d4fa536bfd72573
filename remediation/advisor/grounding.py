"""Whether the evidence that a sentence cites supports it: pure, by words and numbers, without a model.

A sentence stands when it cites evidence that exists, and its numbers, amounts, dates, ids and names all occur in what
it cites, and it neither denies nor claims a state that the evidence does not speak of. What cannot be
decided by that (whether one thing follows from another) is left to the reader, who sees the evidence beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from billing.money import MINOR_DIGITS

SHARE = Decimal("0.3")
"""The least part of a sentence's longer words that the cited evidence must have too."""

LEAST_LONG = 3
"""Longer words that a sentence must have for that share to mean anything."""

LEAST_WORDS = 3

STEM = 5
"""Letters by which two words count as the same."""

STARTS = frozenset(
    """a after all an and any as at because before both but by do each either every first for from here how if in it its
    itself let like more most next no none not nothing of on once one only or other otherwise since so some still such
    that the their then there therefore these they this those though thus to together until what whatever when where
    which while who whose with without yet you your""".split()  # noqa: SIM905
)
"""Words that a sentence may begin with though the evidence does not have them."""

NUMBER_WORDS: Mapping[str, int] = {
    word: value
    for value, word in enumerate(
        """zero - two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
        eighteen nineteen twenty""".split()  # noqa: SIM905
    )
    if word != "-"
} | {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
"""Numbers as words; `one` is left out, because it mostly is no number."""

MEASURES = frozenset(
    """hundred hundreds thousand thousands million millions billion billions dozen dozens half halves twice thrice
    double doubled triple tripled quarter percent nobody everybody everyone""".split()  # noqa: SIM905
)
"""Words of quantity, which the evidence must have as they stand."""

STATES = frozenset(
    """approved applied executed done sent paid unpaid refunded refund credited voided cancelled canceled released
    resolved verified waived rejected corrected repaired fixed issued charged billed held blocked succeeded failed
    guaranteed authorised authorized allowed confirmed agreed""".split()  # noqa: SIM905
)
"""Words that say how things stand, which the evidence must have as they stand."""

DIRECTIONS = {"overbilled": "over", "overcharged": "over", "underbilled": "under", "undercharged": "under"}
"""Words that say in which direction an amount is wrong, and what evidence calls that."""

DENIALS = frozenset("not no never none nothing without cannot neither nor unless".split())  # noqa: SIM905

SUPPOSED = "what if"
"""What evidence says that is worked out from terms which somebody supposed."""

SUPPOSES = frozenset("if would could might were".split())  # noqa: SIM905
"""Words of which a sentence must have one that follows from what was only supposed."""

_ID = re.compile(r"[A-Za-z0-9]+(?:[_:.#/@-][A-Za-z0-9]+)+|[A-Za-z]+\d[A-Za-z0-9]*|\d+[A-Za-z][A-Za-z0-9]*")
_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d{1,3}(?:[,\u202f ]\d{3})+|\d+)(?:\.\d+)?(?![\w])")
_MONEY = re.compile(r"([-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?)\s?([A-Z]{3})\b|\b([A-Z]{3})\s?([-+]?\d[\d,.]*\d|\d)")
_FORBIDDEN = re.compile(r"https?://|www\.|[$\u20ac\u00a3\u00a5%`<>{}|]")
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")


def unsupported(text: str, cites: Sequence[str], evidence: Mapping[str, str]) -> str | None:
    """Why a sentence is dropped; None when the evidence that it cites supports it.

    `evidence` is by id what each piece shows, as it was sent.
    """
    if not cites:
        return "it cites no evidence"
    unknown = [cite for cite in cites if cite not in evidence]
    if unknown:
        return f"there is no evidence {unknown[0]}"
    shown = " \n".join(f"{cite} {evidence[cite]}" for cite in cites)
    return next(_problems(text, shown), None)


def sentences(text: str) -> list[str]:
    """The sentences of a text; a point within a number or an id does not end one."""
    flat = " ".join(text.split())
    return [part.strip() for part in re.split(r"(?<=[.!?])\s+(?=[^a-z\s])", flat) if part.strip()]


def _problems(text: str, shown: str) -> Iterator[str]:
    if marks := set(_FORBIDDEN.findall(text)) - set(_FORBIDDEN.findall(shown)):
        yield f"the evidence has no {min(marks)}"
    there = shown.casefold()
    for id in sorted(filter(_is_id, _ID.findall(text))):
        if not _has_id(id, there):
            yield f"the evidence does not name {id}"
    numbers = set(map(_value, _NUMBER.findall(_without_ids(shown))))
    for number in _NUMBER.findall(_without_ids(text)):
        if _value(number) not in numbers:
            yield f"the evidence has no {number}"
    amounts = set(_amounts(shown))
    for amount in _amounts(text):
        if amount not in amounts:
            yield f"the evidence has no {amount[0]:f} {amount[1]}"
    yield from _words(text, shown, numbers)


def _words(text: str, shown: str, numbers: set[Decimal]) -> Iterator[str]:
    words, known = _WORD.findall(_without_ids(text)), {word.casefold() for word in _WORD.findall(shown)}
    lower = [word.casefold() for word in words]
    if len(re.findall(r"\w[\w:.-]*", text)) < LEAST_WORDS:
        yield "it is no sentence"
    for place, (word, low) in enumerate(zip(words, lower, strict=True)):
        if low in NUMBER_WORDS and NUMBER_WORDS[low] not in numbers and low not in known:
            yield f"the evidence has no {low}"
        if low in (MEASURES | STATES) and low not in known:
            yield f"the evidence does not say {low}"
        if low in DIRECTIONS and not known & {low, DIRECTIONS[low]}:
            yield f"the evidence does not say {DIRECTIONS[low]}"
        if word[0].isupper() and low not in known and not (place == 0 and low in STARTS):
            yield f"the evidence does not name {word}"
    if DENIALS & set(lower) and not (DENIALS & known):
        yield "it denies what the evidence does not deny"
    if SUPPOSED in shown and not SUPPOSES & set(lower):
        yield "it states as a fact what was only supposed"
    stems = {word[:STEM] for word in known}
    longer = [word for word in lower if len(word) >= STEM and word not in STARTS]
    shared = sum(1 for word in longer if word[:STEM] in stems)
    if len(longer) >= LEAST_LONG and shared < SHARE * len(longer):
        yield "it says little of what the evidence says"


def _amounts(text: str) -> Iterator[tuple[Decimal, str]]:
    for number, unit, first_unit, then_number in _MONEY.findall(text):
        currency = unit or first_unit
        if currency in MINOR_DIGITS:
            yield _value(number or then_number), currency


def _has_id(id: str, there: str) -> bool:
    """Whether the evidence names the id whole; a day may stand for an instant of that day."""
    after = r"(?![a-z0-9_])" if not re.fullmatch(r"\d{4}-\d\d-\d\d", id) else ""
    return re.search(rf"(?<![a-z0-9_]){re.escape(id.casefold())}{after}", there) is not None


def _is_id(text: str) -> bool:
    """Whether it is more than a number, and more than words that are joined: `tier-mode`, `and/or`."""
    return not _NUMBER.fullmatch(text) and not all(part.isalpha() for part in re.split("[-/.]", text))


def _without_ids(text: str) -> str:
    return _ID.sub(lambda found: " " if _is_id(found[0]) else found[0], text)


def _value(number: str) -> Decimal:
    """The number without its sign: what is short of ten and what is over by ten are ten."""
    return abs(Decimal(re.sub(r"[,\u202f ]", "", number.rstrip(".,"))))
