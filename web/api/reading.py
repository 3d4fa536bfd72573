"""What the API shows: signals, rules, runs, and what the gate says of a bill run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, request

from detector import inbox, ledger, overrides, report
from detector.detail import amount, as_json
from detector.inbox import Total
from detector.rules import Rule
from detector.signal_document import document
from store import operational
from store.operational_tables import Signal
from web import addresses, bill_runs, exports
from web.api import answers
from web.api.operations import Operation, operation, query
from web.api.queries import CSV, GateQuery, RunsQuery, SignalsQuery
from web.console import console, now
from web.preferences import preferences
from web.problems import Refused, answer


@operation(
    "/signals",
    Operation(
        "List signals",
        "The signals of a query, page by page; the query is that of the console's address. "
        "With `Accept: text/csv` all of them, a line per signal and currency.",
        answers.Signals,
        query=SignalsQuery,
        also=(CSV,),
    ),
)
def signals() -> Response:
    """The list of signals."""
    if request.accept_mimetypes.best_match(("application/json", CSV)) == CSV:
        return exports.sheet()
    asked = query(SignalsQuery, request.args)
    wanted = addresses.read(request.args, preferences().who)
    with operational.reading(console().engine) as session:
        page = inbox.page(session, wanted, now(), asked.limit)
        told = {
            "signals": [_listed(item) for item in page.items],
            "total": page.total,
            "totals": [_money(total) for total in page.totals],
            "next": page.next,
        }
    return answer(200, told)


@operation(
    "/signals/<label>",
    Operation(
        "Show a signal",
        "One signal with its records, evidence, timeline and advice, as `trueup signal show --json` prints it.",
        answers.Signal,
        refuses={404: "There is no such signal."},
        etag=True,
    ),
)
def signal(label: str) -> Response:
    """One signal; its version is the ETag."""
    number = inbox.number(label)
    with operational.reading(console().engine) as session:
        detail = inbox.signal(session, number) if number is not None else None
        if detail is None:
            raise Refused(404, "No such signal", f"There is no signal {label[:40]}; GET /api/v1/signals lists them.")
        told = answer(200, document(session, detail, console().rules.get(detail.signal.rule)))
        told.set_etag(str(detail.signal.version))
    return told


@operation("/rules", Operation("List rules", "Every rule that runs, by code.", answers.Rules))
def rules() -> Response:
    """The rules."""
    return answer(200, {"rules": [_rule(rule, off=rule.name in _off()) for rule in console().rules.values()]})


@operation(
    "/rules/<name>",
    Operation("Show a rule", "One rule with its text.", answers.Rule, refuses={404: "No rule of that name runs."}),
)
def rule(name: str) -> Response:
    """One rule."""
    found = console().rules.get(name)
    if found is None:
        raise Refused(404, "No such rule", f"No rule {name[:60]} runs; GET /api/v1/rules lists them.")
    return answer(200, {**_rule(found, off=name in _off()), "text": found.text})


@operation(
    "/runs",
    Operation("List runs", "What ran, when, why, on which snapshot and how it ended.", answers.Runs, query=RunsQuery),
)
def runs() -> Response:
    """The ledger of runs."""
    asked = query(RunsQuery, request.args)
    with operational.reading(console().engine) as session:
        page = ledger.page(session, rule=asked.rule, status=asked.status, before=asked.after, limit=asked.limit)
        told = {"runs": [ledger.as_json(run) for run in page.runs], "next": str(page.next) if page.next else None}
    return answer(200, told)


@operation(
    "/bill-runs/<path:id>/gate",
    Operation(
        "Ask the gate about a bill run",
        "Whether its drafts may become final: `hold` when one is kept back, `warn` when one is warned about.",
        answers.Gate,
        query=GateQuery,
        refuses={404: "There is no such bill run in the books."},
    ),
)
def gate(id: str) -> Response:
    """What the gate says of a bill run."""
    query(GateQuery, request.args)
    row, drafts = bill_runs.at_the_gate(id)
    counted = bill_runs.counted(drafts)
    told = {
        "bill_run": row["bill_run_id"],
        "integration": row["integration"],
        "says": "hold" if counted["hold"] else "warn" if counted["warn"] else "pass",
        "drafts": counted,
        "not_passed": [draft.as_json() for draft in drafts if draft.state != "passed"],
    }
    return answer(200, told)


def _listed(found: Signal) -> dict[str, Any]:
    """A signal as a list has it: without its records, of which there may be thousands."""
    told = as_json(found, ())
    del told["entities"]
    return {**told, "records": found.entity_count, "version": found.version}


def _money(total: Total) -> Mapping[str, str | None]:
    kinds = {kind: amount(getattr(total, kind), total.currency) for kind in ("under", "over", "exposure")}
    return {"currency": total.currency, **kinds}


def _off() -> set[str]:
    with operational.reading(console().engine) as session:
        return set(overrides.off(session, now()))


def _rule(found: Rule, *, off: bool) -> dict[str, Any]:
    """A rule as the command line prints it, but for where its file lies on the server."""
    told = report.rule_json(found)
    del told["path"]
    return {**told, "off": off}
