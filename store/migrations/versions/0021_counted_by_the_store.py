"""What pages counted signal by signal is counted with every write, and stands on the signal itself.

Groups of signals that are alike, with their money; how long a signal was wrong before it was found and lay there before
a person did something; and what the invoices that it names are. The invoices that findings name are rows as well.
"""

from __future__ import annotations

from alembic.op import (
    add_column,
    create_index,
    create_table,
    drop_column,
    drop_index,
    drop_table,
    execute,
    get_bind,
)
from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, Integer, PrimaryKeyConstraint, Text

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

OVERVIEW = ("status", "severity", "category", "integration", "rule", "assignee", "money_in", "snoozed_until",
            "finalizes_at", "under", "over", "exposure", "is_open", "merged_into", "rank_amount",
            "bill_run_id")  # fmt: skip
ALIKE = ("status", "severity", "category", "integration", "rule", "code", "assignee", "money_in", "snoozed_until",
         "finalizes_at", "bill_run_id")  # fmt: skip
SUMS = ("under", "over", "exposure", "rank_amount")

TABLE = """
CREATE TABLE signal_groups (
    alike TEXT NOT NULL PRIMARY KEY,
    status TEXT NOT NULL, severity TEXT NOT NULL, category TEXT NOT NULL, integration TEXT NOT NULL,
    rule TEXT NOT NULL, code TEXT NOT NULL, assignee TEXT, money_in TEXT, snoozed_until DATETIME, finalizes_at DATETIME,
    bill_run_id TEXT, is_merged BOOLEAN NOT NULL, signals INTEGER NOT NULL,
    "under" BIGINT NOT NULL, "over" BIGINT NOT NULL, exposure BIGINT NOT NULL, rank_amount BIGINT NOT NULL
) WITHOUT ROWID
"""

FOUND = ("first_seen", "status", "status_reason", "finalizes_at", "invoice_state", "resolved_at", "money_in",
         "under", "over", "exposure", "found_after", "acted_after")  # fmt: skip
NAMED = ("records", "gone_since", "currency", "under", "over", "exposure")
MONEY = ("under", "over", "exposure")


def upgrade() -> None:
    """Count what there is, and from now on whatever is written."""
    for name, kind in (("invoice_state", Text()), ("found_after", Integer()), ("acted_after", Integer())):
        add_column("signals", Column(name, kind))
    _fill()
    drop_index("ix_signals_overview", "signals")
    create_index("ix_signals_found", "signals", [*FOUND])
    drop_index("ix_signals_closed", "signals")
    create_index("ix_signals_closed", "signals", ["is_open", "status_at", "assignee", "severity", "first_seen"])
    _name_invoices()
    if not _is_sqlite():
        execute(
            f"CREATE VIEW signal_groups AS SELECT {_alike()}, {_sums()} FROM signals GROUP BY {_alike(named=False)}"
        )
        return
    execute(TABLE)
    execute(f"INSERT INTO signal_groups SELECT {_key()}, {_alike()}, {_sums()} FROM signals GROUP BY 1")
    execute(f"CREATE TRIGGER signals_counted AFTER INSERT ON signals BEGIN {_add('NEW')} END")
    execute(f"CREATE TRIGGER signals_uncounted AFTER DELETE ON signals BEGIN {_take('OLD')} END")
    execute(
        f"CREATE TRIGGER signals_recounted AFTER UPDATE OF {_quoted((*ALIKE, 'merged_into', *SUMS))} ON signals"
        f" BEGIN {_take('OLD')} {_add('NEW')} END"
    )


def downgrade() -> None:
    """Pages count by themselves again."""
    if not _is_sqlite():
        execute("DROP VIEW signal_groups")
    else:
        for name in ("signals_counted", "signals_uncounted", "signals_recounted"):
            execute(f"DROP TRIGGER {name}")
        execute("DROP TABLE signal_groups")
    _forget_invoices()
    drop_index("ix_signals_closed", "signals")
    create_index("ix_signals_closed", "signals", ["is_open", "status_at"])
    drop_index("ix_signals_found", "signals")
    create_index("ix_signals_overview", "signals", [*OVERVIEW])
    for name in ("invoice_state", "found_after", "acted_after"):
        drop_column("signals", name)


def _fill() -> None:
    """The new columns of the signals that there are."""
    execute(
        "UPDATE signals SET invoice_state = (SELECT CASE max(CASE status WHEN 'draft' THEN 1 ELSE 0 END)"
        " WHEN 1 THEN 'draft' WHEN 0 THEN 'issued' END FROM signal_entities AS e"
        " WHERE e.signal_id = signals.id AND e.type = 'invoice' AND e.role <> 'evidence'),"
        f" found_after = (SELECT {_seconds('min(period_end)', 'signals.first_seen')}"
        " FROM findings AS f WHERE f.signal_id = signals.id),"
        f" acted_after = (SELECT {_seconds('signals.first_seen', 'min(at)')}"
        " FROM signal_events AS t WHERE t.signal_id = signals.id AND t.kind <> 'found'"
        " AND t.actor NOT LIKE 'rule:%')"
    )


