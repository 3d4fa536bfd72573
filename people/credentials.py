"""Passwords by argon2id, and random secrets of which only the hash is kept."""

from __future__ import annotations

import hashlib
import secrets
from functools import cache
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST, LONGEST = 12, 200

_hasher = PasswordHasher()
"""The library's defaults: argon2id by RFC 9106's second recommendation (64 MiB, three passes)."""

_AT_ONCE = BoundedSemaphore(4)
"""Passwords that are compared at once: each takes 64 MiB, and anybody may ask."""


class BadPassword(ValueError):  # noqa: N818 (named for what it is)
    """A password that is not taken; the message says why."""


def checked(password: str, *known: str) -> str:
    """The password, if it is long enough and none of what anybody knows of the person. Raises BadPassword."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise BadPassword(f"a password has {SHORTEST} to {LONGEST} characters; a few words make a good one")
    if password.casefold() in {word.casefold() for word in known} or len(set(password)) < 5:
        raise BadPassword("that password is guessed at once; take a few words that do not belong together")
    return password


def hashed(password: str) -> str:
    """What is kept of a password."""
    return _hasher.hash(password)


def matches(password: str, kept: str | None) -> bool:
    """Whether it is the password. Where none is kept it takes as long, so that nobody learns who has an account."""
    with _AT_ONCE:
        try:
            return _hasher.verify(kept or _nobodys(), password) and kept is not None
        except (VerificationError, InvalidHashError):
            return False


def fresh(prefix: str = "") -> str:
    """A secret of 256 random bits."""
    return prefix + secrets.token_urlsafe(32)


def fingerprint(secret: str) -> str:
    """What is kept of a random secret; too long to be guessed, so a plain hash does."""
    return hashlib.sha256(secret.encode()).hexdigest()


@cache
def _nobodys() -> str:
    return _hasher.hash(secrets.token_hex(16))
