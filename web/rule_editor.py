"""The rule editor: a text and a form that edit the same draft, tried out, compared, saved as a version, activated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from flask import Blueprint, abort, request
from werkzeug.wrappers import Response

from detector import cases, draft_rule, overrides, versions
from detector.calibration import NUMERIC
from detector.cases import CaseResult
from detector.rules import Rule, RuleProblem, content_hash
from people.roles import Permission
from store import operational
from store.operational_tables import Job, RuleOverride
from web import rule_trials
from web.access import caller, require
from web.console import console, now
from web.pages import done, refused, show
from web.preferences import preferences
from web.rule_fields import EVENTS, RHYTHMS, into_text, of_rule, of_text, sent
from web.rules import rule_of

pages = Blueprint("rule_editor", __name__)

LONGEST_NAME = 63


@dataclass(frozen=True)
class Draft:
    """A text as it is on the page, saved or not, and what came of the last deed."""

    text: str
    problems: Sequence[RuleProblem] = ()
    rule: Rule | None = None
    trial: Job | None = None
    tested: Sequence[CaseResult] | None = None
    compared: tuple[str, Sequence[str]] | None = None
    failure: str = ""
    given: dict[str, str] = field(default_factory=dict)


@pages.get("/rules/<name>/edit")
def shown(name: str) -> tuple[str, int]:
    """The editor of a rule: a custom one's newest version (or `version`), a system rule's settings."""
    if name in console().live.files:
        return _system_page(rule_of(name))
    with operational.reading(console().engine) as session:
        wanted = request.args.get("version", "")
        found = {str(version.number): version for version in versions.listed(session, name)}
    if not found:
        abort(404, description=f"There is no rule {name[:60]}.")
    return _page(name, _checked(name, found.get(wanted, next(iter(found.values()))).text))


@pages.post("/rules/<name>/edit")
def act(name: str) -> tuple[str, int] | Response:
    """Do what a button of the form says with the draft as it is on the page."""
    if name in console().live.files:
        abort(405)
    draft = _checked(name, _posted())
    deed = request.form.get("deed", "check")
    if deed == "save":
        return _save(name, draft)
    doing = DEEDS.get(deed)
    return _page(name, doing(name, draft) if doing else draft)


@pages.post("/rules/<name>/copy")
def copy(name: str) -> Response:
    """A custom rule that starts as this one, under another name."""
    new = request.form.get("name", "").strip()[:LONGEST_NAME]
    if new in console().rules:
        return refused(f"There is a rule {new} already; take another name.", to=f"/rules/{name}")
    text = versions.renamed((console().live.plain(name) or rule_of(name)).text, new)
    try:
        with operational.writing(console().engine) as session:
            if versions.newest(session, new) is not None:
                return refused(f"There is a rule {new} already; take another name.", to=f"/rules/{name}")
            versions.save(session, text, author=preferences().actor, note=f"copy of {name}", now=now(), taken=_taken())
    except versions.Unsound as error:
        return refused(f"Not copied: {error.problems[0].message}", to=f"/rules/{name}")
    return done(f"Copied. It runs once you activate it; {name} stays as it is.", to=f"/rules/{new}/edit")


@pages.post("/rules")
def new() -> Response:
    """A custom rule that starts from the template, or from a text that was written elsewhere."""
    name, text = request.form.get("name", "").strip()[:LONGEST_NAME], request.form.get("text", "").replace("\r\n", "\n")
    own = [rule.code for rule in console().rules.values() if rule.code.startswith("OWN-")]
    note = "imported" if text.strip() else "from the template"
    content = text if text.strip() else draft_rule.text(name, len(own) + 1)
    try:
        with operational.writing(console().engine) as session:
            if not text.strip() and versions.newest(session, name) is not None:
                return refused(f"There is a rule {name} already; take another name.", to="/rules")
            version = versions.save(session, content, author=preferences().actor, note=note, now=now(), taken=_taken())
    except versions.Unsound as error:
        first = error.problems[0]
        return refused(f"Not saved: line {first.line}: {first.message}", to="/rules")
    return done("Saved as a draft. It runs once you activate it.", to=f"/rules/{version.rule}/edit")


@pages.post("/rules/<name>/activate")
def activate(name: str) -> tuple[str, int] | Response:
    """Let a version run from now on; not while the text on the page is another, which would be lost."""
    back = f"/rules/{name}/edit"
    try:
        with operational.writing(console().engine) as session:
            version = versions.numbered(session, name, int(request.form.get("number", "0")))
            if "text" in request.form and content_hash(_posted()) != version.content_hash:
                said = f"Not activated: the text was changed since version {version.number}; save it first."
                return _page(name, replace(_checked(name, _posted()), failure=said), 409)
            if version.author == caller().name:
                require(Permission.ACTIVATE_OWN, f"You wrote version {version.number} yourself.")
            versions.activate(session, version, actor=preferences().actor, note=request.form.get("note", ""), now=now())
    except (versions.NotTried, LookupError, ValueError) as error:
        said = str(error).partition(": trueup")[0]
        return refused(f"Not activated: {said}.", to=back)
    return done(f"Version {version.number} is live. It runs by its schedule from now on.", to=back)


@pages.post("/rules/<name>/restore")
def restore(name: str) -> Response:
    """Make an earlier version the newest one."""
    back = f"/rules/{name}/edit"
    try:
        with operational.writing(console().engine) as session:
            number = int(request.form.get("number", "0"))
            version = versions.restore(session, name, number, author=preferences().actor, now=now())
    except (LookupError, ValueError) as error:
        return refused(f"Not restored: {error}.", to=back)
    return done(f"Version {number} is the newest again, as version {version.number}.", to=back)


@pages.post("/rules/<name>/retire")
def retire(name: str) -> Response:
    """Let no version of a custom rule run any more."""
    with operational.writing(console().engine) as session:
        version = versions.retire(session, name, actor=preferences().actor, now=now())
    said = f"Version {version.number} does not run any more." if version else "No version of it was live."
    return done(said, to=f"/rules/{name}/edit")


@pages.get("/rules/<name>/export")
def export(name: str) -> Response:
    """The YAML of a rule, of `version` or as it runs, as a file."""
    wanted = request.args.get("version", "")
    with operational.reading(console().engine) as session:
        found = [each for each in versions.listed(session, name) if str(each.number) == wanted]
    text = found[0].text if found else rule_of(name).text
    answer = Response(text, mimetype="application/yaml")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}.yaml"'
    return answer


def _posted() -> str:
    """The text of the form with what its fields changed written into it."""
    text = request.form.get("text", "").replace("\r\n", "\n")
    return into_text(text, request.form.get("shown", ""), sent(request.form))


def _checked(name: str, text: str) -> Draft:
    rule, problems = versions.read(text, name=name, taken=_taken())
    given = {key: value for key, value in request.form.items() if key in ("range", "from", "to", "step", "note")}
    return Draft(text, problems, rule, given=given)


def _save(name: str, draft: Draft) -> tuple[str, int] | Response:
    if draft.rule is None:
        return _page(name, replace(draft, failure="Not saved: mend what is listed below first."), 400)
    note = request.form.get("note", "")
    with operational.writing(console().engine) as session:
        version = versions.save(
            session, draft.text, author=preferences().actor, note=note, now=now(), name=name, taken=_taken()
        )
    return done(f"Saved as version {version.number}.", to=f"/rules/{name}/edit")


def _try(name: str, draft: Draft) -> Draft:
    """Ask for a dry run, or the calibration of a parameter, of the draft."""
    if draft.rule is None:
        return replace(draft, failure="It cannot be tried: mend what is listed below first.")
    try:
        wanted = rule_trials.wanted(name, request.form, text=draft.text)
        if request.form.get("deed") == "calibrate":
            wanted = rule_trials.calibration(wanted, request.form.get("parameter", ""))
        return replace(draft, trial=rule_trials.ask(wanted))
    except ValueError as error:
        return replace(draft, failure=f"It could not run: {error}.")


def _test(name: str, draft: Draft) -> Draft:
    if draft.rule is None:
        return replace(draft, failure="Its cases cannot run: mend what is listed below first.")
    return replace(draft, tested=cases.run(draft.rule))


def _compare(name: str, draft: Draft) -> Draft:
    """How the draft differs from the version that the form names."""
    with operational.reading(console().engine) as session:
        try:
            other = versions.numbered(session, name, int(request.form.get("other", "0")))
        except (LookupError, ValueError) as error:
            return replace(draft, failure=f"Nothing to compare with: {error}.")
    lines = versions.difference(other.text, draft.text, (f"version {other.number}", "this draft"))
    return replace(draft, compared=(f"version {other.number}", lines))


DEEDS: Mapping[str, Callable[[str, Draft], Draft] | None] = {
    "check": None,
    "save": None,
    "try": _try,
    "calibrate": _try,
    "test": _test,
    "compare": _compare,
}
"""What the buttons of the editor do with a draft; None: it is read, or kept, and nothing else."""


def _taken() -> frozenset[str]:
    return frozenset(console().live.files)


def _page(name: str, draft: Draft, status: int = 200) -> tuple[str, int]:
    digest = content_hash(draft.text)
    with operational.reading(console().engine) as session:
        listed = versions.listed(session, name)
        version = next((each for each in listed if each.content_hash == digest), None)
        return show(
            "rule_edit.html",
            status,
            name=name,
            draft=draft,
            lines=draft.text.count("\n") + 1,
            marked={problem.line for problem in draft.problems},
            fields=of_text(draft.text),
            rhythms=RHYTHMS,
            events=EVENTS,
            numeric=_numeric(draft.rule),
            version=version,
            sound=draft.rule is not None,
            live=next((each for each in listed if each.live), None),
            tried=versions.tried(session, digest),
            listed=listed,
            off=name in overrides.off(session, now()),
            trial=rule_trials.view(draft.trial) if draft.trial is not None else None,
            snippet=_snippet(draft.text),
        )


def _system_page(rule: Rule) -> tuple[str, int]:
    plain = console().live.plain(rule.name) or rule
    with operational.reading(console().engine) as session:
        override = session.get(RuleOverride, rule.name)
        return show(
            "rule_set.html",
            name=rule.name,
            rule=rule,
            plain=plain,
            fields=of_rule(rule, plain),
            rhythms=RHYTHMS,
            events=EVENTS,
            override=override,
            remarks=overrides.remarks(plain, override),
            off=rule.name in overrides.off(session, now()),
            version=versions.of_hash(session, rule.name, rule.content_hash),
        )


def _numeric(rule: Rule | None) -> list[str]:
    return [name for name, each in rule.params.items() if each.type in NUMERIC] if rule else []


def _snippet(text: str) -> Sequence[str]:
    return text.splitlines() or [""]
