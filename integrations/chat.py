"""Posts to a chat by an incoming webhook, as Slack, Mattermost, Rocket.Chat, Zulip and Teams' workflows take it.

Owns how one message is handed over; does not own what stands in it. No integration: nothing is read from it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from integrations.http import Client, SourceError, UnreachableError
from integrations.http_retry import Retry

_CALL = re.compile(r"@(?=(?:channel|here|all|everyone|room)\b)", re.IGNORECASE)
_BETWEEN = "\u2060"  # joins the words on both sides, and is not seen


@dataclass(frozen=True)
class Chat:
    """The address of an incoming webhook. It is a secret: who has it may post."""

    url: str = field(repr=False)
    client: Client = field(repr=False, default_factory=lambda: Client(retry=Retry(attempts=1), expects="", timeout=20))

    def send(self, text: str) -> None:
        """Post one message of plain text; what customers are called cannot call people, nor hide a link.

        Raises SourceError, whose message never holds the address.
        """
        try:
            reply = self.client.send(
                "POST", self.url, headers={"Content-Type": "application/json"}, body=json.dumps({"text": plain(text)})
            )
        except UnreachableError as error:
            raise SourceError(f"the chat of notify.chat_url_env gives no answer: {error}", permanent=False) from None
        if reply.status >= 300:
            said = " ".join(reply.body[:200].decode("utf-8", "replace").split())
            told = f"the chat of notify.chat_url_env refuses the message ({reply.status} {said})"
            raise SourceError(told.replace(self.url, "its address"), permanent=reply.status not in _PASSING)


_PASSING = (408, 425, 429, 500, 502, 503, 504)


def plain(text: str) -> str:
    """The text with everything taken out of it that a chat would act on (Slack's escapes; @channel and its like)."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _CALL.sub(f"@{_BETWEEN}", escaped)
