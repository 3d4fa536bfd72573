"""The versions of custom rules, what is set for a rule without touching its text, and whether the clock runs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated, Any, Literal

from flask import Response, request
from pydantic import Field
from sqlalchemy.orm import Session

from detector import cases, overrides, schedule, versions
from detector.detail import instant
from detector.rule_format import Severity
from detector.version_commands import version_json
from people.roles import Permission
from store import operational
from store.operational_tables import RuleOverride, RuleVersion
from web.access import caller, require
from web.api.answers import Answer, Instant, Mistake
from web.api.bodies import LONGEST_SNOOZE, Body, Empty
from web.api.finding import rule_of
from web.api.operations import Asked, Operation, body, check_match, operation, query
from web.api.queries import one_of
from web.console import console, now
from web.preferences import preferences
from web.problems import Refused, answer

RuleName = Annotated[str, Field(pattern="^[a-z][a-z0-9_]{1,62}$")]
Text = Annotated[str, Field(min_length=1, max_length=200_000, description="The rule, in YAML.")]
Note = Annotated[str, Field(max_length=500, description="What changes, and why.")]


class Version(Answer):
    """One kept text of a rule, as `trueup rules versions --json` prints it."""

    rule: str
    number: int
    content_hash: str
    origin: Literal["system", "custom"]
    author: str
    note: str
    saved_at: Instant
    live: bool
    activated_by: str | None
    activated_at: Instant | None
    activation_note: str | None
    dry_run: Annotated[str | None, Field(description="What the latest dry run of this text came to.")]


class ShownVersion(Version):
    """A version with its text."""

    text: str


class Versions(Answer):
    """Every version of a rule, the newest first."""

    versions: list[Version]


class Difference(Answer):
    """How two versions differ, as `diff -u` says it."""

    before: int
    after: int
    text: list[str]


class CaseRun(Answer):
    """One case inside the rule: whether it came out as it says."""

    name: str
    ok: bool
    failures: list[str]


class Checked(Answer):
    """Whether a text is a sound rule, where not, and how the cases inside it came out."""

    sound: bool
    problems: list[Mistake]
    cases: list[CaseRun]


class RuleSettings(Answer):
    """What is set for a rule without touching its text."""

    rule: str
    severity: str | None
    schedule: str | None
    params: dict[str, Any]
    off: bool
    off_until: Instant | None
    remarks: Annotated[list[str], Field(description="What of it the rule's text does not take any more.")]
    changed_by: str | None
    changed_at: Instant | None


class DifferenceQuery(Asked):
    """Which two versions; without them the live one (or the one before) and the newest."""

    before: Annotated[int | None, Field(ge=1, lt=2**63)] = None
    after: Annotated[int | None, Field(ge=1, lt=2**63)] = None


class Pushed(Body):
    """A text to keep as a version of a custom rule."""

    text: Text
    note: Note = ""


class Copied(Body):
    """Under which name the copy stands."""

    name: RuleName


class Activated(Body):
    """Why this version is to run from now on."""

    note: Annotated[str, Field(min_length=1, max_length=500)]


class Tried(Body):
    """A text to look at; nothing is kept."""

    text: Text


class WantedSettings(Body):
    """What to set: null, and what is not named, is as the rule's own text says."""

    severity: Annotated[str | None, one_of(Severity)] = None
    schedule: Annotated[str | None, Field(max_length=200, description='As in a rule: {daily: "06:00"}.')] = None
    params: Annotated[dict[str, str], Field(default_factory=dict, max_length=100)]
    off: bool = False


class Paused(Body):
    """For how many hours; null until somebody resumes it."""

    hours: Annotated[int | None, Field(ge=1, le=LONGEST_SNOOZE)] = None


REFUSED = {409: "Its state does not allow it; the detail says what would."}


@operation(
    "/rules",
    Operation(
        "Push a rule",
        "Keep a text as the newest version of the custom rule that it names. It runs once it is activated.",
        Version,
        status=201,
        body=Pushed,
        etag=True,
        if_match=True,
        refuses=REFUSED,
    ),
    method="POST",
)
def push_rule() -> Response:
    """Keep a text; its version number is the ETag, which If-Match takes of the newest."""
    wanted: Pushed = body(Pushed)
    with _refusals(), operational.writing(console().engine) as session:
        rule, problems = versions.read(wanted.text, taken=_taken())
        if rule is None:
            raise versions.Unsound(problems)
        check_match(getattr(versions.newest(session, rule.name), "number", 0))
        return _version(session, _saved(session, wanted.text, wanted.note), 201)


