"""What a person sets for this browser: name, colours, row height, single keys, and that the first steps were read.

Kept in one cookie, works without JS.

The name counts only while nobody has to sign in; afterwards it is that of the account.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from urllib.parse import parse_qs, urlencode

from flask import Blueprint, redirect, request
from werkzeug.wrappers import Response

from web.access import caller
from web.pages import back

COOKIE = "trueup_preferences"
CHOICES = {
    "theme": ("auto", "light", "dark"),
    "density": ("comfortable", "compact"),
    "keys": ("on", "off"),
    "tour": ("open", "done"),
}
YEAR = 365 * 24 * 3600

pages = Blueprint("preferences", __name__)


@dataclass(frozen=True)
class Preferences:
    """The settings; what a cookie does not say, or says wrongly, is as here."""

    theme: str = "auto"
    density: str = "comfortable"
    keys: str = "on"
    tour: str = "open"  # the first steps, shown above the inbox until somebody has read them
    who: str = ""

    @property
    def actor(self) -> str:
        """Who the timeline names for a change made in this browser."""
        return self.who or "console"


def read(values: dict[str, list[str]]) -> Preferences:
    """Settings from a form or a cookie; unknown names and values are left out."""
    chosen = {name: values[name][0] for name, allowed in CHOICES.items() if values.get(name, [""])[0] in allowed}
    who = " ".join(values.get("who", [""])[0].split())[:60]
    return replace(Preferences(who=who), **chosen)


def preferences() -> Preferences:
    """The settings of this browser, under the name of whoever is signed in."""
    return replace(_kept(), who=caller().name) if caller().person_id else _kept()


@pages.post("/preferences")
def save() -> Response:
    """Keep the form's settings for a year and go back."""
    return _keep(replace(read(request.form.to_dict(flat=False)), tour=_kept().tour))


@pages.post("/preferences/tour")
def tour() -> Response:
    """The first steps were read, or are wanted once more."""
    wanted = read(request.form.to_dict(flat=False)).tour
    return _keep(replace(_kept(), tour=wanted))


def _kept() -> Preferences:
    return read(parse_qs(request.cookies.get(COOKIE, "")))


def _keep(chosen: Preferences) -> Response:
    answer = redirect(back(), 303)
    kept = urlencode(asdict(chosen))
    answer.set_cookie(COOKIE, kept, max_age=YEAR, httponly=True, samesite="Lax", secure=request.is_secure)
    return answer
