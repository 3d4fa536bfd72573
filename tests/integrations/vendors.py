"""The vendors whose lists are walked: how a test connects to the peer of each, and the company that it holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from integrations import chargebee, lago, openmeter, zuora
from integrations.http_limits import Pace
from integrations.http_retry import Retry
from tests.peers.chargebee import sample as chargebee_sample
from tests.peers.lago import sample as lago_sample
from tests.peers.openmeter import sample as openmeter_sample
from tests.peers.stripe.process import Peer
from tests.peers.vendor import KEY
from tests.peers.zuora import sample as zuora_sample
from tests.peers.zuora.account import CLIENT


@dataclass(frozen=True)
class Vendor:
    """One vendor; `base` follows the peer's address, `few` is a page size that its sample fills many times."""

    name: str
    from_config: Callable[..., Any]
    company: Callable[[], dict[str, list[dict[str, Any]]]]
    tables: Sequence[str]
    base: str
    few: int
    more: Mapping[str, object] = field(default_factory=dict)

    def connected(self, peer: Peer, *, key: str = KEY, page_size: int = 100, pace: Pace | None = None) -> Any:
        """The integration, in no hurry to wait; with a `pace` it waits as it would, by that clock."""
        settings = {"api_key": key, "base_url": f"{peer.url}{self.base}", "requests_per_second": 10_000, **self.more}
        retry = None if pace else Retry(first_wait=0.01, longest_wait=0.02)
        return self.from_config(self.name, settings, page_size=page_size, retry=retry, pace=pace)


LAGO = Vendor(
    "lago", lago.from_config, lago_sample.company, lago.TABLES, "/api/v1", 3, {"webhook_key": "hush"}
)  # fmt: skip
OPENMETER = Vendor("openmeter", openmeter.from_config, openmeter_sample.company, openmeter.TABLES, "", 2)
CHARGEBEE = Vendor(
    "chargebee", chargebee.from_config, chargebee_sample.company, chargebee.TABLES, "/api/v2", 2,
    {"webhook_password": "pw"},
)  # fmt: skip
ZUORA = Vendor(
    "zuora", zuora.from_config, zuora_sample.company, zuora.TABLES, "", 2,
    {"client_id": CLIENT, "timezone": "Europe/Berlin"},
)  # fmt: skip
