"""The versions of rules: every text that somebody saved, who and why, and which of them runs.

A custom rule is a row of `rule_versions` for each of its texts; the live one is evaluated exactly as a file is. A
version becomes live only once that very text was run dry. Of a system rule the text of each file is kept when it first
runs, so that the hash that a run or a signal names always leads to a text.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from detector import rule_text
from detector.rules import Rule, RuleProblem, content_hash, parse
from store import audit, operational
from store.operational_tables import Job, RuleVersion

FOLDER = Path("custom")
"""Where the texts of custom rules are said to stand: `custom/slow_payer.yaml:12`."""

TRIED = ("ok", "partial")
"""How a dry run may have ended for its version to be activated."""


class Unsound(ValueError):  # noqa: N818 (named for what the text is)
    """A text that is no sound rule; `problems` says why, by line."""

    def __init__(self, problems: Sequence[RuleProblem]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class NotTried(RuntimeError):  # noqa: N818
    """A version that was never run dry; the message says how to."""


class NoVersion(LookupError):  # noqa: N818
    """There is no such rule or version."""


def read(text: str, *, name: str | None = None, taken: Collection[str] = ()) -> tuple[Rule | None, list[RuleProblem]]:
    """A custom rule's text as a rule, or what is wrong with it.

    `name` is the one that the rule has to keep, `taken` the names that rules of files have.
    """
    content = rule_text.read(text)
    values = content.values if isinstance(content.values, dict) else {}
    own = str(values.get("name") or "rule")
    path = FOLDER / f"{own}.yaml"
    rule, problems = parse(text, path)
    line = content.line(("name",))
    if name is not None and "name" in values and own != name:
        problems = [*problems, RuleProblem(path, line, f"name: it stays {name}; copy the rule to give it another")]
    if own in taken:
        said = f"name: a file of the rules folder has the name {own}; take another, or move that file out of the folder"
        problems = [*problems, RuleProblem(path, line, said)]
    return (None if problems else rule), sorted(problems)


def save(
    session: Session,
    text: str,
    *,
    author: str,
    note: str,
    now: datetime,
    name: str | None = None,
    taken: Collection[str] = (),
) -> RuleVersion:
    """The version with this text: a new one, unless the newest already says the same. Raises Unsound."""
    rule, problems = read(text, name=name, taken=taken)
    if rule is None:
        raise Unsound(problems)
    operational.alone(session, f"versions/{rule.name}")
    latest = newest(session, rule.name)
    if latest is not None and latest.content_hash == rule.content_hash and latest.origin == "custom":
        return latest
    version = _add(session, rule.name, text, origin="custom", author=author, note=note, now=now)
    before = None if latest is None else {"version": latest.number, "hash": latest.content_hash}
    after = {"version": version.number, "hash": version.content_hash}
    _tell(session, "rule.saved", rule.name, actor=author, now=now, before=before, after=after, reason=version.note)
    return version


def keep(session: Session, rules: Iterable[Rule], now: datetime) -> None:
    """Keep the text of each rule that is about to run, unless it is kept already."""
    wanted = {(rule.name, rule.content_hash): rule for rule in rules}
    hashes = [digest for _, digest in wanted]
    query = select(RuleVersion.rule, RuleVersion.content_hash).where(RuleVersion.content_hash.in_(hashes))
    known = {(row[0], row[1]) for row in session.execute(query)}
    for key, rule in wanted.items():
        if key not in known and content_hash(rule.text) == rule.content_hash:
            operational.alone(session, f"versions/{rule.name}")
            _add(session, rule.name, rule.text, origin="system", author="trueup", note="", now=now)


def activate(session: Session, version: RuleVersion, *, actor: str, note: str, now: datetime) -> None:
    """Let this version run from now on, in place of the one before. Raises NotTried; ValueError without a note."""
    if version.origin != "custom":
        raise ValueError(f"{version.label} is a text of the system pack, which runs by its file; copy it to change it")
    if not note.strip():
        raise ValueError("an activation needs a note: say what changes, and why")
    if tried(session, version.content_hash) is None:
        raise NotTried(
            f"{version.label} was not run dry yet, and only what was may be activated: trueup dry-run {version.label}"
        )
    operational.alone(session, f"versions/{version.rule}")
    before = _stop(session, version.rule)
    session.flush()
    version.live, version.activated_by, version.activated_at = True, actor, now
    version.activation_note = note.strip()
    was = None if before is None else {"version": before.number}
    after = {"version": version.number, "hash": version.content_hash}
    reason = version.activation_note
    _tell(session, "rule.activated", version.rule, actor=actor, now=now, before=was, after=after, reason=reason)


def retire(session: Session, rule: str, *, actor: str, now: datetime) -> RuleVersion | None:
    """Let no version of the rule run any more; the one that did, or None. Its signals stay as they are."""
    running = _stop(session, rule)
    if running is not None:
        _tell(session, "rule.retired", rule, actor=actor, now=now, before={"version": running.number})
    return running


def _stop(session: Session, rule: str) -> RuleVersion | None:
    """Let the version that runs run no more; which one that was."""
    running = session.scalars(select(RuleVersion).where(RuleVersion.rule == rule, RuleVersion.live)).first()
    if running is not None:
        running.live = False
    return running


def restore(session: Session, rule: str, number: int, *, author: str, now: datetime) -> RuleVersion:
    """The text of an earlier version as the newest one; it has to be activated as any other. Raises NoVersion."""
    old = numbered(session, rule, number)
    return save(session, old.text, author=author, note=f"restores version {number}", now=now)


def tried(session: Session, digest: str) -> Job | None:
    """The latest dry run of a text that told something."""
    query = select(Job).where(Job.about == digest, Job.kind == "dry_run", Job.status.in_(TRIED)).order_by(Job.id.desc())
    return session.scalars(query).first()


def listed(session: Session, rule: str) -> list[RuleVersion]:
    """Every version of the rule, the newest first."""
    query = select(RuleVersion).where(RuleVersion.rule == rule).order_by(RuleVersion.number.desc())
    return list(session.scalars(query))


def newest(session: Session, rule: str) -> RuleVersion | None:
    """The newest version of the rule; None when it has none."""
    query = select(RuleVersion).where(RuleVersion.rule == rule).order_by(RuleVersion.number.desc())
    return session.scalars(query.limit(1)).first()


def numbered(session: Session, rule: str, number: int) -> RuleVersion:
    """One version. Raises NoVersion, naming those that there are."""
    found = session.scalars(select(RuleVersion).where(RuleVersion.rule == rule, RuleVersion.number == number)).first()
    if found is None:
        count = session.scalar(select(func.max(RuleVersion.number)).where(RuleVersion.rule == rule))
        raise NoVersion(
            f"{rule} has no version {number}; it has 1 to {count}" if count else f"no version of {rule} was ever saved"
        )
    return found


def of_hash(session: Session, rule: str, digest: str) -> RuleVersion | None:
    """The version that has this text, the newest of them; None when it was never kept."""
    query = select(RuleVersion).where(RuleVersion.rule == rule, RuleVersion.content_hash == digest)
    return session.scalars(query.order_by(RuleVersion.number.desc())).first()


def drafts(session: Session) -> list[RuleVersion]:
    """The newest version of every custom rule of which none is live."""
    alive = select(RuleVersion.rule).where(RuleVersion.live)
    latest = (
        select(func.max(RuleVersion.id))
        .where(RuleVersion.origin == "custom", RuleVersion.rule.not_in(alive))
        .group_by(RuleVersion.rule)
    )
    return list(session.scalars(select(RuleVersion).where(RuleVersion.id.in_(latest)).order_by(RuleVersion.rule)))


def difference(before: str, after: str, names: tuple[str, str]) -> list[str]:
    """How two texts differ, line by line, as `diff -u` says it."""
    return list(difflib.unified_diff(before.splitlines(), after.splitlines(), *names, lineterm=""))


def renamed(text: str, name: str) -> str:
    """The text of a rule under another name."""
    return re.sub(r"^name:.*$", f"name: {name}", text, count=1, flags=re.MULTILINE)


def _tell(session: Session, action: str, rule: str, **more: Any) -> None:
    audit.record(session, action, ("rule", rule), **more)


def _add(session: Session, rule: str, text: str, *, origin: str, author: str, note: str, now: datetime) -> RuleVersion:
    last = session.scalar(select(func.max(RuleVersion.number)).where(RuleVersion.rule == rule)) or 0
    version = RuleVersion(
        rule=rule,
        number=last + 1,
        content_hash=content_hash(text),
        text=text,
        origin=origin,
        author=author,
        note=note.strip(),
        saved_at=now,
        live=False,
    )
    session.add(version)
    session.flush()
    return version
