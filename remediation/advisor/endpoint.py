"""Which model is asked, at what price, and within which limits: the `advisor` section of the configuration."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

MILLION = Decimal(1_000_000)

LETTERS_PER_TOKEN = 3
"""Letters that a token has at least, for an estimate that is never too low for text such as ours."""


@dataclass(frozen=True)
class Endpoint:
    """One model behind an OpenAI-compatible address. Prices are per million tokens in `currency`; None: it is free."""

    model: str
    key: str = field(repr=False)
    base_url: str | None = None
    input_price: Decimal | None = None
    output_price: Decimal | None = None
    currency: str = "USD"
    daily_budget: Decimal | None = None
    timeout: timedelta = timedelta(seconds=60)
    answer_tokens: int = 1500
    cache: timedelta = timedelta(days=1)
    attempts: int = 3
    json_schema: bool = True  # whether the address knows response_format json_schema

    def cost(self, tokens_in: int, tokens_out: int) -> Decimal:
        """What so many tokens cost."""
        free = Decimal(0)
        return (tokens_in * (self.input_price or free) + tokens_out * (self.output_price or free)) / MILLION

    def most(self, letters: int, rounds: int) -> Decimal:
        """What an exchange can cost at most, when so many letters are sent in each of so many rounds."""
        return self.cost(rounds * (letters // LETTERS_PER_TOKEN + 1), rounds * self.answer_tokens)
