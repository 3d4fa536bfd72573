"""Numbers in addresses: those that a store can have, so that none is looked up that no column holds."""

from __future__ import annotations

from typing import Any

from werkzeug.routing import IntegerConverter, Map

LARGEST = 2**63 - 1


class Number(IntegerConverter):
    """A whole number from 0 to LARGEST; what is larger leads nowhere."""

    def __init__(self, map: Map, *args: Any, **more: Any) -> None:
        super().__init__(map, *args, **{"max": LARGEST, **more})
