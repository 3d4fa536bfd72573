"""Accessibility by axe-core, run through the debugging protocol: the page's own policy stays as it is."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from playwright.sync_api import Page

SOURCE = Path(__file__).parent / "vendor" / "axe-4.14.1.min.js"
LOOKS = ["color-contrast", "target-size"]
"""The rules whose answer depends on colours and widths; the others read the page's structure."""

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


_RUN = """wanted => axe.run(document, {runOnly: wanted, resultTypes: ['violations']}).then(found => found.violations)"""
"""Says in full what violates a rule, and not each of thousands of elements that keep it."""


@cache
def _source() -> str:
    return SOURCE.read_text(encoding="utf-8")


def violations(page: Page, *, looks_only: bool = False) -> list[str]:
    """Each violation of WCAG 2.2 A and AA on the page as it is now, with the elements that have it."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(_source())
    wanted = {"type": "rule", "values": LOOKS} if looks_only else {"type": "tag", "values": RULES}
    found = page.evaluate(_RUN, wanted)
    return [f"{one['id']}: {node['target']} {node['failureSummary']}" for one in found for node in one["nodes"]]