def _name_invoices() -> None:
    """The invoices that current findings of open signals name, and triggers that keep them."""
    key = BigInteger().with_variant(Integer, "sqlite")
    create_table(
        "finding_invoices",
        Column("invoice_id", Text(), nullable=False),
        *(Column(name, key, nullable=False) for name in ("finding_id", "signal_id")),
        Column("currency", Text(), nullable=False),
        *(Column(name, BigInteger(), nullable=False) for name in MONEY),
        PrimaryKeyConstraint("invoice_id", "finding_id"),
        ForeignKeyConstraint(["finding_id"], ["findings.id"], ondelete="CASCADE"),
        sqlite_with_rowid=False,
    )
    for name in ("finding", "signal"):
        create_index(f"ix_finding_invoices_{name}", "finding_invoices", [f"{name}_id"])
    execute(_named())
    events = (
        ("findings", "named", "INSERT", "", "finding_id", "f.id"),
        ("findings", "renamed", f"UPDATE OF {_quoted(NAMED)}", "", "finding_id", "f.id"),
        ("signals", "renamed", "UPDATE OF status", "WHEN (OLD.is_open <> NEW.is_open)", "signal_id", "f.signal_id"),
    )
    for table, name, event, when, kept_by, own in events:
        kept = f"DELETE FROM finding_invoices WHERE {kept_by} = NEW.id; {_named()} AND {own} = NEW.id;"
        if _is_sqlite():
            execute(f"CREATE TRIGGER {table}_{name} AFTER {event} ON {table} {when} BEGIN {kept} END")
            continue
        function = f"{table}_{name}()"
        execute(f"CREATE FUNCTION {function} RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {kept} RETURN NULL; END $$")
        each = f"FOR EACH ROW {when} EXECUTE FUNCTION {function}"
        execute(f"CREATE TRIGGER {table}_{name} AFTER {event} ON {table} {each}")


def _named() -> str:
    """Has every such invoice as a row; more conditions on the finding `f` may follow."""
    record = "r.value" if _is_sqlite() else "r.value #>> '{}'"
    records = "json_each(f.records)" if _is_sqlite() else "jsonb_array_elements(f.records)"
    kind = "json_type" if _is_sqlite() else "jsonb_typeof"
    return (
        f"INSERT INTO finding_invoices SELECT DISTINCT substr({record}, 9), f.id, f.signal_id, f.currency,"
        f" {_quoted(MONEY, 'f.')} FROM findings AS f, {records} AS r WHERE f.gone_since IS NULL"
        f" AND f.currency IS NOT NULL AND {kind}(f.records) = 'array' AND {record} LIKE 'invoice\\:%'"
        " AND EXISTS (SELECT 1 FROM signals AS s WHERE s.id = f.signal_id AND s.is_open)"
    )


def _forget_invoices() -> None:
    for table, name in (("findings", "named"), ("findings", "renamed"), ("signals", "renamed")):
        execute(f"DROP TRIGGER {table}_{name}{'' if _is_sqlite() else f' ON {table}'}")
        if not _is_sqlite():
            execute(f"DROP FUNCTION {table}_{name}()")
    drop_table("finding_invoices")


def _is_sqlite() -> bool:
    return bool(get_bind().dialect.name == "sqlite")


def _seconds(first: str, second: str) -> str:
    """Whole seconds from one instant to the other, never below zero; null where one of them is."""
    if _is_sqlite():
        return f"max(CAST(strftime('%s', {second}) AS INTEGER) - CAST(strftime('%s', {first}) AS INTEGER), 0)"
    span = f"floor(extract(epoch FROM {second} - {first}))"
    return f"CASE WHEN {span} < 0 THEN 0 ELSE {span} END"


def _quoted(columns: tuple[str, ...], row: str = "") -> str:
    return ", ".join(f'{row}"{column}"' for column in columns)


def _key(row: str = "") -> str:
    return f"json_array({_quoted(ALIKE, row)}, {row}merged_into IS NOT NULL)"


def _alike(*, named: bool = True) -> str:
    return f"{_quoted(ALIKE)}, merged_into IS NOT NULL{' AS is_merged' if named else ''}"


def _sums() -> str:
    return f"count(*) AS signals, {', '.join(f'sum({_quoted((column,))}) AS {_quoted((column,))}' for column in SUMS)}"


def _add(row: str) -> str:
    more = ", ".join(f"{_quoted((column,))} = {_quoted((column,))} + excluded.{_quoted((column,))}" for column in SUMS)
    return (
        f"INSERT INTO signal_groups VALUES ({_key(f'{row}.')}, {_quoted(ALIKE, f'{row}.')},"
        f" {row}.merged_into IS NOT NULL, 1, {_quoted(SUMS, f'{row}.')})"
        f" ON CONFLICT (alike) DO UPDATE SET signals = signals + 1, {more};"
    )


def _take(row: str) -> str:
    less = ", ".join(f"{_quoted((column,))} = {_quoted((column,))} - {row}.{_quoted((column,))}" for column in SUMS)
    return (
        f"UPDATE signal_groups SET signals = signals - 1, {less} WHERE alike = {_key(f'{row}.')};"
        f" DELETE FROM signal_groups WHERE alike = {_key(f'{row}.')} AND signals = 0;"
    )
