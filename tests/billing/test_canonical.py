"""JSON columns keep every digit."""

from decimal import Decimal

from billing.canonical import json_text


def test_decimals_are_numbers_with_all_their_digits_and_keys_are_in_order() -> None:
    told = json_text({"b": Decimal("0.10000000000000000000000001"), "a": [1, None, "é", {"x": Decimal("1E+3")}]})
    assert told == '{"a":[1,null,"é",{"x":1E+3}],"b":0.10000000000000000000000001}'
