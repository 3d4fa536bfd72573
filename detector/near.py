"""What was meant by a word that nobody knows."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def meant(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The one of the known words that is nearest, as a question; all of them where none is near.

    A known word that the given one begins with is meant before any that only looks alike.
    """
    words = list(known)
    found = [each for each in words if word.startswith(each)] or difflib.get_close_matches(word, words, 1, cutoff)
    return f"did you mean {found[0]}?" if found else f"there are {', '.join(words)}"
