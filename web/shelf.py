"""What was worked out lately from the books, so that looking at it again costs nothing."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

SIZE = 500


class Shelf:
    """Things by key; the one not asked for longest makes room. Keys name the snapshot, so nothing is ever stale."""

    def __init__(self, size: int = SIZE) -> None:
        self._held: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()
        self._size = size

    def get(self, key: Hashable) -> Any:
        """What is held under the key, or None."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
            return self._held.get(key)

    def put(self, key: Hashable, thing: object) -> None:
        """Hold a thing under the key."""
        with self._lock:
            self._held[key] = thing
            if len(self._held) > self._size:
                self._held.popitem(last=False)