@operation(
    "/rules/check",
    Operation("Check a rule", "Whether a text is a sound rule, and how its cases come out; nothing is kept.", Checked,
              body=Tried),
    method="POST",
)  # fmt: skip
def check_rule() -> Response:
    """Look at a text."""
    wanted: Tried = body(Tried)
    rule, problems = versions.read(wanted.text, taken=_taken())
    told = {
        "sound": rule is not None,
        "problems": [{"place": f"line {each.line}", "message": each.message} for each in problems],
        "cases": [_case(each) for each in cases.run(rule)] if rule is not None else [],
    }
    return answer(200, told)


@operation(
    "/rules/<name>/copy",
    Operation("Copy a rule", "A custom rule that starts as this one, under another name.", Version, 201, body=Copied,
              refuses=REFUSED),
    method="POST",
)  # fmt: skip
def copy_rule(name: str) -> Response:
    """Copy a rule."""
    wanted: Copied = body(Copied)
    rule = console().live.plain(name) or rule_of(name)
    with _refusals(), operational.writing(console().engine) as session:
        if wanted.name in console().rules or versions.newest(session, wanted.name) is not None:
            raise Refused(409, "Taken", f"There is a rule {wanted.name} already; take another name.")
        text = versions.renamed(rule.text, wanted.name)
        return _version(session, _saved(session, text, f"copy of {name}"), 201)


@operation("/rules/<name>/versions", Operation("List versions", "Every kept text of a rule.", Versions))
def rule_versions(name: str) -> Response:
    """The versions, the newest first."""
    running = console().live.files.get(name)
    with operational.reading(console().engine) as session:
        found = versions.listed(session, name)
        if not found and running is None:
            raise Refused(404, "No such rule", f"No version of {name[:60]} was ever kept.")
        return answer(200, {"versions": [version_json(session, each, running) for each in found]})


@operation(
    "/rules/<name>/versions/<int:version>",
    Operation("Show a version", "One version with its text.", ShownVersion, etag=True),
)
def rule_version(name: str, version: int) -> Response:
    """One version."""
    with _refusals(), operational.reading(console().engine) as session:
        return _version(session, versions.numbered(session, name, version), 200, text=True)


@operation(
    "/rules/<name>/diff",
    Operation("Compare versions", "How two versions of a rule differ.", Difference, query=DifferenceQuery,
              refuses=REFUSED),
)  # fmt: skip
def rule_diff(name: str) -> Response:
    """How two versions differ."""
    asked = query(DifferenceQuery, request.args)
    with _refusals(), operational.reading(console().engine) as session:
        before, after = _pair(session, name, asked)
        names = (f"version {before.number}", f"version {after.number}")
        text = versions.difference(before.text, after.text, names)
        return answer(200, {"before": before.number, "after": after.number, "text": text})


@operation(
    "/rules/<name>/versions/<int:version>/activate",
    Operation(
        "Activate a version",
        "Let this version run from now on. It has to have been run dry; one's own needs the permission `activate_own`.",
        Version,
        body=Activated,
        refuses=REFUSED,
        etag=True,
    ),
    method="POST",
)
def activate_version(name: str, version: int) -> Response:
    """Let a version run."""
    wanted: Activated = body(Activated)
    with _refusals(), operational.writing(console().engine) as session:
        found = versions.numbered(session, name, version)
        if found.author == caller().name:
            require(Permission.ACTIVATE_OWN, f"You wrote version {version} yourself.")
        versions.activate(session, found, actor=preferences().actor, note=wanted.note, now=now())
        return _version(session, found, 200)


@operation(
    "/rules/<name>/versions/<int:version>/restore",
    Operation("Restore a version", "Make the text of an earlier version the newest one.", Version, 201, body=Empty,
              refuses=REFUSED, etag=True, if_match=True),
    method="POST",
)  # fmt: skip
def restore_version(name: str, version: int) -> Response:
    """Make an earlier version the newest."""
    body(Empty)
    with _refusals(), operational.writing(console().engine) as session:
        check_match(getattr(versions.newest(session, name), "number", 0))
        restored = versions.restore(session, name, version, author=preferences().actor, now=now())
        return _version(session, restored, 201)


@operation(
    "/rules/<name>/retire",
    Operation("Retire a rule", "Let no version of a custom rule run any more; its signals stay.", Version, body=Empty,
              refuses=REFUSED),
    method="POST",
)  # fmt: skip
def retire_rule(name: str) -> Response:
    """Let no version run."""
    body(Empty)
    with operational.writing(console().engine) as session:
        version = versions.retire(session, name, actor=preferences().actor, now=now())
        if version is None:
            raise Refused(409, "Not live", f"No version of {name[:60]} is live.")
        session.flush()
        return _version(session, version, 200)


@operation(
    "/rules/<name>/settings", Operation("Show what is set", "What operators set for a rule.", RuleSettings, etag=True)
)
def rule_settings(name: str) -> Response:
    """What is set for a rule."""
    rule_of(name)
    with operational.reading(console().engine) as session:
        return _set(session, name)


