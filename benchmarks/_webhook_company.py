"""A Stripe account with many drafts and a `trueup serve` beside it, for what is measured of webhooks."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import stripe

from tests.peers.stripe.process import KEY, Peer, running
from tests.peers.stripe.sample import company

ROOT = Path(__file__).resolve().parents[1]
SECRET = "whsec_bench"


@dataclass(frozen=True)
class Served:
    """A serving process on a home of its own, and the account that it reads."""

    url: str
    pid: int
    home: Path
    peer: Peer


def drafts(many: int) -> dict[str, list[dict[str, object]]]:
    """The sample company with that many drafts: `in_draft_0`, `in_draft_1`, ..."""
    rows = company()
    (draft,) = (row for row in rows["invoices"] if row["invoice_id"] == "in_draft")
    lines = [row for row in rows["invoice_lines"] if row["invoice_id"] == "in_draft"]
    for number in range(many):
        id = f"in_draft_{number}"
        begins = START - timedelta(days=number + 1)
        period = {"period_start": begins, "period_end": begins + timedelta(days=1)}
        rows["invoices"].append(draft | period | {"invoice_id": id, "number": None})
        named = {"invoice_id": id, **period}
        rows["invoice_lines"] += [line | named | {"line_id": f"{line['line_id']}_{number}"} for line in lines]
    return rows


START = datetime(2026, 10, 1, tzinfo=UTC)
"""The drafts are of one day each, before the sample's own: what is measured is one fault at a time."""


def signed(event: str, invoice: str, kind: str = "invoice.updated") -> tuple[bytes, dict[str, str]]:
    """A delivery of Stripe about an invoice: body and headers."""
    at = int(time.time())
    about = {"id": invoice, "object": "invoice"}
    body = json.dumps({"id": event, "object": "event", "type": kind, "created": at, "data": {"object": about}})
    header = stripe.WebhookSignature.generate_signature_header(body, SECRET, at)
    return body.encode(), {"Content-Type": "application/json", "Stripe-Signature": str(header)}


def spent(pid: int) -> float:
    """The processor seconds of a process so far: they hardly depend on what else the machine does."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> float:
    """What a process holds in memory, MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def served(folder: Path, many: int) -> Iterator[Served]:
    """Everything synced and every rule run once, then served."""
    with running() as peer:
        peer.load(drafts(many), announce=False)
        variables = _variables(folder, peer)
        for arguments in (["sync", "stripe"], ["run"]):
            subprocess.run(_command(*arguments), cwd=ROOT, env=variables, check=False, capture_output=True)
        process = subprocess.Popen(
            _command("serve", "--port", "0"),
            cwd=ROOT,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert process.stdout is not None
            url = next(found[0] for line in process.stdout if (found := re.search(r"http://[\d.]+:\d+", line)))
            yield Served(url, process.pid, folder, peer)
        finally:
            process.terminate()
            process.wait()


def _command(*arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "trueup.py"), *arguments]


def _variables(folder: Path, peer: Peer) -> Mapping[str, str]:
    settings = {
        "KIND": "stripe",
        "API_KEY_ENV": "BENCH_KEY",
        "WEBHOOK_SECRET_ENV": "BENCH_SECRET",
        "BASE_URL": peer.url,
        "REQUESTS_PER_SECOND": "1000",
    }
    own = {f"TRUEUP__INTEGRATIONS__STRIPE__{name}": value for name, value in settings.items()}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRUEUP")}
    return {**kept, **own, "BENCH_KEY": KEY, "BENCH_SECRET": SECRET, "TRUEUP_HOME": str(folder)}
