"""The order in which the example company comes about: contracts, usage, bills, money; stories and faults among them."""

from __future__ import annotations

from datetime import datetime
from types import ModuleType

from integrations.example.company import Company
from integrations.example.ending import complete
from integrations.example.faults import FAULTS
from integrations.example.founding import found
from integrations.example.invoicing import bill
from integrations.example.product import provision
from integrations.example.settlement import settle
from integrations.example.stages import Stage
from integrations.example.stories import STORIES
from integrations.example.usage import meter_usage

EVENTS_PER_CUSTOMER = 3400
_ATTEMPTS = 6
CUSTOMERS_PER_FAULT = 50
LEAST_PER_CODE = 3
"""Customers that there are at least for each fault of a code, and for each code, so that every fault finds its own."""


class NotPlantedError(ValueError):
    """A fault found no customer that it could be planted on."""


def make(
    customers: int, seed: int, as_of: datetime, codes: frozenset[str], events_per_customer: int = EVENTS_PER_CUSTOMER
) -> Company:
    """The company as of an instant, with faults of these codes planted. The same arguments give the same company.

    In a small company one fault can leave no customer for another one: then the choice of customers is made anew.
    Raises NotPlantedError when that does not help.
    """
    missing: list[str] = []
    for attempt in range(_ATTEMPTS):
        company = found(customers, seed, as_of, customers * events_per_customer)
        company.faults_of_a_code = max(1, customers // max(CUSTOMERS_PER_FAULT, LEAST_PER_CODE * len(codes)))
        _live(company, codes, attempt)
        missing = sorted(codes - {fault.code for fault in company.faults})
        if not missing:
            return company
    raise NotPlantedError(f"no customer lends itself to {', '.join(missing)}; ask for more customers or another seed")


def _live(company: Company, codes: frozenset[str], attempt: int) -> None:
    faults = _in_order(company, codes)
    _plant(company, Stage.CONTRACTS, faults, attempt)
    meter_usage(company)
    _plant(company, Stage.USAGE, faults, attempt)
    bill(company)
    _plant(company, Stage.LINES, faults, attempt)
    settle(company)
    provision(company)
    _plant(company, Stage.BOOKS, faults, attempt)
    company.faults.sort(key=lambda fault: fault.code)
    complete(company)


def _in_order(company: Company, codes: frozenset[str]) -> list[ModuleType]:
    """The faults' modules, the choosy ones first; the customers that they need are kept for them."""
    for code in codes:
        for story in _needs(FAULTS[code]):
            company.kept_for.setdefault(story, set()).add(code)
    chosen = [module for code, module in FAULTS.items() if code in codes]
    return sorted(chosen, key=lambda module: bool(getattr(module, "ANYWHERE", False)))


def _needs(module: ModuleType) -> tuple[str, ...]:
    return tuple(getattr(module, "NEEDS", ()))


def _plant(company: Company, stage: Stage, faults: list[ModuleType], attempt: int) -> None:
    """First what is right and looks wrong, then what is wrong: a fault keeps away from its look-alikes."""
    for module in STORIES:
        if stage == module.STAGE:
            company.lookalikes += module.plant(company, company.rng(module.__name__))
    for module in faults:
        if stage == module.STAGE:
            company.faults += module.plant(company, company.rng(f"{module.__name__}/{attempt}"))
            for story in _needs(module):
                company.release(story, module.CODE)
