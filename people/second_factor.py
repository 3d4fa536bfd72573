"""The second factor: six digits of an authenticator (TOTP, RFC 6238, by pyotp), and recovery codes for a lost one.

Enrolment is in two steps, so that nobody is shut out by a secret that never arrived: the secret counts once a code of
it was shown. A code is taken once.
"""

from __future__ import annotations

import secrets
from datetime import datetime

import pyotp
from sqlalchemy.orm import Session

from people import credentials
from store import audit
from store.people_tables import Person

ISSUER = "Trueup"
RECOVERY_CODES = 10
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_STEP = 30


class WrongCode(ValueError):  # noqa: N818 (named for what it is)
    """A code that is not the one; the message says what to try."""

    def __init__(self) -> None:
        super().__init__("that is not the code of now; look again, and see that the clock of your device is right")


def begin(person: Person) -> None:
    """Give the person a secret that does not count yet; the one that was begun earlier stays."""
    if person.totp_secret is None:
        person.totp_secret = pyotp.random_base32()


def address(person: Person) -> str:
    """The otpauth address of the secret, which authenticators read."""
    return pyotp.TOTP(person.totp_secret or "").provisioning_uri(name=person.email, issuer_name=ISSUER)


def confirm(session: Session, person: Person, code: str, *, now: datetime) -> list[str]:
    """Let the second factor count from now on; its recovery codes, shown once. Raises WrongCode."""
    if person.totp_since is not None or not _is_code_of_now(person, code, now):
        raise WrongCode
    person.totp_since = now
    codes = [
        "-".join("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(3)) for _ in range(RECOVERY_CODES)
    ]
    person.recovery_hashes = [credentials.fingerprint(each) for each in codes]
    audit.record(session, "person.second_factor_on", ("person", person.email), actor=person.name, now=now)
    return codes


def check(session: Session, person: Person, code: str, *, now: datetime) -> bool:
    """Whether it is the code of now, or a recovery code, which is used up by that."""
    if _is_code_of_now(person, code, now):
        return True
    used = credentials.fingerprint("-".join(code.strip().lower().split()))
    if used not in (person.recovery_hashes or []):
        return False
    person.recovery_hashes = [each for each in person.recovery_hashes or [] if each != used]
    left = {"codes_left": len(person.recovery_hashes)}
    audit.record(session, "person.recovery_code_used", ("person", person.email), actor=person.name, now=now, after=left)
    return True


def remove(session: Session, person: Person, *, actor: str, now: datetime) -> None:
    """Sign in without a second factor from now on."""
    was_on = person.totp_since is not None
    person.totp_secret, person.totp_since, person.totp_step, person.recovery_hashes = None, None, None, None
    if was_on:
        audit.record(session, "person.second_factor_off", ("person", person.email), actor=actor, now=now)


def _is_code_of_now(person: Person, code: str, now: datetime) -> bool:
    """Whether it is the code of these 30 seconds or of those beside them, and was not used before."""
    digits = "".join(code.split())
    if person.totp_secret is None or not (digits.isascii() and digits.isdigit()):
        return False
    totp, step = pyotp.TOTP(person.totp_secret), int(now.timestamp()) // _STEP
    for each in (step - 1, step, step + 1):
        if secrets.compare_digest(totp.generate_otp(each), digits) and each > (person.totp_step or 0):
            person.totp_step = each
            return True
    return False
