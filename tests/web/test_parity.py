"""Whatever can be done on the console can be done by the API and at the command line (spec/console.md, section 1).

The table is docs/parity.md; TRUEUP_WRITE_DOCS=1 with this test writes it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from flask import Flask

import trueup
from tests.web.company import Home
from web.api.openapi import of_api, path
from web.api.operations import OPERATIONS
from web.rule_editor import DEEDS as EDITS
from web.triage import DEEDS

DOC = Path(__file__).parents[2] / "docs" / "parity.md"


@dataclass(frozen=True)
class Verb:
    """One thing that can be done: by which routes of the console, which operations of the API, which commands."""

    does: str
    console: str
    api: str
    cli: str


PARITY = (
    Verb("List and find signals", "signals.start signals.listed jump.jump", "signals", "signals"),
    Verb("Export signals", "exports.sheet exports.document", "signals", "signals"),
    Verb("Show a signal", "signal.shown signal.peeked pack.shown", "signal", "signal show"),
    Verb("Explain a signal", "signal.worked_out", "signal_diff", "signals explain"),
    Verb("Assign", "triage.act:assign", "act", "signals assign"),
    Verb("Change the status", "triage.act:status", "act", "signals status"),
    Verb("Set the priority", "triage.act:priority", "act", "signals priority"),
    Verb("Snooze", "triage.act:snooze", "act", "signals snooze"),
    Verb("Dismiss", "triage.act:dismiss", "act", "signals dismiss"),
    Verb("Resolve", "triage.act:resolve", "act", "signals resolve"),
    Verb("Comment", "triage.act:comment", "act", "signals comment"),
    Verb("Label unusual usage", "triage.act:label", "act", "signals label"),
    Verb("Merge", "triage.act:merge", "act", "signals merge"),
    Verb("Split", "triage.act:split", "act", "signals split"),
    Verb("Undo", "triage.undo", "undo", "undo"),
    Verb("Ask for advice, read it", "repair.ask repair.shown", "ask_advice advice", "advise"),
    Verb("Ask the language model", "asking.ask asking.answered", "ask_question messages message", "ask"),
    Verb("List actions, show one", "repair.shown", "actions action", "actions list,actions show"),
    Verb("Approve an action", "repair.decide:approve", "approve_action", "actions approve"),
    Verb("Approve a batch", "repair.decide_many", "approve_batch", "actions batch approve"),
    Verb("Reject an action", "repair.decide:reject", "reject_action", "actions reject"),
    Verb("Waive an action", "repair.decide:waive", "waive_action", "actions waive"),
    Verb("Apply an action again", "repair.ask_deed:apply", "apply_action", "actions apply"),
    Verb("Verify an action", "repair.ask_deed:verify", "verify_action", "actions verify"),
    Verb("Reverse an action", "repair.ask_deed:reverse", "reverse_action", "actions reverse"),
    Verb("Read the scoreboard", "scores.shown", "score", "scoreboard"),
    Verb("Show records",
         "customer.shown customer.statement subscription.shown invoice.shown records.record records.line",
         "record customer subscription invoice", "record"),
    Verb("Write notes on a customer, change and remove them",
         "customer.shown customer_notes.write customer_notes.change",
         "notes write_note change_note remove_note", "notes,notes add,notes set,notes remove"),
    Verb("Keep contacts of a customer",
         "customer.shown customer_notes.add_contact customer_notes.change_contact",
         "contacts add_contact change_contact remove_contact", "contacts,contacts add,contacts set,contacts remove"),
    Verb("Explain a line or an invoice", "records.line invoice.shown", "line_explanation invoice_explanation",
         "explain"),
    Verb("Show usage", "usage.shown usage.sheet", "usage_of_item", "usage"),
    Verb("Show what the books hold", "data.listed", "tables", "doctor"),
    Verb("Show the budget of unusual usage", "unusual.budget", "unusual", "models"),
    Verb("Announce days in the calendar, take them back", "unusual.announce unusual.withdraw",
         "calendar announce_days withdraw_days", "calendar,calendar add,calendar remove"),
    Verb("List bill runs, ask the gate", "bill_runs.listed bill_runs.shown", "bill_runs gate drafts", "gate"),
    Verb("List rules, show one", "rules.listed rules.shown rule_editor.shown", "rules rule", "rules list,rules show"),
    Verb("Push a rule", "rule_editor.new rule_editor.act:save", "push_rule", "rules push"),
    Verb("Check a rule and run its cases", "rule_editor.act:check rule_editor.act:test", "check_rule", "rules test"),
    Verb("Copy a rule", "rule_editor.copy", "copy_rule", "rules copy"),
    Verb("Export a rule", "rule_editor.export", "rule rule_version", "rules export"),
    Verb("List versions", "rule_editor.shown", "rule_versions rule_version", "rules versions"),
    Verb("Compare versions", "rule_editor.act:compare", "rule_diff", "rules diff"),
    Verb("Activate a version", "rule_editor.activate", "activate_version", "rules activate"),
    Verb("Restore a version", "rule_editor.restore", "restore_version", "rules restore"),
    Verb("Retire a rule", "rule_editor.retire", "retire_rule", "rules retire"),
    Verb("Set a rule without touching its text", "rules.set_rule", "set_rule rule_settings", "rules set"),
    Verb("Pause a rule, resume it", "runs.pause runs.resume", "pause_rule resume_rule", "rules pause,rules resume"),
    Verb("Run a rule dry, or over the past", "rules.ask rule_editor.act:try", "dry_run backtest", "dry-run"),
    Verb("Calibrate a rule", "rule_editor.act:calibrate", "calibrate", "rules calibrate"),
    Verb("Look at a trial, cancel it", "rule_trials.shown rule_trials.cancel", "trial cancel_trial",
         "jobs,jobs cancel"),
    Verb("List runs", "runs.listed", "runs", "runs"),
    Verb("Run rules", "jobs.ask", "start_run", "run"),
    Verb("Cancel a run", "runs.cancel", "cancel_run", "runs cancel"),
    Verb("Look at jobs, take one back", "runs.listed runs.take_back", "jobs job cancel_job", "jobs,jobs cancel"),
    Verb("List integrations", "integrations.listed", "integrations integration", "integrations"),
    Verb("Test an integration", "integrations.test", "test_integration", "integrations verify"),
    Verb("Sync, backfill", "integrations.sync integrations.backfill jobs.ask", "sync_integration", "sync"),
    Verb(
        "Compare an integration with the books",
        "integrations.compare",
        "reconcile_integration",
        "integrations reconcile",
    ),
    Verb("Apply failed webhooks again", "integrations.retry", "retry_deliveries", "integrations deliveries"),
    Verb("Send usage events, see those refused", "", "events.take events.refused", "events"),
    Verb("Show the team", "team.shown", "team_load", "team"),
    Verb("Hand signals out by load", "team.hand_out", "hand_out", "team hand-out"),
    Verb("Reassign a person's signals", "team.reassign", "reassign", "team reassign"),
    Verb("Say who is away, who stands in", "team.person", "set_presence", "team person"),
    Verb("Add and remove rules of assignment", "team.add_rule team.remove_rule",
         "add_assign_rule remove_assign_rule", "team add-rule,team remove-rule"),
    Verb("See and change the settings", "settings.shown settings.review settings.save", "settings change_settings",
         "settings,settings set"),
    Verb("List, save and remove views", "signals.listed views.save views.remove", "saved_views save_view remove_view",
         "views,views save,views remove"),
    Verb("Read notifications", "notifications.shown notifications.read", "notifications read_notifications",
         "notifications"),
    Verb("Say how one is told, try it", "wishes.shown wishes.save wishes.test", "wishes_of_caller set_wishes test_way",
         "wishes"),
    Verb("Have a list or the report sent on a schedule, change it, end it", "scheduling.make scheduling.change",
         "scheduled_exports schedule_export change_export end_export", "exports,exports add,exports set,exports end"),
    Verb("Read the manager's report", "manager_report.shown manager_report.sheet", "report", "report"),
    Verb("List people, show one", "users.listed users.shown", "people person", "people list"),
    Verb("Invite, withdraw an invitation", "users.invite users.withdraw",
         "invite_person pending_invitations withdraw_invitation", "people invite,people withdraw"),
    Verb("Set roles and limits", "users.change:set", "set_person", "people set"),
    Verb("Disable a person, enable them", "users.change:disable users.change:enable", "disable_person enable_person",
         "people disable,people enable"),
    Verb("Sign a person out", "users.change:sign_out", "sign_out_person", "people sign-out"),
    Verb("Take a second factor away", "users.change:no_factor", "remove_second_factor", "people no-second-factor"),
    Verb("List, make and revoke tokens", "account.shown account.make_token account.revoke_token users.change:revoke",
         "me api_tokens make_token revoke_token", "people tokens,people token,people revoke"),
    Verb("Read the audit, export it", "audit.listed audit.export", "audit", "audit list,audit export"),
    Verb("Verify the audit", "audit.verify", "verify_audit", "audit verify"),
)  # fmt: skip

BY_HAND = {
    "account.change_password", "account.enrol", "account.confirm", "account.remove_factor", "account.end_session",
    "sign_in.shown", "sign_in.enter", "sign_in.code", "sign_in.leave", "oidc.leave_for", "oidc.back_from",
    "joining.shown", "joining.join", "preferences.save", "preferences.tour", "notifications.mute", "asset",
    "hooks.take",
}  # fmt: skip
"""What only a person in a browser does: signing in, their own password and second factor, how the console looks,
what their page of notifications leaves away; and what only a billing system sends."""

OF_ITSELF = {"api.openapi", "api.reference"}
"""What the API says about itself."""


@pytest.fixture(scope="module")
def app(empty_company: Home) -> Flask:
    return empty_company.app()


def commands(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command by its words."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        words = f"{before} {name}".strip()
        yield words, command
        if isinstance(command, click.Group):
            yield from commands(command, words)


def table(app: Flask) -> str:
    """docs/parity.md."""
    routes = {rule.endpoint: rule for rule in app.url_map.iter_rules()}
    operations = {rule.endpoint: f"`{method} {path(rule)}`" for rule, method in of_api(routes.values())}
    lines = [
        "# What can be done where",
        "",
        "Console, API and command line call the same functions, so what can be done on one of them can be done on the",
        "others. Made by `tests/web/test_parity.py`, which fails when one of them lacks something.",
        "",
        "| | Console | API below `/api/v1` | `trueup` |",
        "| --- | --- | --- | --- |",
    ]
    for verb in PARITY:
        places = dict.fromkeys(routes[each.partition(":")[0]].rule for each in verb.console.split())
        console = "<br>".join(f"`{place}`" for place in places)
        api = "<br>".join(operations[_endpoint(each)] for each in verb.api.split())
        cli = "<br>".join(f"`{each}`" for each in verb.cli.split(","))
        lines.append(f"| {verb.does} | {console} | {api} | {cli} |")
    return "\n".join(lines) + "\n"


def _endpoint(name: str) -> str:
    return name if "." in name else f"api.{name}"


def test_every_route_of_the_console_has_its_like(app: Flask) -> None:
    told = {each.partition(":")[0] for verb in PARITY for each in verb.console.split()}
    served = {rule.endpoint for rule in app.url_map.iter_rules() if not rule.rule.startswith("/api/")}
    assert served - told - BY_HAND == set(), "PARITY says how the API and the command line do it"
    assert told - served == set()


def test_every_operation_of_the_api_has_its_like() -> None:
    told = {_endpoint(each) for verb in PARITY for each in verb.api.split()}
    assert set(OPERATIONS) - told - OF_ITSELF == set(), "PARITY says which command does it"
    assert told - set(OPERATIONS) == set()


def test_every_verb_has_an_operation_and_a_command() -> None:
    known = dict(commands(trueup.cli))
    for verb in PARITY:
        assert verb.api, verb.does
        for words in verb.cli.split(","):
            assert words in known, f"{verb.does}: there is no trueup {words}"


def test_every_deed_of_a_form_has_its_like() -> None:
    told = {each for verb in PARITY for each in verb.console.split() if ":" in each}
    assert {f"triage.act:{deed}" for deed in DEEDS} <= told
    assert {f"rule_editor.act:{deed}" for deed in EDITS} <= told


def test_the_page_of_parity_is_up_to_date(app: Flask) -> None:
    if os.environ.get("TRUEUP_WRITE_DOCS"):
        DOC.write_text(table(app), encoding="utf-8")
    assert DOC.read_text(encoding="utf-8") == table(app), "TRUEUP_WRITE_DOCS=1 with this test writes it"
