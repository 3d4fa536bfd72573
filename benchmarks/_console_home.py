"""A home as large as the console's budgets speak of: signals by the hundred thousand over a million usage rows.

The books are those of `_rules_books`, some of their invoices drafts of a bill run. The signals are written as runs
leave them, each with its finding, money, records and timeline; they name records of those books. Made once per size.
"""

from __future__ import annotations

import random
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, insert

from benchmarks import _rules_books
from store import audit, operational
from store.operational_tables import (
    Job,
    Load,
    Run,
    Signal,
    SignalEntity,
    SignalEvent,
    SignalImpact,
    SignalPoint,
    SignalText,
    StoredFinding,
)
from store.team_tables import TeamMember
from store.warehouse import Warehouse

NOW = _rules_books.AS_OF
PEOPLE = ("Ana Analyst", "Ben Billing", "Cleo Cash", "Max Manager")
SEVERITIES = ("critical", "high", "medium", "low", "info")
CODES = (("wrong_tier_mode", "TU-19", "configuration"), ("duplicate_events", "TU-01", "data_quality"),
         ("unbilled_usage", "TU-13", "integration"), ("duplicate_line", "TU-40", "pricing"))  # fmt: skip
CHUNK = 2_000


def made(folder: Path, *, signals: int, events: int) -> tuple[Engine, Warehouse]:
    """The stores of a home of that size, made unless the folder has them."""
    engine = operational.open(f"sqlite:///{folder / 'trueup.sqlite'}")
    done = folder / "complete"
    if done.exists():
        return engine, Warehouse(f"sqlite:{folder / 'catalog.sqlite'}", folder / "lake")
    operational.migrate(engine)
    warehouse = _rules_books.write(folder, events=events, lines=max(events // 10, 3_600))
    _make_drafts(warehouse)
    _write_signals(engine, _lines(warehouse), signals)
    done.touch()
    return engine, warehouse


def _make_drafts(warehouse: Warehouse) -> None:
    """The newest twentieth of the invoices are drafts of a bill run."""
    with closing(warehouse.connect()) as con:
        con.execute(f"""
            BEGIN;
            INSERT INTO books.bill_runs BY NAME
            SELECT {_rules_books.STAMP}, 'run-1' AS bill_run_id, TIMESTAMP '2026-01-10' AS target_date,
                'completed' AS status, TIMESTAMP '2026-01-09' AS started_at;
            UPDATE books.invoices SET status = 'draft', bill_run_id = 'run-1', issued_at = NULL, auto_advance = TRUE,
                finalizes_at = TIMESTAMP '2026-01-10 18:00:00'
            WHERE created_at > (SELECT quantile_disc(created_at, 0.95) FROM books.invoices);
            COMMIT""")


def _lines(warehouse: Warehouse) -> list[tuple[str, str, str, str, str, str]]:
    """Lines that signals may name, with their invoice and its status, customer and name, and their item."""
    with closing(warehouse.connect()) as con:
        return con.execute("""
            SELECT l.line_id, l.invoice_id, i.status, i.customer_id, c.name, l.item_id
            FROM books.invoice_lines AS l JOIN books.invoices AS i USING (integration, invoice_id)
            JOIN books.customers AS c USING (integration, customer_id)
            ORDER BY hash(l.line_id) LIMIT 50000""").fetchall()


def _write_signals(engine: Engine, lines: list[tuple[str, str, str, str, str, str]], count: int) -> None:
    chance = random.Random(1)
    with operational.writing(engine) as session:
        session.add_all([TeamMember(name=name) for name in PEOPLE])
        session.add_all([_load(day) for day in range(60)])
        session.add_all([_job(number) for number in range(500)])
        runs = [_run(rule, day) for day in range(60) for rule, _, _ in CODES]
        session.add_all(runs)
    numbers = iter(range(1, count + 1))
    while chunk := list(islice(numbers, CHUNK)):
        rows: dict[type[Any], list[dict[str, Any]]] = {}
        with operational.writing(engine) as session:
            for number in chunk:
                for table, row in _signal(number, lines[number % len(lines)], runs, chance):
                    rows.setdefault(table, []).append(row)
                told = {"status": "unhandled"}
                audit.record(session, "signal.assign", ("signal", f"SIG-{number}"), actor=chance.choice(PEOPLE),
                             now=NOW, before=told, after=told)  # fmt: skip
            for table, found in rows.items():
                session.execute(insert(table), found)


def _signal(
    number: int, line: tuple[str, str, str, str, str, str], runs: list[Run], chance: random.Random
) -> list[tuple[type[Any], dict[str, Any]]]:
    """The rows of one signal."""
    line_id, invoice, status, customer, name, item = line
    kind = number % len(CODES)
    (rule, code, category), severity = CODES[kind], SEVERITIES[min(int(chance.expovariate(0.8)), 4)]
    first, last = runs[kind], runs[kind - len(CODES)]
    seen = NOW - timedelta(hours=chance.randrange(1, 1400))
    amount, closed = Decimal(chance.randrange(100, 5_000_000)).scaleb(-2), number % 10 == 0
    ended = seen - timedelta(seconds=chance.randrange(600, 3 * 86_400))
    done = min(seen + timedelta(seconds=chance.randrange(600, 9 * 86_400)), NOW)
    title = f"{name} is charged wrongly on {invoice}"
    money = {"under": amount, "over": Decimal(0), "exposure": Decimal(0)}
    records = (("item", item, "cause"), ("invoice_line", line_id, "affected"), ("invoice", invoice, "affected"),
               ("customer", customer, "affected"))  # fmt: skip
    change = f"{number:032x}"
    rows: list[tuple[type[Any], dict[str, Any]]] = [
        (Signal, {
            "id": number, "fingerprint": f"{number:064x}", "rule": rule, "rule_hash": "0" * 64, "code": code,
            "title": title, "severity": severity, "category": category, "confidence": "exact",
            "gate": "hold" if severity == "critical" else "warn", "integration": "files", "cause_type": "item",
            "cause_id": item, "group_key": "", "covers": None,
            "status": "resolved" if closed else "unhandled", "status_at": done if closed else seen,
            "status_reason": chance.choice(("verified", "verified", "self_healed", "waived")) if closed else "opened",
            "resolved_at": done if closed else None, "found_after": int((seen - ended).total_seconds()),
            "invoice_state": "draft" if status == "draft" else "issued",
            "acted_after": int((NOW - seen).total_seconds()) if number % 5 < 4 else None,
            "priority": f"P{1 + number % 4}", "assignee": PEOPLE[number % 5] if number % 5 < 4 else None,
            "version": 1, "first_seen": seen, "last_seen": NOW, "first_run_id": first.id, "last_run_id": last.id,
            "clear_runs": 0, "digest": "0" * 64, "occurrences": 1, "finding_count": 1, "entity_count": len(records),
            "customer_count": 1, "customer_id": customer, "customer_name": name,
            "finalizes_at": NOW + timedelta(hours=8) if status == "draft" else None,
            "bill_run_id": "run-1" if status == "draft" else None, "money_in": "USD", "rank_amount": amount, **money,
        }),
        (SignalText, {"signal_id": number, "text": f"{title} {rule} {code} item:{item} {customer}".lower()}),
        (SignalImpact, {"signal_id": number, "currency": "USD", **money}),
        (StoredFinding, {
            "id": number, "signal_id": number, "run_id": last.id, "key": f"{number:064x}", "digest": "0" * 64,
            "rule_hash": "0" * 64, "subject_type": "invoice_line", "subject_id": line_id, "currency": "USD",
            "period_start": ended - timedelta(days=31), "period_end": ended, "title": title,
            "evidence": {"line_id": line_id, "expected": f"{amount}", "billed": "0.00"},
            "records": [f"invoice_line:{line_id}", f"invoice:{invoice}", f"customer:{customer}"], **money,
        }),
        (SignalPoint, {"signal_id": number, "run_id": last.id, "at": NOW, "rank_amount": amount, "findings": 1}),
        (SignalEvent, {
            "signal_id": number, "change_id": change, "at": seen, "actor": f"rule:{rule}", "kind": "found",
            "reason": "opened", "detail": None, "run_id": first.id,
        }),
    ]  # fmt: skip
    if number % 5 < 4:
        rows.append((SignalEvent, {
            "signal_id": number, "change_id": f"a{number:031x}", "at": NOW, "actor": "Max Manager", "kind": "assign",
            "reason": "assigned", "detail": PEOPLE[number % 5], "run_id": None,
        }))  # fmt: skip
    rows += [
        (SignalEntity, {
            "signal_id": number, "finding_id": number, "type": type, "entity_id": id, "role": role,
            "customer_id": customer, "name": name, "position": place, "status": status,
        })
        for place, (type, id, role) in enumerate(records)
    ]  # fmt: skip
    return rows


def _run(rule: str, day: int) -> Run:
    at = NOW - timedelta(days=60 - day)
    return Run(rule=rule, rule_hash="0" * 64, trigger="schedule", slot=f"day/{day}", as_of=at, snapshot=1, status="ok",
               claimed_by="benchmark", lease_until=at, started_at=at, finished_at=at, findings=1)  # fmt: skip


def _load(day: int) -> Load:
    at = NOW - timedelta(days=day)
    return Load(integration="files", kind="import", started_at=at, finished_at=at, status="ok")


def _job(number: int) -> Job:
    at = NOW - timedelta(hours=number)
    return Job(kind="run" if number % 3 else "sync", args={"rules": []}, requested_by="Max Manager", requested_at=at,
               status="ok", finished_at=at, result="done")  # fmt: skip
