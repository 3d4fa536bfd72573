"""JSON as one text: the same value always has the same one."""

from __future__ import annotations

import json
from decimal import Decimal

_ENCODED = json.JSONEncoder(separators=(",", ":"), sort_keys=True, ensure_ascii=False, allow_nan=False).encode


def json_text(value: object) -> str:
    """JSON with its keys in order and every Decimal as the number that it is, digit by digit.

    Raises TypeError, ValueError for what JSON cannot say.
    """
    try:  # without a Decimal in it the standard library does it in one go
        return _ENCODED(value)
    except TypeError:
        return _with_decimals(value)


def _with_decimals(value: object) -> str:
    if isinstance(value, dict):
        return (
            "{"
            + ",".join(f"{json.dumps(k, ensure_ascii=False)}:{_with_decimals(value[k])}" for k in sorted(value))
            + "}"
        )
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_with_decimals, value)) + "]"
    if isinstance(value, Decimal) and value.is_finite():
        return str(value)
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
