"""What is wrong with how a rule tells a finding: nothing, where its page reads well."""

from __future__ import annotations

import html
import re

from detector.findings import Finding
from detector.rules import Rule
from detector.signal_content import plain
from store.operational_tables import StoredFinding
from web.story import why

TAG = re.compile(r"<[^>]*>")

FLAWS = {
    "says None": re.compile(r"\bNone\b"),
    "has a brace": re.compile(r"[{}]"),
    "has a space too many": re.compile(r"  | [.,;:)]|^ | $"),
    "ends with no full stop, or with two": re.compile(r"([^.]|\.\.)$"),
}


def told(rule: Rule, finding: Finding) -> str:
    """The finding as its signal's page tells it, without markup."""
    row = StoredFinding(
        title=finding.title,
        currency=finding.currency,
        under=finding.under,
        over=finding.over,
        exposure=finding.exposure,
        period_start=finding.period_start,
        period_end=finding.period_end,
        evidence=plain(finding.evidence),
    )
    return html.unescape(TAG.sub("", why(rule.page.story, row, "units")))


def flaws(rule: Rule, finding: Finding) -> list[str]:
    """What is wrong with the story of the finding, with the story."""
    story = told(rule, finding)
    wrong = [flaw for flaw, sign in FLAWS.items() if sign.search(story)]
    if finding.title in story:
        wrong.append("is the title: no sentence of the rule has all of its values")
    return [f"{flaw}: {story}" for flaw in wrong]
