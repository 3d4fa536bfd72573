"""The three-way match: the four numbers, where they part, and what that says about the cause."""

import pytest

from detector.rule_format import Page
from web.match import Joint, match, numbers

AGREE = {"metered": "1000", "recorded": "1000", "billed_quantity": "1000", "billed": "50.00", "expected": "50.00"}


def joints(category: str = "pricing", **changes: str | None) -> tuple[list[str], str]:
    found = match(numbers({**AGREE, **changes}, "USD", "calls"), category)
    return [str(link.joint) for link in found.links], found.meaning


@pytest.mark.parametrize(
    ("changes", "expected", "meaning"),
    [
        ({}, ["equal", "equal", "equal"], "All four agree here"),
        ({"billed": "80.00"}, ["equal", "equal", "parted"], "only the amount differs"),
        ({"recorded": "900", "billed_quantity": "900"}, ["parted", "equal", "equal"], "that integration failed"),
        ({"billed_quantity": "900"}, ["equal", "parted", "equal"], "made from another quantity"),
        ({"recorded": None, "billed": "80.00"}, ["unknown", "equal", "parted"], "only the amount differs"),
        ({"billed_quantity": None, "billed": None}, ["equal", "unknown", "parted"], "no line bills it"),
        ({"billed_quantity": None, "billed": "0.00"}, ["equal", "unknown", "parted"], "no line bills it"),
    ],
)
def test_where_they_part_says_what_kind_of_fault_it_is(
    changes: dict[str, str | None], expected: list[str], meaning: str
) -> None:
    found, said = joints("pricing", **changes)
    assert found == expected
    assert meaning in said


def test_events_that_contradict_themselves_are_a_matter_of_data_quality() -> None:
    assert "what is doubtful is the usage itself" in joints("data_quality", billed="80.00")[1]


def test_differences_within_tolerance_are_none() -> None:
    assert joints(recorded="1001", billed="50.01")[0] == ["equal", "equal", "equal"]
    assert joints(recorded="1002")[0][0] == "parted"
    assert joints(billed="50.02")[0][2] == "parted"


def test_what_is_within_tolerance_is_not_called_the_same() -> None:
    found = match(numbers({**AGREE, "recorded": "1001", "billed_quantity": "1001"}, "USD", "calls"), "pricing")
    assert [link.text for link in found.links] == ["about the same", "same", "same"]


def test_a_difference_says_how_much_and_which_way() -> None:
    found = match(numbers({**AGREE, "billed": "80.00", "recorded": "900"}, "USD", "calls"), "pricing")
    assert found.links[0].text.striptags() == "100 too little"  # type: ignore[attr-defined]
    assert found.links[2].text.striptags() == "30.00 USD too much"  # type: ignore[attr-defined]


def test_without_usage_only_billed_and_expected_are_compared() -> None:
    found = match(numbers({"billed": "80.00", "expected": "50.00"}, "USD"), "data_quality")
    assert [cell.name for cell in found.cells] == ["Billed", "Expected"]
    assert [link.joint for link in found.links] == [Joint.PARTED]
    assert "usage plays no part" in found.meaning


def test_a_rule_names_the_numbers_and_says_what_they_mean_where_it_knows_better() -> None:
    page = Page(billed="Paid", expected="To be paid", meaning="The payment is missing.")
    found = match(numbers({"billed": "0", "expected": "50.00"}, "USD"), "collection", page)
    assert [cell.name for cell in found.cells] == ["Paid", "To be paid"]
    assert found.meaning == "The payment is missing."


def test_evidence_that_is_no_number_is_left_out() -> None:
    assert not numbers({"metered": "many", "billed": None}, "USD").any
