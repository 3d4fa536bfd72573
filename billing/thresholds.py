"""Thresholds: usage invoiced before the period ends, each time that its amount reaches a threshold.

Lago's progressive billing (lago-api, spec/scenarios/invoices/progressive_billing_spec.rb).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal


def due_at_threshold(thresholds: Sequence[Decimal], usage: Decimal, invoiced: Decimal) -> Decimal:
    """What is invoiced at once: the usage amount so far less what was invoiced, 0 where no new threshold is reached.

    A threshold is new while it lies above what the period's earlier invoices came to.
    """
    reached = any(invoiced < threshold <= usage for threshold in thresholds)
    return usage - invoiced if reached else Decimal(0)
