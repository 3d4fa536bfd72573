"""What a first visit moves over the wire, and how many elements the page has (console.md, section 4)."""

from __future__ import annotations

from dataclasses import dataclass, field

from playwright.sync_api import Page

KB = 1024


@dataclass
class Traffic:
    """Everything that a page loaded, by address."""

    sizes: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Bytes of everything."""
        return sum(self.sizes.values())

    def of(self, kind: str) -> int:
        """Bytes of one kind: Script, Stylesheet ..."""
        return sum(size for address, size in self.sizes.items() if self.kinds[address] == kind)


def load(page: Page, address: str) -> Traffic:
    """Visit with an empty cache and count."""
    traffic, names = Traffic(), {}
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})

    def answered(event: dict[str, object]) -> None:
        names[event["requestId"]] = event["response"]["url"]  # type: ignore[index]
        traffic.kinds[event["response"]["url"]] = str(event["type"])  # type: ignore[index]

    def finished(event: dict[str, object]) -> None:
        traffic.sizes[names[event["requestId"]]] = int(event["encodedDataLength"])  # type: ignore[call-overload]

    session.on("Network.responseReceived", answered)
    session.on("Network.loadingFinished", finished)
    page.goto(address)
    page.wait_for_load_state("networkidle")
    return traffic


def elements(page: Page) -> int:
    """How many elements the page has now."""
    return int(page.evaluate("document.getElementsByTagName('*').length"))
