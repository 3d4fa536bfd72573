"""What can go wrong on the way, on demand."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from fnmatch import fnmatchcase

KINDS = ("401", "429", "500", "503", "409", "html502", "html200", "cut", "truncated", "slow", "403", "lost", "doubled")


@dataclass
class Fault:
    """The next `times` requests to paths like `path`, after `skip` of them, fail in this way.

    `lost`: done, and the reply does not arrive. `doubled`: arrives twice. Everything else but `slow`: not done.
    """

    kind: str
    path: str = "/v1/*"
    times: int = 1
    skip: int = 0
    retry_after: str | None = None
    seconds: float = 0.0
    method: str = "*"


class Faults:
    """The faults that are due. Safe for several threads."""

    def __init__(self) -> None:
        self._due: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Raises ValueError for a kind that does not exist."""
        if fault.kind not in KINDS:
            raise ValueError(f"{fault.kind} is none of {', '.join(KINDS)}")
        with self._lock:
            self._due.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._due.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that this request meets, if any."""
        with self._lock:
            for fault in self._due:
                if fault.times > 0 and fnmatchcase(path, fault.path) and fault.method in ("*", method):
                    if fault.skip > 0:
                        fault.skip -= 1
                        continue
                    fault.times -= 1
                    return fault
        return None
