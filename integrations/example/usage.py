"""Usage events of a believable company: growth, weekly rhythm, month ends, holidays and noise, at jittered times.

Daily totals are drawn per stream and split over its events exactly, in integers, so that nothing depends on the order
of a floating point sum. All of it is vectorised: a million events take about a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from billing.periods import timezone_named
from integrations.example.catalogue import METERS, OFFERS, price_id
from integrations.example.company import Company, Habits
from integrations.example.places import CURRENCIES
from integrations.example.records import Customer, Item, Meter
from integrations.example.streams import ACCEPTED, INVALID, REJECTED, Events, Integers, Stream, to_micros

Floats = npt.NDArray[np.float64]

_DAY = 86_400_000_000
_HOUR = 3_600_000_000
_MINUTE = 60_000_000
_HOURS = np.array([2, 2, 1, 1, 1, 2, 3, 5, 8, 10, 10, 9, 8, 9, 10, 10, 9, 8, 6, 5, 4, 4, 3, 3], dtype=float)
_HOURS_UP_TO = np.cumsum(_HOURS / _HOURS.sum())
_RATES = (4.0, 8.0, 12.0, 24.0)
_FIXED_RATE = {"unique_count", "max"}
_HOLIDAYS = {(12, 24), (12, 25), (12, 26), (12, 31), (1, 1)}
_OWN_HOLIDAYS = {
    "US": {(7, 4)},
    "JP": {(1, 2), (1, 3), (5, 3), (5, 4), (5, 5)},
    "DE": {(10, 3), (5, 1)},
    "FR": {(7, 14), (5, 1)},
    "NL": {(4, 27)},
    "GB": {(12, 27)},
}
_PRODUCTS = {
    "meter_api": "gateway",
    "meter_storage": "storage",
    "meter_compute": "scheduler",
    "meter_documents": "documents",
    "meter_users": "identity",
    "meter_nodes": "cluster",
    "meter_gpu": "gpu-farm",
    "meter_messages": "messenger",
}
USERS = 400

CORRECTION = 0
_PLAIN = 1
_ROUTES = 24
PROPERTIES = (
    '{"correction":true,"reason":"metering error"}',
    "{}",
    *(
        f'{{"region":"{region}","route":"{route}"}}'
        for region in ("us-east", "eu-west", "ap-south")
        for route in ("/v1/embed", "/v1/search", "/v1/rank", "/v1/store", "/v2/embed", "/v2/search", "/batch", "/admin")
    ),
    *(f'{{"user_id":{number}}}' for number in range(1, USERS + 1)),
)
"""Every text that an event's properties can hold; events name it by its place here."""
FIRST_USER = 2 + _ROUTES

_METERS = {meter.meter_id: meter for meter in METERS}
DAILY = {
    price_id(offer, card, currency): card.daily
    for offer in OFFERS
    for card in offer.cards
    for currency in CURRENCIES
    if card.meter
}
"""What a middling customer uses on a weekday, by price."""


@dataclass(frozen=True)
class _Plan:
    """A stream that is to be made: who, what, from when to when, and about how many events a day."""

    customer: Customer
    meter: Meter
    daily: float
    start: datetime
    end: datetime
    timezone: str
    rate: float

    @property
    def days(self) -> float:
        """How long it lasts, a day at least."""
        return max((self.end - self.start).total_seconds() / 86_400, 1.0)


def meter_usage(company: Company) -> None:
    """Give the company its usage events: one stream for each customer and meter that it was ever charged for."""
    rng = company.rng("usage")
    plans = [plan for customer in company.customers.values() for plan in _plans(company, customer, rng)]
    free = [plan for plan in plans if plan.meter.aggregation == "sum"]
    fixed = sum(plan.days * _events_per_day(company, plan, 1.0) for plan in plans if plan not in free)
    factor = max(company.events_wanted - fixed, 0) / max(sum(plan.days * plan.rate for plan in free), 1.0)
    for number, plan in enumerate(plans):
        rate = _events_per_day(company, plan, factor)
        company.streams[plan.customer.customer_id, plan.meter.meter_id] = _stream(company, number, plan, rate, rng)


def _plans(company: Company, customer: Customer, rng: np.random.Generator) -> list[_Plan]:
    by_meter: dict[str, list[Item]] = {}
    for item in company.customer_items(customer.customer_id):
        meter = company.price_of(item).meter_id
        if meter is not None:
            by_meter.setdefault(meter, []).append(item)
    return [_plan(company, customer, meter, items, rng) for meter, items in by_meter.items()]


