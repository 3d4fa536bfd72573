"""A real Chromium on a real server. A page that logs an error or breaks the content policy fails its test."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import waitress
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from tests.web.company import Home
from web.server import close

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
MISSING = f"there is no Chromium at {CHROMIUM}; install it with: apt-get install chromium"

Serve = Callable[[Home], str]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        if os.environ.get("CI") == "true":
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


class Served:
    """A home served by waitress on a free port, with a worker beside it."""

    def __init__(self, home: Home, advisor: str | None = None, ways: Sequence[str] = ()) -> None:
        self.home = home
        app = home.app(advisor=advisor, ways=ways)
        self.server = waitress.create_server(app, host="127.0.0.1", port=0, threads=4)
        self.address = f"http://127.0.0.1:{self.server.effective_port}"
        self.over = threading.Event()
        self.worker = threading.Thread(target=self._work)
        threading.Thread(target=self.server.run, daemon=True).start()  # an open window may hold on to it
        self.worker.start()

    def _work(self) -> None:
        engine = self.home.engine()
        while not self.over.wait(0.3):
            self.home.try_out(engine)
        engine.dispose()

    def stop(self) -> None:
        """Ends the worker and the server."""
        self.over.set()
        self.worker.join()
        close(self.server)
        self.server.task_dispatcher.shutdown()


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[Path, Served]]:
    """What is served now, by the home's folder: those of all tests until the end, a test's own until it is over."""
    served: dict[Path, Served] = {}
    yield served
    for one in served.values():
        one.stop()


@pytest.fixture
def serve(servers: dict[Path, Served]) -> Serve:
    """Serves a home, once, and says where."""

    def start(home: Home) -> str:
        if home.folder not in servers:
            servers[home.folder] = Served(home)
        return servers[home.folder].address

    return start


@pytest.fixture
def home(example_company: Home, servers: dict[Path, Served], tmp_path: Path) -> Iterator[Home]:
    """The example company, with signals of its own to change."""
    copied = example_company.copy(tmp_path / "home")
    yield copied
    if copied.folder in servers:
        servers.pop(copied.folder).stop()
    shutil.rmtree(copied.folder, ignore_errors=True)  # the server may still be copying the books near


@pytest.fixture
def open_browser(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a fresh browser window; when the test is over, none of its pages may have complained."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    def window(*, width: int = 1440, scheme: str = "light", scripts: bool = True, expect_errors: bool = False) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900 if width > 500 else 844},
            color_scheme=scheme,  # type: ignore[arg-type]
            java_script_enabled=scripts,
            reduced_motion="reduce",
        )
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        if not expect_errors:
            page.on("console", listen)
            page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield window
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def page(open_browser: Callable[..., Page]) -> Page:
    """A window of 1440 by 900, light."""
    return open_browser()
