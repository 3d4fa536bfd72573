"""Tiers of blocks and of capacity, as Kill Bill has them (killbill, ContiguousInterval*UsageInArrear).

A consumable tier holds up to `max_blocks` blocks of `size` units each; a block begun counts in full. A capacity tier is
one flat amount for as long as every unit stays within its limits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from billing.prices import ZERO


@dataclass(frozen=True, slots=True)
class BlockTier:
    """`amount` for each block of `size` units, at most `max_blocks` of them; None: no limit."""

    size: Decimal
    amount: Decimal
    max_blocks: Decimal | None = None

    def blocks(self, units: Fraction) -> Fraction:
        """The blocks that hold the units, the last one begun counting in full."""
        return Fraction(-(-units // Fraction(self.size)))

    @property
    def capacity(self) -> Fraction | None:
        """The units that the whole tier holds; None without a limit."""
        return None if self.max_blocks is None else Fraction(self.size) * Fraction(self.max_blocks)


@dataclass(frozen=True, slots=True)
class CapacityTier:
    """`amount` while no unit passes its limit; a limit of None, or none named, is no limit."""

    amount: Decimal
    limits: Mapping[str, Decimal | None]

    def fits(self, quantities: Mapping[str, Decimal]) -> bool:
        """True when every quantity is within its limit, which belongs to the tier."""
        limits = {unit: self.limits.get(unit) for unit in quantities}
        return all(limit is None or quantities[unit] <= limit for unit, limit in limits.items())


def all_tiers(tiers: Sequence[BlockTier], units: Decimal) -> list[Fraction]:
    """The amount of each tier, filled one after the other. Units past the last tier's blocks are not charged."""
    left, amounts = Fraction(units), []
    for tier in tiers:
        wanted = tier.blocks(left)
        used = wanted if tier.max_blocks is None else min(wanted, Fraction(tier.max_blocks))
        amounts.append(used * Fraction(tier.amount))
        left = max(left - used * Fraction(tier.size), ZERO)
    return amounts


def top_tier(tiers: Sequence[BlockTier], units: Decimal) -> Fraction:
    """All units in blocks of the one tier that their number reaches; past the last tier, at the last tier."""
    reached = ZERO
    for tier in tiers:
        capacity = tier.capacity
        reached += capacity or ZERO
        if capacity is None or units <= reached or tier is tiers[-1]:
            return tier.blocks(Fraction(units)) * Fraction(tier.amount)
    return ZERO


def capacity_amount(tiers: Sequence[CapacityTier], quantities: Mapping[str, Decimal]) -> Decimal:
    """The amount of the lowest tier that all quantities fit in; past every limit, that of the last tier."""
    fitting = (tier.amount for tier in tiers if tier.fits(quantities))
    return next(fitting, tiers[-1].amount)
