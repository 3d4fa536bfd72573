"""Roles and what each of them permits (spec/console.md, section 1)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum


class Permission(StrEnum):
    """One thing that somebody may do."""

    READ = "read"
    ACT = "act"
    BULK = "bulk"
    RULES = "rules"
    RUNS = "runs"
    ACTIVATE = "activate"
    ACTIVATE_OWN = "activate_own"
    AUDIT = "audit"
    EVENTS = "events"
    INTEGRATIONS = "integrations"
    SETTINGS = "settings"
    PEOPLE = "people"

    @property
    def means(self) -> str:
        """What it permits, after `to`."""
        return _MEANS[self]


_MEANS: Mapping[Permission, str] = {
    Permission.READ: "see signals, records, rules, runs and data",
    Permission.ACT: "change signals, and decide about actions up to the own limit",
    Permission.BULK: "change more than 100 signals at once or anybody's notes, share out work, and read the report",
    Permission.RULES: "write and set rules, and try them out",
    Permission.RUNS: "start, stop and pause runs",
    Permission.ACTIVATE: "activate a rule's version that somebody else wrote, and retire rules",
    Permission.ACTIVATE_OWN: "activate a rule's version of one's own",
    Permission.AUDIT: "read, verify and export the audit",
    Permission.EVENTS: "send usage events",
    Permission.INTEGRATIONS: "sync and set integrations",
    Permission.SETTINGS: "change settings",
    Permission.PEOPLE: "invite people, and change what they may do",
}

_READER = {Permission.READ}
_ANALYST = _READER | {Permission.ACT}

ROLES: Mapping[str, frozenset[Permission]] = {
    "viewer": frozenset(_READER),
    "analyst": frozenset(_ANALYST),
    "rule_author": frozenset(_READER | {Permission.RULES, Permission.RUNS, Permission.ACTIVATE}),
    "manager": frozenset(_ANALYST | {Permission.BULK, Permission.ACTIVATE, Permission.ACTIVATE_OWN, Permission.AUDIT}),
    "admin": frozenset(Permission),
}
"""What each role permits. A person may have several, and may do what any of them permits."""

ADMIN = "admin"


class UnknownRole(ValueError):  # noqa: N818 (named for what it is)
    """A word that is no role; the message lists those there are."""


def permissions(roles: Collection[str]) -> frozenset[Permission]:
    """What somebody with these roles may do. A role that is not known (any more) permits nothing."""
    return frozenset().union(*(ROLES.get(role, frozenset()) for role in roles))


def checked(roles: Collection[str]) -> list[str]:
    """The roles in the order of ROLES, each once. Raises UnknownRole, also when there is none."""
    unknown = [role for role in roles if role not in ROLES]
    if unknown or not roles:
        said = f"{unknown[0]!r} is no role" if unknown else "choose at least one role"
        raise UnknownRole(f"{said}; there are {', '.join(ROLES)}")
    return [role for role in ROLES if role in roles]


def holders(permission: Permission) -> list[str]:
    """The roles that permit it."""
    return [role for role, permitted in ROLES.items() if permission in permitted]
