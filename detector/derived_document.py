"""The page of documentation about the derived relations, written from the headers of their SQL files.

`python -m detector.derived_document` writes docs/relations.md; a test fails while the page is not what this makes.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from detector.derived import Derivation, derivations

PAGE = Path(__file__).parent.parent / "docs" / "relations.md"

_INTRODUCTION = """\
# Derived relations

What a rule's query may read besides the tables of the [books](books.md): usage, expected lines, billed lines and the
three-way match, derived in the warehouse before the rules run. This page is written by
`python -m detector.derived_document` from the headers of the files in `detector/derived/`, which are the SQL itself.

Every relation shows the books as they were known at the run's `as_of`. `item_no` and `line_no` are numbers that hold
for one run only: join derived relations on them, and show the ids. Quantities are exact decimals with 9 places, money
is in major units of the row's currency, times are UTC, windows hold their start and not their end.
"""

_ABOUT_MACROS = """\
## Macros

Functions written in SQL. `price` is the STRUCT of a relation's `price` column; what cannot be worked out is NULL, and
`rate_problem` names the reason.
"""

_MACRO = re.compile(r"CREATE OR REPLACE TEMP MACRO ([a-z_]+)\s*(\((?:[^()]*)\))")


def page() -> str:
    """The whole page, Markdown."""
    found = derivations()
    relations = "\n".join(_relation(each) for each in found if each.columns)
    macros = "\n".join(_macros(each) for each in found if not each.columns)
    return f"{_INTRODUCTION}\n{relations}\n{_ABOUT_MACROS}\n{macros}"


def _relation(derivation: Derivation) -> str:
    rows = "".join(f"| `{column.name}` | {column.type} | {column.meaning} |\n" for column in derivation.columns)
    notes = f"{_wrapped(' '.join(derivation.notes))}\n\n" if derivation.notes else ""
    made_from = ", ".join(f"`{name}`" for name in derivation.inputs)
    said = _wrapped(f"{_sentence(derivation.meaning)} {_sentence(derivation.grain)}")
    return (
        f"## {derivation.name}\n\n{said}\n\n{notes}"
        f"Made from {made_from}: [{derivation.path.name}](../detector/derived/{derivation.path.name}).\n\n"
        f"| column | type | meaning |\n| --- | --- | --- |\n{rows}"
    )


def _macros(derivation: Derivation) -> str:
    """Each block of the file: its comment, and the macros below it as they are called."""
    described = []
    for block in derivation.sql.split("\n\n"):
        calls = [f"`{name}{' '.join(given.split())}`" for name, given in _MACRO.findall(block)]
        comment = " ".join(line.removeprefix("-- ") for line in block.splitlines() if line.startswith("-- "))
        if calls:
            described.append(_wrapped(f"- {', '.join(calls)}: {comment}" if comment else f"- {', '.join(calls)}"))
    lines = "\n".join(described)
    return f"### {derivation.meaning.partition(':')[0]}\n\n{lines}\n"


def _wrapped(text: str) -> str:
    indent = "  " if text.startswith("- ") else ""
    return textwrap.fill(text, 118, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
