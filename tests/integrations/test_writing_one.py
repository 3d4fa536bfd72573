"""docs/integrations/writing-one.md, followed literally."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

import integrations
import trueup
from integrations import catalogue

DOC = (Path(__file__).parents[2] / "docs" / "integrations" / "writing-one.md").read_text(encoding="utf-8")
CUSTOMERS = [
    ["id", "name", "currency", "created_at", "changed_at"],
    ["c1", '"Acme, Inc."', "usd", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"],
    ["c2", "東京", "jpy", "2026-01-02T00:00:00Z", "2026-02-01T00:00:00Z"],
    ["c3", "Nowhere", "xx?", "2026-01-03T00:00:00Z", "2026-03-01T00:00:00Z"],
]
INVOICES = [
    ["id", "customer", "status", "currency", "created_at", "issued_at", "total", "paid", "changed_at"],
    ["i1", "c1", "paid", "usd", "2026-02-01T00:00:00Z", "2026-02-01T01:00:00Z", "1234", "1234", "2026-02-01T00:00:00Z"],
    ["i2", "c2", "draft", "jpy", "2026-02-01T00:00:00Z", "", "5000", "0", "2026-02-02T00:00:00Z"],
]


class Tinybill(BaseHTTPRequestHandler):
    """The vendor: one row a page."""

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(address.query).items()}
        head, *rows = CUSTOMERS if "customers" in address.path else INVOICES
        rows = [row for row in rows if row[-1] > asked.get("since", "")]
        page = int(asked["page"])
        allowed = self.headers["Authorization"] == "Bearer right"
        body = "\n".join(",".join(row) for row in [head, *rows[page - 1 : page]]).encode()
        self.send_response(200 if allowed else 401)
        self.send_header("Content-Type", "text/csv")
        self.send_header("Content-Length", str(len(body)))
        if page < len(rows):
            self.send_header("X-Next-Page", str(page + 1))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return None


def block(kind: str) -> str:
    """The page's block of that language."""
    return re.findall(rf"```{kind}\n(.*?)```", DOC, re.DOTALL)[0]


@pytest.fixture
def vendor() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Tinybill)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def followed(vendor: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home in which the page's steps were done."""
    code = block("python")
    assert len(code.splitlines()) < 150
    (tmp_path / "integrations").mkdir()
    (tmp_path / "integrations" / "tinybill.py").write_text(code, encoding="utf-8")
    (tmp_path / "config.yaml").write_text(block("yaml").replace("http://127.0.0.1:8000", vendor), encoding="utf-8")
    monkeypatch.setattr(integrations, "__path__", [*integrations.__path__, str(tmp_path / "integrations")])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRUEUP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TINYBILL_KEY", "right")
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """A command as the page writes it: its exit code and everything that it said."""
    with pytest.raises(SystemExit) as left:
        trueup.main(arguments)
    told = capsys.readouterr()
    return int(left.value.code or 0), told.out + told.err


def test_the_page_followed_literally_brings_the_vendors_records(
    followed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, told = run(capsys, "integrations")
    assert code == 0
    assert "tinybill: reads customers, invoices" in told
    code, told = run(capsys, "sync", "tiny")
    assert (code, "tiny: 4 inserted" in told) == (0, True)
    assert "tiny: customers c3: " in told  # a currency that there is not
    code, told = run(capsys, "sync", "tiny")
    assert (code, "inserted" in told) == (0, False)
    code, told = run(capsys, "sync", "tiny", "--full")
    assert "4 unchanged" in told
    code, told = run(capsys, "integrations", "verify", "tiny")
    assert (code, told.startswith("ok      ")) == (0, True)
    assert "failed" not in told
    monkeypatch.setenv("TINYBILL_KEY", "wrong")
    code, told = run(capsys, "sync", "tiny")
    assert (code, told.strip()) == (1, "trueup: sync tiny: Tinybill refused the key; set a valid one.")


def test_every_integration_is_found_by_its_place_and_says_what_it_can() -> None:
    assert catalogue.kinds() == ["chargebee", "folder", "lago", "openmeter", "sql", "stripe", "zuora"]
    for kind in catalogue.kinds():
        told = str(catalogue.find(kind))
        assert told.startswith(f"{kind}: reads ")
    with pytest.raises(KeyError):
        catalogue.find("example")
