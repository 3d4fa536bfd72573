"""The help inside: what a word over a column or a figure means is said where it stands, and at the foot of the page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.web.company import Home
from tests.web.reading import Page, get, text
from web.meanings import MEANINGS

TEMPLATES = Path(__file__).parents[2] / "web" / "templates"
PLAIN = frozenset(
    re.split(
        r",\s+",
        """Address, Amount, Approves alone, At, Browser, By, Closed, Comes from, Customer, Ended, Event, Field,
        Finding, First to last seen, For, From, Gets it, Give all to, Group, Hours, How, ID, Invited, Invoice,
        Invoices, Item, Key, Kind, Last answer, Last test, Last used, Line, Line of, Model, Money, Name, Now,
        Part, Plan, Price, Quantity, Record, Roles, Rows, Rule, Run, Said by, Second factor, Setting, Shape,
        Signal, Signals, Since, Spent today, Started, State, Status, Step, Subscription, Subscriptions, Sum,
        Table, The change makes it, Then, There, This run, Tier, To, Tokens, Tried, Type, Until,
        Until a run confirmed it, Until somebody acted, Up to and with, Value, Version, Was, Was due, Webhooks,
        What, What became of it, What it is, What it means here, When, When (UTC), Where, Who, Word, Would be,
        Would be signals, is""",
    )
)
"""Words that say by themselves what they are about, or have a sentence beside them."""


def test_every_column_and_figure_has_its_meaning_or_needs_none() -> None:
    apart = {("settings.html", "Severity")}  # that page is where they are said
    bare = {
        (path.name, word.strip())
        for path in TEMPLATES.rglob("*.html")
        for attributes, word in re.findall(r"<(?:th|dt)((?:\s[^<>]*?)?)>([^<>{}]{1,60})</", path.read_text("utf-8"))
        if "title=" not in attributes and "means(" not in attributes
    }
    assert {pair for pair in bare if pair[1] not in PLAIN} - apart == set()


def test_a_meaning_is_one_short_sentence() -> None:
    for word, said in MEANINGS.items():
        assert said.endswith(".")
        assert 10 < len(said) <= 120, word
        assert said[0].isupper()


@pytest.mark.parametrize("address", ["/signals", "/rules", "/runs", "/data"])
def test_the_foot_of_a_page_lists_the_words_that_are_on_it(many_signals: Home, address: str) -> None:
    html = get(many_signals.app().test_client(), address)
    body, _, foot = html.partition('<footer class="meanings">')
    heads = {word for title, word in re.findall(r'<(?:th|dt)[^>]* title="([^"]+)"[^>]*>(?:<a[^>]*>)?([^<]+)', body)}
    assert Page(html).problems == []
    listed = set(re.findall(r"<dt>([^<]+)</dt>", foot))
    assert heads
    assert {word.strip() for word in heads} <= listed
    assert all(
        said in text(foot) for word, said in MEANINGS.items() if word in listed and f":{word}" not in str(MEANINGS)
    )


def test_a_severity_says_what_it_means_here(many_signals: Home) -> None:
    assert 'title="A wrong invoice goes out soon, or much money is lost: today."' in get(
        many_signals.app().test_client(), "/signals"
    )
