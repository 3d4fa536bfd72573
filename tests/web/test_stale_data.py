"""Where a source is behind, every page, answer and command with numbers out of the books says so, in the same words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.web.company import Home
from tests.web.connected import CONNECTED, FAILED, fill
from tests.web.reading import Page, get, text

SAID = f"Rests on stale data: the last sync failed: {FAILED} See stripe"


@pytest.fixture(scope="module")
def client(example_company: Home, tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    """The company, whose source could not be read an hour ago."""
    home = example_company.copy(tmp_path_factory.mktemp("stale") / "home")
    fill(home)
    return home.app(connected=CONNECTED).test_client()


@pytest.fixture(scope="module")
def signal(client: FlaskClient) -> str:
    listed = get(client, "/signals?code=TU-01")
    assert "stripe failed" in text(listed)
    assert "metering is stale" in text(listed)
    return re.findall(r'href="(/signals/SIG-\d+)"', listed)[0]


@pytest.mark.parametrize("kind", ["customers", "subscriptions", "invoices", "usage", "records/item"])
def test_a_record_says_that_its_source_is_behind(client: FlaskClient, signal: str, kind: str) -> None:
    item = re.findall(r'href="/usage\?item=(\w+)', get(client, signal))[0]
    found = re.findall(rf'href="(/{kind}[/?][^"#]+)"', get(client, signal)) or [f"/records/item/{item}"]
    address = found[0].replace("&amp;", "&")
    html = get(client, address)
    assert SAID in text(html)
    assert text(html).count("See stripe") == 1
    assert Page(html).problems == []


def test_a_signal_and_its_peek_say_so(client: FlaskClient, signal: str) -> None:
    for address in (signal, f"{signal}/peek"):
        assert text(get(client, address)).count(SAID) == 1


@pytest.mark.parametrize("address", ["/bill-runs", "/reports/manager", "/scoreboard", "/unusual"])
def test_numbers_over_everything_name_every_source_that_is_behind(client: FlaskClient, address: str) -> None:
    html = get(client, address)
    assert SAID in text(html)
    assert "See metering" in text(html)
    assert Page(html).problems == []


@pytest.mark.parametrize("address", ["/signals", "/scoreboard", "/data"])
def test_the_api_names_them_in_a_header(client: FlaskClient, address: str) -> None:
    answer = client.get(f"/api/v1{address}")
    assert (answer.status_code, answer.headers["Trueup-Stale"]) == (200, "metering, stripe")


def test_fresh_data_is_said_nothing_of(example_company: Home) -> None:
    client = example_company.app().test_client()
    assert "stale" not in text(get(client, "/scoreboard"))
    assert "Trueup-Stale" not in client.get("/api/v1/signals").headers


def test_the_command_line_says_so_beside_the_numbers(
    example_company: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import trueup

    home = example_company.copy(tmp_path / "home")
    fill(home)
    (tmp_path / "config.yaml").write_text("integrations: {stripe: {kind: stripe, api_key_env: STRIPE_API_KEY}}")
    monkeypatch.setenv("TRUEUP_HOME", str(home.folder))
    monkeypatch.setenv("TRUEUP_CONFIG", str(tmp_path / "config.yaml"))
    monkeypatch.setenv("TRUEUP__OPERATIONAL__URL", f"sqlite:///{home.folder}/trueup.sqlite")
    with pytest.raises(SystemExit) as left:
        trueup.main(["scoreboard", "--json"])
    told = capsys.readouterr()
    assert left.value.code == 0
    assert f"stale data: stripe: the last sync failed: {FAILED}" in told.err
    assert told.out.startswith("{")
