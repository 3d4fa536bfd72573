"""Reads pages as a browser without scripts does: forms with their tokens, rows, links, what is wrong with the HTML."""

from __future__ import annotations

import html as entities
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

VOID = frozenset(["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"])
SVG = frozenset(["svg", "path", "rect", "circle", "line", "text", "title"])


@dataclass
class Page(HTMLParser):
    """The elements of a page, in order, with what is wrong about them."""

    html: str
    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    _open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(self.html)
        self.problems += [f"<{tag}> is never closed" for tag in self._open]

    def __hash__(self) -> int:
        return id(self)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        self.problems += [f"<{tag}> has {name} twice" for name in set(names) if names.count(name) > 1]
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID | SVG:
            self.problems.append(f"<{tag}/> is not closed by a slash in HTML")

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1] != tag:
            self.problems.append(f"</{tag}> closes {self._open[-1:] or 'nothing'}")
        else:
            self._open.pop()

    def all(self, tag: str, **attributes: str) -> list[dict[str, str]]:
        """Attributes of every element with the tag and the attributes."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [have for name, have in self.elements if name == tag and wanted.items() <= have.items()]


def get(client: FlaskClient, address: str, status: int = 200) -> str:
    """The text of a page."""
    answer = client.get(address)
    assert answer.status_code == status, f"{address}: {answer.status_code}"
    return answer.get_data(as_text=True)


def token(html: str) -> str:
    """The CSRF token of a page's first form."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', html)
    assert found, "the page has no form"
    return found[1]


def act(
    client: FlaskClient, address: str, /, page: str = "/signals", code: int = 303, **fields: object
) -> TestResponse:
    """Send a form of a page, with the page's token and address."""
    data = {"csrf_token": token(get(client, page)), "back": page, **fields}
    answer = client.post(address, data=data)
    assert answer.status_code == code, answer.get_data(as_text=True)[:500]
    return answer


def labels(html: str) -> list[str]:
    """The signals of a list, in order."""
    return re.findall(r'<tr id="(SIG-\d+)"', html)


def text(html: str) -> str:
    """What a person reads: the page's text without tags, spaces folded."""
    return " ".join(entities.unescape(re.sub(r"<[^>]+>", " ", html)).split())
