"""Sends mail by SMTP. No integration: nothing is read from it.

Owns how one message is handed to a mail server; does not own what stands in it, nor to whom it goes.
"""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Literal

from integrations.http import SourceError

SECONDS = 20
"""How long a server may take to answer each step."""


@dataclass(frozen=True)
class Attached:
    """A file of text that goes with a message; `type` is what follows `text/` or `application/`."""

    name: str
    type: Literal["csv", "json"]
    body: bytes


@dataclass(frozen=True)
class Mail:
    """A mail server, and in whose name it is asked. `security`: `starttls`, `tls` from the first byte, or `none`."""

    host: str
    port: int
    sender: str
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    def send(self, to: str, subject: str, text: str, *, key: str, at: datetime, file: Attached | None = None) -> None:
        """Hand one message over. `key` names it: sent twice, a mailbox may know it again.

        Raises SourceError: `permanent` where the server refuses the address, the sender or the password.
        """
        message = self._message(to, subject, text, key, at, file)
        try:
            with self._server() as server:
                if self.user:
                    server.login(self.user, self.password or "")
                server.send_message(message)
        except smtplib.SMTPAuthenticationError:
            told = f"{self.host} refuses the user {self.user}; notify.mail.user and password_env name who signs in"
            raise SourceError(told, permanent=True) from None
        except smtplib.SMTPRecipientsRefused as error:
            code, said = next(iter(error.recipients.values()))
            raise SourceError(f"{self.host} refuses {to} ({_said(code, said)})", permanent=code >= 500) from None
        except smtplib.SMTPResponseException as error:
            told = f"{self.host} refuses the message ({_said(error.smtp_code, error.smtp_error)})"
            raise SourceError(told, permanent=error.smtp_code >= 500) from None
        except smtplib.SMTPNotSupportedError as error:
            told = f"{self.host} cannot do what notify.mail asks for: {error}"
            raise SourceError(told, permanent=True) from None
        except (OSError, smtplib.SMTPException) as error:
            told = f"{self.host}:{self.port} does not take mail: {error}; notify.mail names the server"
            raise SourceError(told, permanent=False) from None

    def _server(self) -> smtplib.SMTP:
        trust = ssl.create_default_context()
        if self.security == "tls":
            return smtplib.SMTP_SSL(self.host, self.port, timeout=SECONDS, context=trust)
        server = smtplib.SMTP(self.host, self.port, timeout=SECONDS)
        if self.security == "starttls":
            server.starttls(context=trust)
        return server

    def _message(self, to: str, subject: str, text: str, key: str, at: datetime, file: Attached | None) -> EmailMessage:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self.sender, to, " ".join(subject.split())
        message["Date"] = format_datetime(at)
        domain = parseaddr(self.sender)[1].partition("@")[2] or "trueup.invalid"
        message["Message-ID"] = f"<{key}@{domain}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answer of somebody's absence comes back
        message.set_content(text)
        if file is not None:
            kind = "text" if file.type == "csv" else "application"
            message.add_attachment(
                file.body, maintype=kind, subtype=file.type, filename=file.name, params={"charset": "utf-8"}
            )
        return message


def _said(code: int, text: bytes | str) -> str:
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{code} {' '.join(said.split())}"[:200]
