"""What an integration says of itself, and the shape that all of them share.

An integration is one module under `integrations/`, found by its place: a file (or folder) that sets `CAPABILITIES` and
defines `from_config(name, settings)`, which returns an `Integration`. docs/integrations/writing-one.md makes one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from integrations.objects import Object
from integrations.pages import Lookup, Page
from integrations.webhooks import Delivery, Headers
from integrations.writing import Writes


class Hold(StrEnum):
    """How far a draft invoice can be kept from becoming final (spec/connectors.md, 4.3)."""

    PER_INVOICE = "per_invoice"  # one draft can be stopped, whenever it is still a draft
    PRE_CONFIGURED = "pre_configured"  # only where the system was set up beforehand to wait
    CUSTOMER_WIDE = "customer_wide"  # every draft of the customer, or none
    NONE = "none"


@dataclass(frozen=True)
class Capabilities:
    """What the module of an integration can do.

    reads: the tables of the books that it fills.
    increments: in one sentence, how it finds what changed since the last reading.
    dialect: how the system bills, one of billing.dialects.DIALECTS.
    hold: whether a draft can be held.
    writes: the remediation writes that the system offers; none is made without an approval.
    secrets: settings that it cannot do without and that are secret: config names their variable, `<setting>_env`.
    settings: settings of its own beside `base_url` and `requests_per_second`; one that ends in `_env` is a secret that
        may be left out.
    receives: whether it takes webhooks (`Receiving`).
    rereads: the types of single records that it can read again (`Rereading`).
    """

    reads: tuple[str, ...]
    increments: str
    dialect: str = "books"
    hold: Hold = Hold.NONE
    writes: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ("api_key",)
    settings: tuple[str, ...] = ()
    receives: bool = False
    rereads: tuple[str, ...] = ()


class Integration(Protocol):
    """One configured connection to an outside system."""

    @property
    def name(self) -> str:
        """The configured name."""

    def pull(self, cursor: Lookup, *, full: bool, now: datetime) -> Iterator[Page]:
        """Pages of what changed since the stored cursors, of everything when `full`. Raises SourceError.

        A reading that was cut short is taken up at the cursors of its last stored page.
        """

    def check(self) -> str | None:
        """Why the system cannot be read completely, with the remedy; None when all is well."""


@runtime_checkable
class Counting(Protocol):
    """An integration whose system says how many records it has."""

    def counts(self) -> Mapping[str, int]:
        """The number of records as its own lists count them, by table of the books. Raises SourceError."""


@runtime_checkable
class Rereading(Protocol):
    """An integration that reads single records again, as they are now."""

    def pull_records(self, records: Iterable[tuple[str, str]]) -> Page:
        """One page with the rows of these records, (type, id), and what hangs on them. Raises SourceError."""


@runtime_checkable
class Backfilling(Protocol):
    """An integration that reads a span of time again, whatever its cursors say."""

    def backfill(self, start: datetime, end: datetime | None) -> Iterator[Page]:
        """Pages of what was created or changed in the span; of more, where the system cannot tell. Moves no cursor.

        Raises SourceError.
        """


@runtime_checkable
class Writing(Protocol):
    """An integration that can be written to; whether it may be is for others to say."""

    @property
    def writes(self) -> Writes:
        """Its writing side."""


@runtime_checkable
class Receiving(Protocol):
    """An integration that takes webhooks."""

    def proven(self, body: bytes, headers: Headers, now: datetime) -> Delivery:
        """The delivery, when it is proven to come from the system; asks nobody, so that the answer is fast.

        Raises ForgedError, StaleError, UnreadableError (integrations.webhooks).
        """

    def receive(self, told: Sequence[Object]) -> Iterator[Page]:
        """The pages that the content of proven deliveries brings; nothing where it is not about the books.

        What the deliveries are about is asked for again, each object once. Raises SourceError.
        """


FromConfig = Callable[[str, Mapping[str, object]], Integration]
"""Makes the integration from its name and settings. Raises ValueError naming a setting that is missing or wrong."""
