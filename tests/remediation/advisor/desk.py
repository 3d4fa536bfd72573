"""One signal, one model that says what a test wants, and nothing that could write anywhere."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from integrations.http_limits import Pace
from remediation.advice import Advice, advise
from remediation.advisor import conversation, exchanges
from remediation.advisor.endpoint import Endpoint
from remediation.advisor.model import Model
from remediation.remedy import Remedy
from store import operational
from store.action_tables import Action
from store.advisor_tables import Exchange
from store.operational_tables import Signal
from tests.peers.openai import OpenAIPeer
from tests.web.company import NOW

KEY = "sk-peer-1234567890"


@dataclass
class Desk:
    """The signal of a wrong tier mode, and a model behind the peer."""

    remedy: Remedy
    peer: OpenAIPeer
    signal: int
    endpoint: Endpoint
    advice: Advice | None = None

    def advise(self, remedy: Remedy, signal: int) -> Advice | None:
        """The advice, as it was worked out the first time."""
        self.advice = self.advice or advise(remedy, signal)
        return self.advice

    def forget(self) -> None:
        """Work the advice out anew: something about the signal is another thing now."""
        self.advice = None

    def model(self, **more: Any) -> Model:
        """The model, with other settings where given; it never waits between two attempts."""
        return Model(replace(self.endpoint, **more), Pace(sleep=lambda seconds: None))

    def ask(self, question: str | None = None, **more: Any) -> Exchange:
        """One exchange to its end."""
        with operational.writing(self.remedy.setting.engine) as session:
            made = exchanges.ask(session, self.signal, question=question, actor="ann", now=NOW)
        return conversation.respond(self.remedy, self.model(**more), made.id)

    def actions(self) -> dict[str, tuple[str, str, str | None]]:
        """Every action of the signal: kind, status, who approved it."""
        with operational.reading(self.remedy.setting.engine) as session:
            found = session.scalars(select(Action).where(Action.signal_id == self.signal).order_by(Action.id))
            return {each.label: (each.kind, each.status, each.approved_by) for each in found}

    def row(self) -> Signal:
        """The signal as it is."""
        with operational.reading(self.remedy.setting.engine) as session:
            found = session.get_one(Signal, self.signal)
            session.expunge_all()
            return found


def endpoint(peer: OpenAIPeer) -> Endpoint:
    """The peer as a model, whose answers are never repeated."""
    return Endpoint(
        model="peer-1", key=KEY, base_url=peer.url, input_price=Decimal(2), output_price=Decimal(10),
        daily_budget=Decimal(1000), timeout=timedelta(seconds=5), cache=timedelta(0),
    )  # fmt: skip


def kept(exchange: Exchange) -> list[str]:
    """The texts that were kept."""
    return [each["text"] for each in (exchange.answer or {})["explanation"]]


def dropped(exchange: Exchange) -> dict[str, str]:
    """Why each text was dropped."""
    return {each["text"]: each["why"] for each in (exchange.answer or {})["dropped"]}