def _plan(company: Company, customer: Customer, meter: str, items: list[Item], rng: np.random.Generator) -> _Plan:
    ends = [item.active_to or company.subscription_of(item).ended_at or company.as_of for item in items]
    return _Plan(
        customer,
        _METERS[meter],
        DAILY[items[0].price_id],
        min(item.active_from for item in items),
        min(max(ends), company.as_of),
        company.subscription_of(items[0]).timezone,
        float(rng.choice(_RATES)),
    )


def _events_per_day(company: Company, plan: _Plan, factor: float) -> float:
    if plan.meter.aggregation == "count":
        return plan.daily * company.habits[plan.customer.customer_id].size
    return plan.rate if plan.meter.aggregation in _FIXED_RATE else max(plan.rate * factor, 2.0)


def _stream(company: Company, number: int, plan: _Plan, rate: float, rng: np.random.Generator) -> Stream:
    habits = company.habits[plan.customer.customer_id]
    region = {"America": "us", "Europe": "eu"}.get(plan.timezone.split("/")[0], "ap")
    stream = Stream(
        number,
        plan.customer.customer_id,
        plan.meter.meter_id,
        plan.meter.event_type,
        plan.meter.aggregation,
        f"{_PRODUCTS[plan.meter.meter_id]}/{region}",
        company.seed,
        _no_events(),
    )
    days, levels = _levels(plan, habits, rng)
    times, values, properties = _raw(plan, habits, days, levels, rate, rng)
    keep = (times >= to_micros(plan.start)) & (times < to_micros(plan.end)) & _in_use(habits, times)
    times, values, properties = times[keep], values[keep], properties[keep]
    stream.add(_received(stream, times, values, properties, habits, _subject_numbers(company, plan, times, rng), rng))
    _refused_deliveries(stream, rng)
    if plan.meter.aggregation == "sum":
        _corrections(stream, rng)
    known = (stream.events.received <= to_micros(company.as_of)) & (stream.events.times < to_micros(plan.end))
    stream.events = stream.events.where(known)
    return stream


def _no_events() -> Events:
    none = np.empty(0, dtype=np.int64)
    return Events(none, none, none, none, none, none, none)


def _levels(plan: _Plan, habits: Habits, rng: np.random.Generator) -> tuple[Integers, Floats]:
    """The days (UTC, since 1970) of the stream and the quantity of each, in units."""
    first, last = to_micros(plan.start) // _DAY, to_micros(plan.end) // _DAY
    days = np.arange(first, last + 1, dtype=np.int64)
    dates = days.astype("datetime64[D]")
    levels = plan.daily * habits.size * habits.growth ** ((days - first) / 30.0)
    levels = levels * np.where(np.isin((days + 3) % 7, habits.week_ends_on), habits.weekend, 1.0)
    turns = (dates + 2).astype("datetime64[M]") != dates.astype("datetime64[M]")
    levels = levels * np.where(turns, habits.month_end, 1.0)
    levels = levels * np.where(_holidays(dates, plan.customer.country), 0.45, 1.0)
    return days, levels * np.exp(rng.normal(0.0, habits.noise, len(days)))


def _holidays(dates: npt.NDArray[np.datetime64], country: str) -> npt.NDArray[np.bool_]:
    free = _HOLIDAYS | _OWN_HOLIDAYS.get(country, set())
    months = dates.astype("datetime64[M]")
    month = months.astype(np.int64) % 12 + 1
    day = (dates - months.astype("datetime64[D]")).astype(np.int64) + 1
    return np.isin(month * 100 + day, [m * 100 + d for m, d in free])


