"""The table of what was said with a language model about a signal: what was sent, what came back, what was kept of it.

What is sent stands here as it left, with personal data masked. Rows are never removed with less than their signal.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer
from sqlalchemy.orm import Mapped, mapped_column

from store.operational_tables import Id, Table
from store.operational_types import Exact


class Exchange(Table):
    """One answer of a model: to "what happened and what first" (`advice`), or to a person's question."""

    __tablename__ = "advisor_exchanges"
    __table_args__ = (
        Index("ix_advisor_exchanges_signal", "signal_id", "id"),
        Index("ix_advisor_exchanges_asked", "asked_at"),
        Index("ix_advisor_exchanges_digest", "digest", "id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    signal_id: Mapped[int] = mapped_column(Id, ForeignKey("signals.id", ondelete="CASCADE"))
    kind: Mapped[str]  # advice | question
    question: Mapped[str | None]  # as the person wrote it
    asked_by: Mapped[str]
    asked_at: Mapped[datetime]
    status: Mapped[str]  # waiting | answering | answered | failed
    reason: Mapped[str | None]  # why it failed, so that the advice without a model stands alone
    prompt: Mapped[str]  # the file in remediation/advisor/prompts
    model: Mapped[str | None]
    digest: Mapped[str | None]  # of model, prompt and everything sent; equal means the same question
    cached_from: Mapped[int | None] = mapped_column(Id)  # the exchange whose answer this repeats
    sent: Mapped[list[str] | None]  # the messages, each as JSON text, masked
    replies: Mapped[list[str] | None]  # what came back, round by round, as it came
    answer: Mapped[dict[str, Any] | None]  # see remediation.advisor.answers
    tokens_in: Mapped[int | None] = mapped_column(Integer)
    tokens_out: Mapped[int | None] = mapped_column(Integer)
    currency: Mapped[str | None]
    cost: Mapped[Decimal | None] = mapped_column(Exact)  # while it is answering: the most that it can cost
    milliseconds: Mapped[int | None] = mapped_column(Integer)
