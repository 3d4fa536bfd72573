"""`trueup advise` with a model and without, and `trueup ask`, as a person types them."""

from __future__ import annotations

import json

import pytest

import config as configuration
import trueup
from tests.peers.openai import refuse, say
from tests.remediation.advisor.desk import KEY, Desk
from tests.web.company import Home

REAL = trueup.Home
SAID = {"explanation": [{"text": "The root cause is pricing.", "cites": ["cause"]}], "order": [], "doubts": []}


@pytest.fixture
def place(desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The desk's home as the environment of a command, with the model configured; the label of its signal."""
    url = desk.remedy.setting.engine.url.render_as_string()
    home = Home(tmp_path_factory.getbasetemp())
    warehouse = desk.remedy.setting.warehouse
    for name, value in {
        "TRUEUP_CONFIG": _config(tmp_path_factory, desk), "TRUEUP__OPERATIONAL__URL": url, "PEER_KEY": KEY,
        "TRUEUP_HOME": str(home.folder), "TRUEUP__WAREHOUSE__CATALOG": f"sqlite:{warehouse.catalog.place}",
        "TRUEUP__WAREHOUSE__DATA_PATH": str(warehouse.data_path),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    kept: list[trueup.Home] = []

    def opened(config: configuration.Config) -> trueup.Home:
        """The home of the last command while the configuration is the same: its rules are read once."""
        if not kept or kept[-1].config != config:
            kept.append(REAL(config))
        return kept[-1]

    monkeypatch.setattr(trueup, "Home", opened)
    return desk.row().label


def _config(folders: pytest.TempPathFactory, desk: Desk) -> str:
    path = folders.mktemp("config") / "config.yaml"
    section = {"model": "peer-1", "base_url": desk.peer.url, "api_key_env": "PEER_KEY", "input_price": 2,
               "output_price": 10, "timeout": "PT5S"}  # fmt: skip
    path.write_text(json.dumps({"advisor": section}))
    return str(path)


def run(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    with pytest.raises(SystemExit) as left:
        trueup.main(list(words))
    captured = capsys.readouterr()
    assert left.value.code == code, captured
    return captured.out if code == 0 else captured.err


def test_what_code_found_and_what_the_model_says_stand_apart(
    desk: Desk, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.peer.will(say(SAID))
    told = run(capsys, "advise", place)
    found, _, said = told.partition("what peer-1 says (a language model")
    assert "is usually a matter of pricing" in found and "The root cause is pricing. [cause]" in said
    assert "1000 tokens in, 100 out" in said and "0.0030 USD" in said
    assert "what peer-1 says" not in run(capsys, "advise", place, "--without-model")
    desk.peer.will(refuse(503))
    as_json = json.loads(run(capsys, "advise", place, "--json"))
    assert as_json["root_cause"]["class"] == "pricing"
    assert as_json["model"]["status"] in ("failed", "answered")  # the same question was asked before
    desk.peer.will(say("The root cause is pricing. [cause]\nIt is blue."))
    told = run(capsys, "ask", place, "what is it about?")
    assert told.startswith("The root cause is pricing. [cause]\n") and "1 sentence was dropped" in told


def test_a_question_without_an_answer_or_a_model_fails_with_the_remedy(
    desk: Desk, place: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.peer.will(refuse(401))
    assert "refuses the key; set the variable that advisor.api_key_env names" in run(
        capsys, "ask", place, "and why?", code=1
    )
    assert "there is no signal SIG-99999" in run(capsys, "ask", "SIG-99999", "why?", code=2)
    monkeypatch.setattr(trueup, "Home", REAL)
    monkeypatch.delenv("PEER_KEY")
    assert "set the environment variable PEER_KEY" in run(capsys, "ask", place, "why?", code=2)
    monkeypatch.delenv("TRUEUP_CONFIG")
    assert "no language model is configured" in run(capsys, "ask", place, "why?", code=1)
