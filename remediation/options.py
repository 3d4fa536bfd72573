"""What the commands of remediation have in common: what is opened, who acts and why, and how a refusal is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import click

from detector import inbox
from detector.commands import Opened as Home
from detector.terminal import JobFailed
from integrations.http import SourceError
from remediation import life
from remediation.remedy import Remedy

if TYPE_CHECKING:
    from remediation.advisor.model import Model


class Opened(Home, Protocol):
    """What the command line opened, with what remediation needs."""

    @property
    def remedy(self) -> Remedy: ...

    @property
    def model(self) -> Model | None: ...


AS = click.option("--as", "actor", required=True, metavar="NAME", help="Who does this.")
BY = click.option("--as", "actor", default="cli", show_default=True, metavar="NAME", help="Who does this.")
REASON = click.option("--reason", required=True, metavar="TEXT", help="Why; it stays with the action.")


class refusals:  # noqa: N801 (used as a statement)
    """What policy refuses is a failed job with its reason, an id that is not there a wrong argument."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, life.UnknownAction):
            raise click.UsageError(str(error)) from None
        if isinstance(error, life.Refused | SourceError):
            raise JobFailed(str(error)) from None


def signal_number(text: str) -> int:
    """The number of a signal as it is named on the command line. Raises click.UsageError."""
    number = inbox.number(text)
    if number is None:
        raise click.UsageError(f"there is no signal {text}; trueup signals lists them")
    return number