def _raw(
    plan: _Plan, habits: Habits, days: Integers, levels: Floats, rate: float, rng: np.random.Generator
) -> tuple[Integers, Integers, Integers]:
    """Times, values in thousandths and properties of all events, unsorted."""
    if plan.meter.aggregation == "count":
        counts = np.maximum(np.rint(levels), 1).astype(np.int64)
    else:
        counts = np.maximum(rng.poisson(rate, len(days)), 1).astype(np.int64)
    of_day = np.repeat(np.arange(len(days)), counts)
    times = days[of_day] * _DAY + _times_of_day(plan, habits, len(of_day), rng)
    properties = rng.integers(2, 2 + _ROUTES, len(of_day))
    match plan.meter.aggregation:
        case "sum":
            places = 1000 if plan.meter.unit == "MB-hour" else 1
            totals = np.maximum(np.rint(levels * places), 1).astype(np.int64)
            return times, _split(totals, counts, of_day, rng) * (1000 // places), properties
        case "unique_count":
            pool = int(np.clip(2.4 * plan.daily * habits.size, 5, USERS))
            users = rng.integers(0, pool, len(of_day))
            return times, (users + 1) * 1000, FIRST_USER + users
        case "max":
            peaks = np.maximum(np.rint(levels[of_day] * rng.uniform(0.75, 1.0, len(of_day))), 1)
            return times, peaks.astype(np.int64) * 1000, properties
        case _:
            plain = np.full(len(of_day), _PLAIN) if habits.coarse else properties
            return times, np.full(len(of_day), 1000), plain


def _times_of_day(plan: _Plan, habits: Habits, count: int, rng: np.random.Generator) -> Integers:
    """Microseconds since midnight UTC, more of them in the customer's working hours."""
    offset = plan.start.astimezone(timezone_named(plan.timezone)).utcoffset()
    shift = int(offset.total_seconds() // 3600) if offset else 0
    hours = (np.searchsorted(_HOURS_UP_TO, rng.random(count)) - shift) % 24
    within = np.zeros(count, dtype=np.int64) if habits.coarse else rng.integers(0, _HOUR, count)
    return np.minimum(hours, 23).astype(np.int64) * _HOUR + within


def _split(totals: Integers, counts: Integers, of_day: Integers, rng: np.random.Generator) -> Integers:
    """Each day's total cut into its events, by random weights; the parts add up to it exactly."""
    weights = np.cumsum(rng.gamma(2.0, 1.0, len(of_day)))
    last = np.cumsum(counts) - 1
    before = np.concatenate([[0.0], weights[last[:-1]]])
    share = (weights - before[of_day]) / (weights[last] - before)[of_day]
    edges = np.floor(share * totals[of_day]).astype(np.int64)
    edges[last] = totals
    parts: Integers = np.diff(edges, prepend=0)
    parts[last[:-1] + 1] = edges[last[:-1] + 1]
    return parts


def _in_use(habits: Habits, times: Integers) -> npt.NDArray[np.bool_]:
    if habits.active is None:
        return np.ones(len(times), dtype=bool)
    used = np.zeros(len(times), dtype=bool)
    for start, end in habits.active:
        used |= (times >= to_micros(start)) & (times < to_micros(end))
    return used


def _subject_numbers(company: Company, plan: _Plan, times: Integers, rng: np.random.Generator) -> Integers:
    """Which of the company's subjects each event names: one that was the customer's at its time."""
    numbers = np.zeros(len(times), dtype=np.int64)
    second = rng.random(len(times)) < 0.2
    for number in company.subjects_of(plan.customer.customer_id):
        subject = company.subjects[number]
        until = to_micros(subject.valid_to) if subject.valid_to else np.iinfo(np.int64).max
        valid = (times >= to_micros(subject.valid_from)) & (times < until)
        numbers[valid & (second | (not subject.subject.endswith("/batch")))] = number
    return numbers


def _received(
    stream: Stream,
    times: Integers,
    values: Integers,
    properties: Integers,
    habits: Habits,
    subjects: Integers,
    rng: np.random.Generator,
) -> Events:
    """The events as accepted: most are received within a minute, a few up to 100 minutes late. No event of nothing."""
    count = len(times)
    lags = 200_000 + (rng.exponential(20.0, count) * 1_000_000).astype(np.int64)
    late = rng.random(count) < 0.004
    lags = np.where(late, rng.integers(10 * _MINUTE, 100 * _MINUTE, count), np.minimum(lags, 5 * _MINUTE))
    keys = stream.new_keys(count)
    accepted = np.full(count, ACCEPTED)
    return Events(times, values, times + lags, accepted, keys, properties, subjects).where(values > 0)


def _refused_deliveries(stream: Stream, rng: np.random.Generator) -> None:
    """Some events came twice: once unreadable or refused, once accepted. Only the accepted one counts."""
    for status, share in ((INVALID, 0.0004), (REJECTED, 0.0002)):
        chosen = np.flatnonzero(rng.random(len(stream.events)) < share)
        copies = stream.events.where(chosen)
        shift = -150_000 if status == INVALID else 4_000_000
        stream.add(
            Events(
                copies.times,
                copies.values,
                np.maximum(copies.received + shift, copies.times),
                np.full(len(chosen), status),
                stream.new_keys(len(chosen)),
                copies.properties,
                copies.subjects,
            )
        )


def _corrections(stream: Stream, rng: np.random.Generator) -> None:
    """A few events take part of an earlier one back, marked as corrections."""
    accepted = np.flatnonzero((stream.events.status == ACCEPTED) & (stream.events.values > 4000))
    chosen = accepted[rng.random(len(accepted)) < 0.0003]
    wrong = stream.events.where(chosen)
    delay = rng.integers(_HOUR, 3 * _HOUR, len(chosen))
    stream.add(
        Events(
            wrong.times + delay,
            -(wrong.values // 4000) * 1000,
            wrong.times + delay + 30_000_000,
            np.full(len(chosen), ACCEPTED),
            stream.new_keys(len(chosen)),
            np.full(len(chosen), CORRECTION),
            wrong.subjects,
        )
    )
