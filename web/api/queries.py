"""The parameters of the API's addresses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field

from detector import ledger
from detector.inbox_filter import SORTS, STATUSES, VIEWS
from web.api.operations import Asked

CSV = "text/csv"


def one_of(values: Iterable[str]) -> Any:
    """A text that is one of these."""
    known = list(values)
    return Field(pattern=f"^({'|'.join(known)})$", json_schema_extra={"enum": [*known]})


Many = Annotated[
    list[str], Field(default_factory=list, max_length=20, description="May be given several times; any of them counts.")
]
Limit = Annotated[int, Field(ge=1, le=200, description="How many one page has.")]


class SignalsQuery(Asked):
    """Which signals, in which order, from where on: the parameters of the console's list of signals."""

    view: Annotated[str, one_of(["", *VIEWS])] = "inbox"
    status: Annotated[str, one_of(["", *STATUSES])] = "open"
    sev: Many
    cat: Many
    integ: Many
    rule: Many
    who: Annotated[Many, Field(description="Assignees; an empty one stands for nobody.")]
    code: Many
    cause: Annotated[str, Field(description="As type:id.")] = ""
    customer: str = ""
    bill_run: str = ""
    entity: Annotated[str, Field(description="The id of any record that a signal names.")] = ""
    q: Annotated[str, Field(description="Text in title, customer or id.")] = ""
    sort: Annotated[str, one_of(["", *SORTS])] = "risk"
    after: Annotated[str, Field(description="The `next` of the page before.")] = ""
    limit: Limit = 50


class RunsQuery(Asked):
    """Which runs, the newest first, and from where on."""

    rule: str = ""
    status: Annotated[str, one_of(["", *ledger.STATUSES])] = ""
    after: Annotated[int | None, Field(ge=1, lt=2**63, description="The `next` of the page before.")] = None
    limit: Limit = 50


class GateQuery(Asked):
    """Whose bill run is meant, where several integrations have one of that id."""

    integration: Annotated[str, Field(description="The name of the integration.")] = ""
