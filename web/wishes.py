"""How the person of this browser is told outside the console: what by which way, quiet hours, a test."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, request
from werkzeug.wrappers import Response

from detector.operator_settings import zones
from people import telling, wishes
from people.telling import TooSoon
from people.wishes import KINDS, WAYS, WHEN, BadWishes
from store import operational
from web.console import console, now
from web.pages import done, refused, show
from web.preferences import preferences
from web.words import sentence

pages = Blueprint("wishes", __name__)

HERE = "/notifications/wishes"
NOBODY = "Say your name in the preferences first."


@pages.get(HERE)
def shown() -> tuple[str, int]:
    """What the person wants, as it holds now."""
    with operational.reading(console().engine) as session:
        return _form(wishes.fields(wishes.of(session, preferences().who)))


@pages.post(HERE)
def save() -> tuple[str, int] | Response:
    """Keep what the person wants."""
    who, given = preferences().who, {name: text for name, text in request.form.items() if _is_field(name)}
    if not who:
        return refused(NOBODY, to=HERE)
    try:
        with operational.writing(console().engine) as session:
            wishes.keep(session, who, wishes.read(wishes.of(session, who), given), now=now())
    except BadWishes as bad:
        return _form({**wishes.fields(wishes.Wishes()), **given}, 400, bad.problems)
    return done("You are told as you wish from now on.", to=HERE)


@pages.post("/notifications/test")
def test() -> Response:
    """Ask for a test message; the worker sends it."""
    who, way = preferences().who, request.form.get("way", "")
    if not who:
        return refused(NOBODY, to=HERE)
    if way not in console().ways:
        return refused("That way is not configured; notify in config.yaml names it.", to=HERE)
    try:
        with operational.writing(console().engine) as session:
            telling.test(session, who, way, now=now())
    except TooSoon as soon:
        return refused(sentence(soon), to=HERE)
    return done("A test is on its way; what came of it will stand here.", to=HERE)


def _form(texts: Mapping[str, str], status: int = 200, problems: Mapping[str, str] | None = None) -> tuple[str, int]:
    who = preferences().who
    with operational.reading(console().engine) as session:
        latest = telling.latest(session, who)
        return show(
            "wishes.html",
            status,
            who=who,
            texts=texts,
            problems=problems or {},
            kinds=KINDS,
            ways=WAYS,
            choices=WHEN,
            configured=console().ways,
            latest=latest,
            zones=zones(),
        )


def _is_field(name: str) -> bool:
    return name in wishes.fields(wishes.Wishes())
