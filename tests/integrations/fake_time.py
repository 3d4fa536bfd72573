"""Time that passes only where somebody sleeps, so that tests of waiting wait for nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

from integrations.http_limits import Pace


@dataclass
class FakeTime:
    """A clock that only moves when someone sleeps on it."""

    seconds: float = 100.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds

    @property
    def pace(self) -> Pace:
        return Pace(now=lambda: self.seconds, sleep=self.sleep, chance=lambda: 0.5)
