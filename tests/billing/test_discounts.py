"""Discounts come off in one order, each on what the one before left, and never more than there is."""

from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from billing.discounts import Discount, DiscountedLine, Scope, deductions, in_order, over_invoice
from billing.money import round_money
from billing.prices import Price
from billing.rating import rate

JANUARY, JULY = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)


def percent(value: str, scope: Scope = Scope.CUSTOMER, name: str = "p") -> Discount:
    return Discount(name, "percent", Decimal(value), scope, JANUARY)


def fixed(value: str, scope: Scope = Scope.CUSTOMER, name: str = "f", currency: str = "USD") -> Discount:
    return Discount(name, "amount", Decimal(value), scope, JANUARY, currency=currency)


def off(amount: str, *discounts: Discount, currency: str = "USD") -> list[Decimal]:
    return [taken.amount for taken in deductions(Decimal(amount), currency, discounts)]


def test_percentages_come_before_fixed_amounts_and_the_item_before_the_customer() -> None:
    given_on = [fixed("5", Scope.ITEM), percent("10"), percent("20", Scope.ITEM, "i"), fixed("5", name="g")]
    assert [discount.discount_id for discount in in_order(given_on)] == ["i", "p", "f", "g"]


def test_each_percentage_is_rounded_and_taken_off_the_remainder() -> None:
    assert off("33.33", percent("10", Scope.ITEM), percent("50")) == [Decimal("3.33"), Decimal("15.00")]


def test_a_percentage_is_rounded_to_the_currency() -> None:
    assert off("333", percent("10"), currency="JPY") == [33]


def test_nothing_is_taken_below_zero() -> None:
    assert off("8", fixed("5", Scope.ITEM), fixed("5")) == [5, 3]
    assert off("8", percent("150")) == [8]


def test_credits_are_not_discounted() -> None:
    assert off("-8", percent("10"), fixed("5")) == []


def test_an_amount_in_another_currency_does_not_apply() -> None:
    assert off("8", fixed("5", currency="EUR")) == []


def test_a_discount_counts_from_its_start_to_before_its_end() -> None:
    discount = Discount("d", "percent", Decimal(10), Scope.ITEM, JANUARY, JULY)
    assert discount.counts_at(JANUARY) and not discount.counts_at(JULY)
    assert percent("10").counts_at(JULY) and not percent("10").counts_at(datetime(2025, 12, 31, tzinfo=UTC))


def test_a_fixed_amount_is_spent_once_over_the_lines_of_an_invoice() -> None:
    both = (percent("10", Scope.ITEM), fixed("30"))
    lines = [DiscountedLine(name, Decimal(amount), both) for name, amount in [("a", "20"), ("b", "10"), ("c", "10")]]
    taken = over_invoice(lines, "USD")
    assert {name: [d.amount for d in off] for name, off in taken.items()} == {"a": [2, 18], "b": [1, 9], "c": [1, 3]}


def test_the_rated_line_shows_each_discount() -> None:
    price = Price("per_unit", "USD", unit_amount=Decimal(1))
    rating = rate(price, Decimal(100), discounts=[percent("10", Scope.SUBSCRIPTION), fixed("7.5")])
    assert (rating.amount, rating.discount, rating.net) == (100, Decimal("17.5"), Decimal("82.5"))
    assert [step.text for step in rating.steps if step.name == "discount"] == [
        "100 less 10 by p (10 % on the subscription) = 90",
        "90 less 7.5 by f (7.5 on the customer) = 82.5",
    ]


def test_a_minimum_is_not_discounted() -> None:
    price = Price("per_unit", "USD", unit_amount=Decimal(1), minimum_amount=Decimal(100))
    rating = rate(price, Decimal(40), discounts=[percent("50")], closes_period=True)
    assert (rating.net, rating.commitment) == (20, 60)


amounts = st.decimals(0, 10_000, places=2, allow_nan=False)
given_discounts = st.lists(
    st.builds(
        Discount,
        st.text("abcdef", min_size=1, max_size=3),
        st.sampled_from(["percent", "amount"]),
        st.decimals(0, 120, places=4, allow_nan=False).map(lambda value: round_money(value, "USD")),
        st.sampled_from(Scope),
        st.just(JANUARY),
        currency=st.just("USD"),
    ),
    max_size=4,
    unique_by=lambda discount: discount.discount_id,
)


@given(lines=st.lists(amounts, max_size=5), discounts=given_discounts)
def test_an_invoice_is_never_discounted_below_zero_nor_an_amount_spent_twice(
    lines: list[Decimal], discounts: list[Discount]
) -> None:
    invoice = [DiscountedLine(str(n), amount, tuple(discounts)) for n, amount in enumerate(lines)]
    taken = over_invoice(invoice, "USD")
    assert all(0 <= sum(d.amount for d in taken[line.line_id]) <= line.amount for line in invoice)
    for discount in discounts:
        if discount.kind == "amount":
            assert sum(d.amount for off in taken.values() for d in off if d.discount == discount) <= discount.value
