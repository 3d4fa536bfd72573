"""The example company: a believable business with a year of billing, and faults planted in it on request.

Owns its catalogue, customers, usage, invoices, faults and look-alikes, and the folder of files that holds them.
Does not own what is right (`billing`) nor how faults are found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from integrations.example.company import Company
from integrations.example.faults import FAULTS
from integrations.example.files import Row, write_books, write_jsonl
from integrations.example.making import EVENTS_PER_CUSTOMER, LEAST_PER_CODE, NotPlantedError, make
from integrations.example.truth import Fault, Lookalike

LEAST_FOR_FAULTS = 20
"""Customers that a company with faults needs, however few codes are planted."""


class ExampleError(ValueError):
    """The example company cannot be made as asked; the message says why and what to ask instead."""


@dataclass(frozen=True)
class Summary:
    """What was written: rows by table, faults by code, and the number of look-alikes."""

    directory: Path
    as_of: datetime
    rows: dict[str, int]
    faults: dict[str, int] = field(default_factory=dict)
    lookalikes: int = 0


def write(
    directory: Path,
    *,
    customers: int,
    seed: int,
    faults: str | Collection[str],
    as_of: datetime,
    events_per_customer: int = EVENTS_PER_CUSTOMER,
) -> Summary:
    """Write the company's books as of an instant into a new or empty folder, with `truth.jsonl` and `lookalikes.jsonl`.

    `faults` is "none", "all", or codes such as {"TU-01", "TU-19"}; `events_per_customer` is about how many usage events
    there are. The same arguments give the same bytes. Raises ExampleError for arguments that cannot be met.
    """
    codes = chosen_codes(faults)
    _check(directory, customers, codes, as_of)
    try:
        company = make(customers, seed, as_of, codes, events_per_customer)
    except NotPlantedError as error:
        raise ExampleError(str(error)) from error
    directory.mkdir(parents=True, exist_ok=True)
    rows = write_books(company, directory)
    write_jsonl(directory / "lookalikes.jsonl", _lookalikes(company))
    write_jsonl(directory / "truth.jsonl", (_truth(fault, as_of) for fault in company.faults))
    planted = dict(sorted(Counter(fault.code for fault in company.faults).items()))
    return Summary(directory, as_of, rows, planted, len(company.lookalikes))


def chosen_codes(faults: str | Collection[str]) -> frozenset[str]:
    """The codes that "none", "all", "TU-01,TU-19" or a collection of codes names. Raises ExampleError for others."""
    if faults == "none":
        return frozenset()
    if faults == "all":
        return frozenset(FAULTS)
    names = faults.split(",") if isinstance(faults, str) else faults
    codes = {name.strip().upper() for name in names}
    unknown = sorted(codes - FAULTS.keys())
    if unknown:
        raise ExampleError(
            f"no fault {', '.join(unknown)!r} can be planted; choose none, all, or from {', '.join(FAULTS)}"
        )
    return frozenset(codes)


def least_for(faults: str | Collection[str]) -> int:
    """The customers that a company needs so that each of these faults, named as in `write`, finds one of its own."""
    codes = chosen_codes(faults)
    return max(LEAST_FOR_FAULTS, LEAST_PER_CODE * len(codes)) if codes else 1


def _check(directory: Path, customers: int, codes: frozenset[str], as_of: datetime) -> None:
    if as_of.tzinfo is None:
        raise ExampleError(f"as_of {as_of.isoformat()} has no timezone; give an aware instant, for example in UTC")
    if customers < 1:
        raise ExampleError(f"a company of {customers} customers cannot be made; ask for at least 1")
    least = least_for(codes)
    if customers < least:
        raise ExampleError(f"{customers} customers are too few to keep planted faults apart; ask for {least} or more")
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise ExampleError(f"{directory} is not an empty folder; name a new one or empty it first")


def _truth(fault: Fault, as_of: datetime) -> Row:
    return {
        "fault_id": fault.fault_id,
        "code": fault.code,
        "cause": ":".join(fault.cause),
        "customer_id": fault.customer_id,
        "period_start": fault.period_start,
        "period_end": fault.period_end,
        "currency": fault.currency,
        "under": fault.under,
        "over": fault.over,
        "exposure": fault.exposure,
        "entities": [{"type": kind, "id": name, "role": role} for (kind, name), role in fault.entities.items()],
        "note": fault.note,
        "as_of": as_of,  # what grows with time is counted up to here
    }


def _lookalikes(company: Company) -> Iterator[Row]:
    for each in company.lookalikes:
        yield _lookalike(each)


def _lookalike(each: Lookalike) -> Row:
    return {
        "what": each.what,
        "customer_id": each.customer_id,
        "codes": list(each.codes),
        "entities": [{"type": kind, "id": name} for kind, name in each.entities],
        "why": each.why,
    }