@operation(
    "/rules/<name>/settings",
    Operation(
        "Set a rule",
        "Set parameters, severity, schedule or off without touching the rule's text; upgrades keep that.",
        RuleSettings,
        body=WantedSettings,
        etag=True,
        if_match=True,
    ),
    method="PUT",
)
def set_rule(name: str) -> Response:
    """Set a rule anew, as a whole."""
    wanted: WantedSettings = body(WantedSettings)
    rule = rule_of(name)
    plain = console().live.plain(name) or rule
    change = overrides.Change(wanted.severity, wanted.schedule, wanted.params, wanted.off)
    with operational.writing(console().engine) as session:
        check_match(_settings_version(session.get(RuleOverride, name)))
        try:
            overrides.change(session, plain, change, actor=preferences().actor, now=now())
        except overrides.BadOverride as error:
            raise Refused(422, "The body is not as it should be", f"/{error}") from None
        session.flush()
        return _set(session, name)


@operation(
    "/rules/<name>/pause",
    Operation("Pause a rule", "Keep the clock and events from running it; it can still be run by hand.", RuleSettings,
              body=Paused),
    method="POST",
)  # fmt: skip
def pause_rule(name: str) -> Response:
    """Keep a rule aside."""
    wanted: Paused = body(Paused)
    rule_of(name)
    until = now() + timedelta(hours=wanted.hours) if wanted.hours is not None else None
    with operational.writing(console().engine) as session:
        schedule.pause(session, name, until, actor=preferences().actor, now=now())
        session.flush()
        return _set(session, name)


@operation(
    "/rules/<name>/resume",
    Operation("Resume a rule", "Let it run by its schedule again.", RuleSettings, body=Empty),
    method="POST",
)
def resume_rule(name: str) -> Response:
    """Let a rule run again."""
    body(Empty)
    rule_of(name)
    with operational.writing(console().engine) as session:
        schedule.resume(session, name, actor=preferences().actor, now=now())
        session.flush()
        return _set(session, name)


def _saved(session: Session, text: str, note: str) -> RuleVersion:
    return versions.save(session, text, author=preferences().actor, note=note, now=now(), taken=_taken())


def _taken() -> frozenset[str]:
    return frozenset(console().live.files)


def _pair(session: Session, name: str, asked: DifferenceQuery) -> tuple[RuleVersion, RuleVersion]:
    """The two that are named, else the live (or the one before) and the newest. Raises Refused, NoVersion."""
    found = versions.listed(session, name)
    if not found:
        raise versions.NoVersion(f"no version of {name[:60]} was ever saved")
    after = versions.numbered(session, name, asked.after or found[0].number)
    others = [each for each in found if each.number != after.number]
    usual = next((each for each in others if each.live), next(iter(others), None))
    if asked.before is not None:
        return versions.numbered(session, name, asked.before), after
    if usual is None:
        raise Refused(409, "Nothing to compare with", f"{name[:60]} has one version; a difference needs two.")
    return usual, after


def _version(session: Session, version: RuleVersion, status: int, *, text: bool = False) -> Response:
    running = console().live.files.get(version.rule)
    more = {"text": version.text} if text else {}
    told = answer(status, {**version_json(session, version, running), **more})
    told.set_etag(str(version.number))
    return told


def _case(each: cases.CaseResult) -> dict[str, Any]:
    return {"name": each.case, "ok": each.passed, "failures": list(each.failures)}


def _settings_version(kept: RuleOverride | None) -> str:
    return "as-written" if kept is None else f"{kept.changed_at:%Y%m%dT%H%M%S%f}"


def _set(session: Session, name: str) -> Response:
    kept = session.get(RuleOverride, name)
    plain = console().live.plain(name) or console().rules[name]
    off = kept is not None and kept.state == "paused" and (kept.paused_until is None or kept.paused_until > now())
    told = {
        "rule": name,
        "severity": kept.severity if kept else None,
        "schedule": kept.schedule if kept else None,
        "params": dict((kept.params if kept else None) or {}),
        "off": off,
        "off_until": instant(kept.paused_until) if kept is not None and off else None,
        "remarks": overrides.remarks(plain, kept),
        "changed_by": kept.changed_by if kept else None,
        "changed_at": instant(kept.changed_at) if kept else None,
    }
    shown = answer(200, told)
    shown.set_etag(_settings_version(kept))
    return shown


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except versions.Unsound as error:
        mistakes = [{"place": f"/text line {each.line}", "message": each.message} for each in error.problems]
        raise Refused(422, "The text is no sound rule", str(error), errors=mistakes) from None
    except versions.NoVersion as error:
        raise Refused(404, "No such version", str(error)) from None
    except (versions.NotTried, ValueError) as error:
        raise Refused(409, "Not in this state", str(error)) from None
