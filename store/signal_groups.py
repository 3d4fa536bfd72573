"""How many signals are alike, and their money: counted by the database with every write, so that no page counts them.

SQLite keeps a table by triggers. PostgreSQL, where two writers would wait for each other at a row that both count in,
has a view of the same columns (migration 0021). A row with no signal left is not there.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Integer, MetaData, Table, Text

from store.operational_types import Instant, Money

SIGNAL_GROUPS = Table(
    "signal_groups",
    MetaData(),  # its own: it is no table on PostgreSQL, and made by its migration alone
    # what the signals of a row have in common, each as the signals have it
    Column("status", Text),
    Column("severity", Text),
    Column("category", Text),
    Column("integration", Text),
    Column("rule", Text),
    Column("code", Text),
    Column("assignee", Text),
    Column("money_in", Text),
    Column("snoozed_until", Instant),
    Column("finalizes_at", Instant),
    Column("bill_run_id", Text),
    Column("is_merged", Boolean),  # into another signal
    # how many they are, and what their money sums up to
    Column("signals", Integer),
    Column("under", Money),
    Column("over", Money),
    Column("exposure", Money),
    Column("rank_amount", Money),
)
