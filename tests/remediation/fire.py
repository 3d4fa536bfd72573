"""Actions under fire: a process that applies them is killed at random moments, with replies lost, delayed and doubled.

The process is forked, so that hundreds of kills cost seconds; it opens a store and a connection of its own.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from integrations.http import SourceError
from integrations.writing import Writes
from remediation import execute, life
from remediation.life import Refused
from remediation.plans import Plan
from store import operational
from store.action_tables import Action
from tests.peers.stripe.process import Peer
from tests.remediation import small

FAULTS = ("", "", "lost", "doubled", "slow", "cut", "503")
LONGEST = 0.3
"""Seconds after which the first process is killed at the latest; one that is left alone needs about half as long."""


@dataclass
class Fire:
    """A store of actions, a peer with their invoices, and the dice."""

    folder: Path
    peer: Peer
    chance: random.Random
    approved: list[int] = field(default_factory=list)
    others: list[int] = field(default_factory=list)  # proposed, rejected or waived
    landed: int = 0
    longest: float = LONGEST  # sinks while processes finish before their kill, so that kills land on any machine
    caught: dict[str, int] = field(default_factory=dict)  # where the kills landed: the last row of the journal
    faults: tuple[str, ...] = FAULTS

    @property
    def url(self) -> str:
        return f"sqlite:///{self.folder}/operational.sqlite"

    def lay(self, count: int) -> None:
        """That many approved actions of several kinds, and a third as many that nobody approved."""
        engine = operational.open(self.url)
        operational.migrate(engine)
        for number in range(count + count // 3):
            plan = self.plan(number)
            state = "approved" if number < count else ("proposed", "rejected", "waived")[number % 3]
            id = small.action(engine, small.signal(engine, f"fire {number}"), plan, state)
            (self.approved if number < count else self.others).append(id)
        engine.dispose()

    @property
    def looked(self) -> bool:
        """Whether a person has looked at what is parked, and says that it was not done."""
        return False

    def plan(self, number: int) -> Plan:
        """What the action of a number is to do, which the peer is made ready for."""
        kinds: tuple[tuple[Callable[[str], Plan], str], ...] = (
            (small.hold, "draft"), (small.adjust, "draft"), (small.credit, "open"), (small.charge, "paid"),
            (small.edit, "draft"),
        )  # fmt: skip
        planned, status = kinds[number % len(kinds)]
        self.peer.load(small.invoices([f"in_{number}"], status), announce=False)
        return planned(f"in_{number}")

    def writes(self) -> dict[str, Writes]:
        """The writing side, opened anew."""
        return {"stripe": small.stripe_writes(self.peer.url)}

    def done(self) -> list[int]:
        """The action of each write that was done, as the peer has it."""
        return [int(str(each["key"]).split("-")[1]) for each in self.peer.done()]

    def burn(self, kills: int) -> None:
        """Apply whatever is left in processes that are killed, until so many kills have landed; then in peace."""
        for _ in range(kills * 4):
            if self.landed >= kills or not self.left():
                break
            self.peer.control("calm")
            if fault := self.chance.choice(self.faults):
                self.peer.fault(fault, method=self.chance.choice(("POST", "POST", "GET")), seconds=0.05)
            self._kill(self.chance.choice(self.left()))
        self.peer.control("calm")
        for id in (*self.left(), *self.others):
            self._apply(id)

    def left(self) -> list[int]:
        """The approved actions that are not done."""
        return [id for id, status in self.statuses().items() if id in self.approved and status != "succeeded"]

    def statuses(self) -> dict[int, str]:
        """How every action stands."""
        engine = operational.open(self.url)
        with operational.reading(engine) as session:
            found = {each.id: each.status for each in life.of_signal(session)}
        engine.dispose()
        return found

    def _kill(self, id: int) -> None:
        ready, tell = os.pipe()
        child = os.fork()
        if child == 0:
            with suppress(BaseException):
                self._apply(id, lambda: os.write(tell, b"1"))
            os._exit(0)
        os.close(tell)
        os.read(ready, 1)
        os.close(ready)
        time.sleep(self.chance.uniform(0, self.longest))
        os.kill(child, signal.SIGKILL)
        _, ended = os.waitpid(child, 0)
        if not os.WIFSIGNALED(ended):
            self.longest /= 2
        else:
            self.longest = min(LONGEST, self.longest * 1.5)
            self.landed += 1
            place = self._place(id)
            self.caught[place] = self.caught.get(place, 0) + 1

    def _place(self, id: int) -> str:
        """The last thing that an action's journal says, if anything."""
        engine = operational.open(self.url)
        with operational.reading(engine) as session:
            entries = life.journal(session, id)
            last = entries[-1].kind if entries else "before the claim"
        engine.dispose()
        return last

    def check(self) -> dict[str, int]:
        """Nothing done twice, nothing forgotten, nothing done that nobody approved; how much there was of each."""
        statuses = self.statuses()
        assert {statuses[id] for id in self.approved} == {"succeeded"}
        done = Counter(self.done())
        twice = [id for id, times in done.items() if times > 1]
        forgotten = [id for id in self.approved if id not in done]
        unapproved = [id for id in done if id not in self.approved]
        assert (twice, forgotten, unapproved) == ([], [], [])
        return {"kills": self.landed, "actions": len(self.approved), "done": sum(done.values())}

    def _apply(self, id: int, begin: Callable[[], object] = lambda: None) -> None:
        """Apply it as often as it takes; `begin` is called when everything is open."""
        engine = operational.open(self.url)
        try:
            remedy = small.remedy(engine, self.writes())
            begin()
            for _ in range(3):
                with operational.reading(engine) as session:
                    status = session.get_one(Action, id).status
                    if status == "succeeded":
                        return
                with suppress(Refused, SourceError):
                    execute.apply(remedy, id, actor="fire", again=status == "parked" and self.looked)
        finally:
            engine.dispose()
