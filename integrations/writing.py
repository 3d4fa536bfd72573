"""What an integration that can write is asked for: one deed on one record, in the words of the books.

An action of `remediation` plans deeds; an integration says what requests they are, sees whether one has been done
already, and does it at most once under its key. Amounts are exact, in major units.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar, Protocol

from integrations.http import SourceError


@dataclass(frozen=True)
class Deed:
    """One write: a verb of VERBS on one record. `about` holds what the verb needs, as JSON (amounts as text)."""

    verb: str
    type: str
    id: str
    about: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The deed as an action's plan keeps it."""
        return {"verb": self.verb, "type": self.type, "id": self.id, "about": dict(self.about)}

    @classmethod
    def parse(cls, held: Mapping[str, Any]) -> Deed:
        """The deed that `as_json` wrote."""
        return cls(str(held["verb"]), str(held["type"]), str(held["id"]), dict(held["about"]))


VERBS: Mapping[str, str] = {
    "hold": "keep a draft from becoming final by itself",
    "release": "let a draft become final by itself again",
    "void": "take an issued invoice back",
    "credit": "credit an amount of one line of an issued invoice",
    "adjust": "add an amount to a draft, beside one of its lines",
    "unadjust": "take such an amount off the draft again",
    "add": "add an amount above nothing to a draft",
    "drop": "take a whole line off a draft",
    "edit_line": "set the amount of a draft's line that stands for itself",
    "charge_next": "charge an amount with the customer's next invoice",
    "uncharge": "take such a charge back, as long as no invoice has it",
    "cancel": "end a subscription now",
    "pause": "let no invoice of a subscription go out",
    "resume": "let a subscription's invoices go out again",
    "quantity": "change the subscribed number of an item, from now on",
    "price": "move an item to another price, from now on",
    "undiscount": "end a discount, from now on",
    "report": "report usage that was refused, or never came",
    "report_less": "report usage below nothing, against what was recorded too much",
    "record": "record a usage of one item, above nothing",
    "ingest": "send a usage event with its content, as its sender would",
    "unreport": "take reported usage back that is not billed yet",
    "ask_method": "make a link under which a customer adds a payment method",
    "ask_tax_id": "make a link under which a customer adds its tax number",
    "open": "open a ticket",
    "pay": "try to collect an open invoice again",
}
"""What can be asked for; an integration names those that it can do."""


@dataclass(frozen=True)
class Request:
    """How a deed looks on the wire, for people to read and for the journal."""

    method: str
    path: str
    params: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """The request as the journal keeps it."""
        return {"method": self.method, "path": self.path, "params": dict(self.params)}


@dataclass(frozen=True)
class Receipt:
    """The outside system's reply: the record that was made or changed, and what it says of it."""

    id: str
    says: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """The receipt as the journal keeps it."""
        said = {name: f"{value:f}" if isinstance(value, Decimal) else value for name, value in self.says.items()}
        return {"id": self.id, "says": said}


@dataclass(frozen=True)
class Preview:
    """What the outside system says that a deed would make of an amount, without doing it; major units."""

    of: str
    before: Decimal
    after: Decimal
    currency: str


class UnclearError(SourceError):
    """No answer that says whether the write was done."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=False)


class Writes(Protocol):
    """The writing side of one connected integration."""

    @property
    def can(self) -> frozenset[str]:
        """The verbs that it can do."""
        ...

    @property
    def keyed(self) -> bool:
        """Whether the other side does a deed once per key, however often it is asked within a day."""
        ...

    def request(self, deed: Deed) -> Request:
        """The request that the deed is; no I/O. Raises ValueError for a verb that it cannot do."""
        ...

    def state(self, type: str, id: str) -> Mapping[str, Any] | None:
        """The record as it is there now, as a row of the books; None when it is gone. Raises SourceError."""
        ...

    def seen(self, deed: Deed, key: str) -> Receipt | None:
        """The receipt of the deed when the other side shows that it was done under this key. Raises SourceError."""
        ...

    def preview(self, deed: Deed) -> Preview | None:
        """What it would come to, by the other side's own preview; None where that has none. Raises SourceError."""
        ...

    def send(self, deed: Deed, key: str) -> Receipt:
        """Do it, once per key. Raises UnclearError, and SourceError when it certainly was not done."""
        ...


@dataclass(frozen=True)
class ByRequest:
    """What the writing sides have in common: each deed is one request, by verb, and nothing is previewed."""

    system: ClassVar[str]
    """The other side's name."""
    requests: ClassVar[Mapping[str, Callable[[Deed], Request]]]

    @property
    def can(self) -> frozenset[str]:
        """Every verb that there is a request for."""
        return frozenset(self.requests)

    def request(self, deed: Deed) -> Request:
        """The request that the deed is. Raises ValueError for a verb that the other side has nothing for."""
        if deed.verb not in self.requests:
            raise ValueError(f"{self.system} cannot {deed.verb}")
        return self.requests[deed.verb](deed)

    def preview(self, deed: Deed) -> Preview | None:
        """The other side is asked for none."""
        return None
