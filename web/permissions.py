"""What every route needs: the one table of who may do what. docs/permissions.md is made of it, and a test holds both.

A route that is not named here is for admins only. What depends on more than the route (a change of many signals, a
version of one's own) is checked where it is known, by `access.require`.
"""

from __future__ import annotations

from collections.abc import Mapping

from people.roles import Permission

READ, ACT = Permission.READ, Permission.ACT
RULES, RUNS, ACTIVATE = Permission.RULES, Permission.RUNS, Permission.ACTIVATE
AUDIT, PEOPLE, BULK = Permission.AUDIT, Permission.PEOPLE, Permission.BULK

PUBLIC = None
"""For everybody, signed in or not."""

NEEDS: Mapping[str, Permission | None] = {
    "asset": PUBLIC,
    "sign_in.shown": PUBLIC,
    "sign_in.enter": PUBLIC,
    "sign_in.code": PUBLIC,
    "sign_in.leave": PUBLIC,
    "oidc.leave_for": PUBLIC,
    "oidc.back_from": PUBLIC,
    "joining.shown": PUBLIC,
    "joining.join": PUBLIC,
    "account.shown": READ,
    "account.change_password": READ,
    "account.enrol": READ,
    "account.confirm": READ,
    "account.remove_factor": READ,
    "account.end_session": READ,
    "account.make_token": READ,
    "account.revoke_token": READ,
    "users.listed": PEOPLE,
    "users.invite": PEOPLE,
    "users.withdraw": PEOPLE,
    "users.shown": PEOPLE,
    "users.change": PEOPLE,
    "audit.listed": AUDIT,
    "audit.verify": AUDIT,
    "audit.export": AUDIT,
    "preferences.save": PUBLIC,
    "signals.start": READ,
    "signals.listed": READ,
    "signal.shown": READ,
    "signal.peeked": READ,
    "exports.sheet": READ,
    "exports.document": READ,
    "views.save": READ,
    "views.remove": READ,
    "team.shown": BULK,
    "team.hand_out": BULK,
    "team.reassign": BULK,
    "team.person": BULK,
    "team.add_rule": BULK,
    "team.remove_rule": BULK,
    "team.hours": BULK,
    "manager_report.shown": BULK,
    "manager_report.sheet": BULK,
    "notifications.shown": READ,
    "notifications.read": READ,
    "signal.worked_out": READ,
    "triage.act": ACT,
    "triage.undo": ACT,
    "repair.ask": ACT,
    "repair.decide": ACT,
    "repair.decide_many": ACT,
    "repair.shown": READ,
    "asking.ask": ACT,
    "asking.answered": READ,
    "scores.shown": READ,
    "unusual.budget": READ,
    "rules.listed": READ,
    "rules.shown": READ,
    "rules.ask": RULES,
    "rules.set_rule": RULES,
    "rule_editor.shown": READ,
    "rule_editor.act": RULES,
    "rule_editor.copy": RULES,
    "rule_editor.new": RULES,
    "rule_editor.activate": ACTIVATE,
    "rule_editor.restore": RULES,
    "rule_editor.retire": ACTIVATE,
    "rule_editor.export": READ,
    "rule_trials.shown": READ,
    "rule_trials.cancel": RULES,
    "runs.listed": READ,
    "runs.cancel": RUNS,
    "runs.take_back": RUNS,
    "runs.pause": RUNS,
    "runs.resume": RUNS,
    "data.listed": READ,
    "events.take": Permission.EVENTS,
    "events.refused": Permission.EVENTS,
    "api.signals": READ,
    "api.signal": READ,
    "api.rules": READ,
    "api.rule": READ,
    "api.runs": READ,
    "api.gate": READ,
    "api.act": ACT,
    "api.undo": ACT,
    "api.start_run": RUNS,
    "api.openapi": PUBLIC,
    "api.reference": PUBLIC,
    "hooks.take": PUBLIC,
    "integrations.listed": READ,
    "integrations.test": Permission.INTEGRATIONS,
    "integrations.sync": Permission.INTEGRATIONS,
    "integrations.backfill": Permission.INTEGRATIONS,
    "integrations.retry": Permission.INTEGRATIONS,
    "customer.shown": READ,
    "subscription.shown": READ,
    "invoice.shown": READ,
    "usage.shown": READ,
    "usage.sheet": READ,
    "bill_runs.listed": READ,
    "bill_runs.shown": READ,
    "records.line": READ,
    "records.record": READ,
    "jump.jump": READ,
    "jobs.ask": RUNS,
}


def needed(endpoint: str | None) -> Permission | None:
    """What the route of that endpoint needs; an address without a route is only told apart by who may read."""
    if endpoint is None:
        return READ
    return NEEDS.get(endpoint, Permission.SETTINGS)
