"""Our clients read from Prism, which answers by the vendors' own OpenAPI descriptions and refuses what they do not
describe. Node serves it: `make prism` installs the versions that `tests/peers/prism/package-lock.json` pins.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from integrations.http import SourceError
from integrations.http_retry import Retry
from integrations.pages import Remark
from tests.integrations.vendors import LAGO, OPENMETER, Vendor
from tests.peers.rows import NOW
from tests.peers.test_vendor_shapes import FOLDER
from tests.peers.vendor import KEY

pytestmark = pytest.mark.prism

HERE = Path(__file__).parent / "prism"
PATIENCE = 120.0
PREFIX = {"lago": "/api/v1", "openmeter": ""}
"""What stands before the paths: Prism leaves out the path of a description's servers."""


@pytest.fixture(scope="module")
def prism(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prism's command, installed as it is pinned."""
    if shutil.which("npm") is None:
        said = "Node is not installed, so Prism cannot serve the vendors' descriptions"
        pytest.fail(said) if os.environ.get("CI") else pytest.skip(said)
    place = Path(os.environ["TRUEUP_PRISM"]) if "TRUEUP_PRISM" in os.environ else tmp_path_factory.mktemp("prism")
    command = place / "node_modules" / ".bin" / "prism"
    if not command.exists():
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, place / name)
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=place, check=True)
    return command


@contextmanager
def serving(prism: Path, vendor: str, folder: Path) -> Iterator[str]:
    """Prism on a vendor's description, its address; it refuses what the description does not have."""
    described = yaml.load((FOLDER / f"{vendor}-openapi.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader)
    described["paths"] = {f"{PREFIX[vendor]}{path}": item for path, item in described["paths"].items()}
    own = folder / f"{vendor}.yaml"
    own.write_text(yaml.dump(described, Dumper=yaml.CSafeDumper), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(prism), "mock", "--host", "127.0.0.1", "--port", str(port), str(own)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(process, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        assert process.poll() is None, "Prism ended by itself"
        try:
            httpx.get(f"http://127.0.0.1:{port}/", timeout=5)
            return
        except httpx.HTTPError:
            time.sleep(0.2)
    raise AssertionError("Prism did not answer in time")


def connected(vendor: Vendor, url: str) -> Any:
    settings = {"api_key": KEY, "base_url": f"{url}{vendor.base}", "requests_per_second": 10_000, **vendor.more}
    return vendor.from_config(vendor.name, settings, page_size=20, retry=Retry(attempts=1))


@pytest.mark.parametrize("vendor", [LAGO, OPENMETER], ids=lambda vendor: vendor.name)
def test_every_list_that_we_ask_is_described_and_what_comes_is_read(
    vendor: Vendor, prism: Path, tmp_path: Path
) -> None:
    refused: list[str] = []
    brought: dict[str, int] = {}
    remarks: list[Remark] = []
    with serving(prism, vendor.name, tmp_path) as url:
        lists = connected(vendor, url).lists.fresh()
        for stream in lists.streams:
            for since in (None, NOW - timedelta(days=1)):
                try:
                    listing = stream.listing(None, since)
                    rows, odd = stream.rows(listing.objects, since)
                except SourceError as error:
                    refused.append(f"{stream.name}: {error}")
                    continue
                remarks += odd
                brought[stream.name] = sum(map(len, rows.values()))
    print(vendor.name, brought, *remarks, sep="\n")  # examples that do not fit together are named, and cost no other
    assert refused == []
    assert sum(bool(many) for many in brought.values()) >= len(brought) / 2, brought
