"""Takes personal data and secrets out of what is sent to a model, and puts names back into what it answers.

A name becomes a token such as CUSTOMER_2, the same one for the same name throughout one exchange.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

LEAST_NAME = 3
"""Characters below which a name is no name: hiding it would tear other words apart."""

TOKEN = re.compile(r"\b(?:CUSTOMER|MAIL|PHONE|CARD|SECRET|TEXT)_\d+\b")

_SECRETS = re.compile(r"\b(?:sk|rk|pk|whsec|ghp|xox[bp])[_-][A-Za-z0-9_-]{8,}|\beyJ[\w-]{10,}\.[\w.-]+")
_MAILS = re.compile(r"[\w.+'-]+@[\w-]+(?:\.[\w-]+)+")
_CARDS = re.compile(r"\b\d(?:[ -]?\d){12,18}\b")
_PHONES = re.compile(r"(?<![\w.])(?:\+|00)\d(?:[ ()/-]{0,2}\d){6,14}(?!\w)")


class Mask:
    """The tokens of one exchange. Hiding the same text again gives the same tokens."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._tokens: dict[str, str] = {}  # by what they stand for, in lower case
        self._shown: dict[str, str] = {}  # what each stands for
        self._names: list[str] = []
        self.know(names)

    def know(self, names: Iterable[str]) -> None:
        """Hide these names of customers too, whatever the case they are written in; the longest goes first."""
        new = {" ".join(name.split()) for name in names if len(" ".join(name.split())) >= LEAST_NAME}
        self._names = sorted({*self._names, *new}, key=lambda name: (-len(name), name))

    def token(self, kind: str, text: str) -> str:
        """The token that stands for a text; a new one of that kind when none does yet."""
        known = self._tokens.get(text.casefold())
        if known is None:
            count = sum(1 for each in self._tokens.values() if each.startswith(f"{kind}_"))
            known = self._tokens[text.casefold()] = f"{kind}_{count + 1}"
            self._shown[known] = text
        return known

    def hide(self, text: str) -> str:
        """The text with secrets, mail addresses, card and phone numbers and known names as tokens."""
        text = _SECRETS.sub(lambda found: self.token("SECRET", found[0]), text)
        text = _MAILS.sub(lambda found: self.token("MAIL", found[0]), text)
        text = _CARDS.sub(lambda found: self.token("CARD", found[0]) if _is_card(found[0]) else found[0], text)
        text = _PHONES.sub(lambda found: self.token("PHONE", found[0]), text)
        for name in self._names:
            text = self._hide_name(name, text)
        return text

    def _hide_name(self, name: str, text: str) -> str:
        pattern = r"(?<!\w)" + r"\s+".join(map(re.escape, name.split())) + r"(?!\w)"
        return re.sub(pattern, lambda found: self.token("CUSTOMER", name), text, flags=re.IGNORECASE)

    def show(self, text: str) -> str:
        """The text with names and addresses in place of their tokens; secrets and card numbers stay hidden."""
        return TOKEN.sub(lambda found: self._told(found[0]), text)

    def _told(self, token: str) -> str:
        hidden = token.startswith(("SECRET_", "CARD_"))
        return token if hidden else self._shown.get(token, token)


def _is_card(text: str) -> bool:
    """Whether the digits pass the check that card numbers pass (Luhn)."""
    digits = [int(each) for each in text if each.isdigit()]
    doubled = [digit * 2 - 9 if digit > 4 else digit * 2 for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
