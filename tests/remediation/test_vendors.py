"""The table of actions by billing system is what the code says."""

from __future__ import annotations

from pathlib import Path

from integrations.catalogue import find
from integrations.writing import VERBS
from remediation import vendors
from remediation.actions import kinds

DOCS = Path(__file__).parents[2] / "docs" / "remediation.md"


def test_the_documentation_has_the_table_as_it_is() -> None:
    text = DOCS.read_text(encoding="utf-8")
    shown = text.partition("prints it -->\n")[2].partition("\n<!-- end -->")[0]
    assert shown == vendors.table(), "run: python -m remediation.vendors, and put it into docs/remediation.md"
    assert all(f"| `{name}` |" in text.partition("### By billing system")[0] for name in kinds())


def test_every_reason_is_of_a_verb_and_a_system_that_there_are() -> None:
    assert all(find(system).kind == system for system in vendors.CAN)
    for system, reasons in vendors.CANNOT.items():
        assert reasons.keys() <= VERBS.keys()
        assert not reasons.keys() & vendors.CAN[system], "what it can do needs no reason"
    assert vendors.IRREVERSIBLE.keys() == {
        name for name, kind in kinds().items() if kind.needs and kind.reverse is None
    }
