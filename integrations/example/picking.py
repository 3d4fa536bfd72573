"""Who gets a story or a fault. Never two stories, never two faults, and no fault where a look-alike of it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, zip_longest

import numpy as np

from integrations.example.company import Company
from integrations.example.records import Customer, PriceRecord

Suitable = Callable[[Customer], bool]


def some(company: Company, share: float, least: int = 1) -> int:
    """How many customers a share of all of them is."""
    return max(least, round(len(company.customers) * share))


def untold(company: Company, rng: np.random.Generator, wanted: int, suitable: Suitable) -> Iterator[Customer]:
    """Up to `wanted` suitable customers without a story; two in five of all customers stay without one."""
    for customer in _shuffled(company, rng):
        if wanted <= 0 or 5 * len(company.told) >= 3 * len(company.customers):
            return
        if customer.customer_id not in company.told and suitable(customer):
            wanted -= 1
            yield customer


def anyone(company: Company, rng: np.random.Generator, wanted: int, suitable: Suitable) -> Iterator[Customer]:
    """Up to `wanted` suitable customers without a fault, whatever their story: for what changes nothing else."""
    for customer in _shuffled(company, rng):
        if wanted > 0 and customer.customer_id not in company.faulty and suitable(customer):
            wanted -= 1
            yield customer


def faultless(company: Company, rng: np.random.Generator, code: str) -> Iterator[Customer]:
    """Customers on whom a fault of that code can be planted, the currencies taking turns."""
    spoken_for = {each.customer_id for each in company.lookalikes if code in each.codes}
    spoken_for |= {name for name, story in company.told.items() if code not in company.kept_for.get(story, {code})}
    for customer in _by_turns(_shuffled(company, rng)):
        if customer.customer_id not in company.faulty | spoken_for:
            yield customer


def prices_in_use(
    company: Company, rng: np.random.Generator, code: str
) -> Iterator[tuple[PriceRecord, list[Customer]]]:
    """Prices with all their customers, where a fault of that code can be planted on every one of them."""
    users: dict[str, dict[str, Customer]] = {}
    for item in company.items.values():
        customer = company.customer_of(item)
        users.setdefault(item.price_id, {})[customer.customer_id] = customer
    free = {customer.customer_id for customer in faultless(company, rng, code)}
    names = sorted(users)
    for position in rng.permutation(len(names)):
        customers = list(users[names[position]].values())
        if all(customer.customer_id in free for customer in customers):
            yield company.prices[names[position]], customers


def planned(company: Company, least: int = 1) -> int:
    """How many faults of one code the company has."""
    return max(least, company.faults_of_a_code)


def _shuffled(company: Company, rng: np.random.Generator) -> list[Customer]:
    customers = list(company.customers.values())
    return [customers[position] for position in rng.permutation(len(customers))]


def _by_turns(customers: list[Customer]) -> Iterator[Customer]:
    by_currency: dict[str, list[Customer]] = {}
    for customer in customers:
        by_currency.setdefault(customer.currency, []).append(customer)
    rounds = zip_longest(*by_currency.values())
    return (customer for customer in chain.from_iterable(rounds) if customer is not None)
