"""config.yaml and the environment: what goes before what, and that every problem is told at once with its key."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

import config
from config import ConfigError
from home import Home
from tests.cli.conftest import ROOT, Commands


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands start where there is no config.yaml."""
    monkeypatch.chdir(tmp_path)


def write(text: str) -> None:
    Path("config.yaml").write_text(text)


def problems(environment: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as told:
        config.load(environment or {})
    return told.value.problems


def test_without_anything_everything_lies_in_a_folder_here(tmp_path: Path) -> None:
    found = config.load({})
    assert found.operational_url == f"sqlite:///{tmp_path}/.trueup/operational.sqlite"
    assert found.catalog == f"sqlite:{tmp_path}/.trueup/warehouse/catalog.sqlite"
    assert found.data_path == f"{tmp_path}/.trueup/warehouse/files"
    assert found.ranking_rates["KWD"] > found.ranking_rates["USD"] > found.ranking_rates["JPY"]


def test_the_environment_goes_before_the_file_and_trueup_home_before_home(tmp_path: Path) -> None:
    write("home: /from/file\nweb: {port: 1000, host: 0.0.0.0}\nranking_rates: {EUR: 1.25}\n")
    found = config.load({"TRUEUP_HOME": "/from/environment", "TRUEUP__WEB__PORT": "2000"})
    assert (found.place, found.web.port, found.web.host) == (Path("/from/environment"), 2000, "0.0.0.0")
    assert found.ranking_rates["EUR"] == Decimal("1.25")
    assert found.ranking_rates["USD"] == 1


def test_a_whole_integration_can_stand_in_the_environment() -> None:
    variables = {"TYPE": "stripe", "API_KEY_ENV": "STRIPE_KEY", "EVERY": "PT15M", "STALE_AFTER": "P1D"}
    found = config.load({f"TRUEUP__INTEGRATIONS__STRIPE__{name}": value for name, value in variables.items()})
    assert found.pulled == ["stripe"]
    assert found.rhythms == {"stripe": timedelta(minutes=15)}
    assert found.stale_limits == {"stripe": timedelta(days=1)}


def test_every_problem_is_told_at_once_with_its_key_or_variable() -> None:
    write(
        "hom: x\n"
        "detect: {clear_after: 0, cooldown: two weeks}\n"
        "integrations: {Stripe!: {type: stripe}, oddbill: {type: oddbill}}\n"
        "ranking_rates: {EUR: -1}\n"
    )
    told = "\n".join(problems({"TRUEUP__WEB__PORT": "ninety", "TRUEUP__NOPE": "1"}))
    for line in (
        "config.yaml: hom: there is no such setting",
        "config.yaml: detect.clear_after: input should be greater than or equal to 1, not 0",
        "config.yaml: detect.cooldown: 'two weeks' is not an ISO 8601 duration",
        "config.yaml: integrations.Stripe!:",
        "config.yaml: integrations.oddbill.type: there is no integration 'oddbill'; there are ",
        "config.yaml: ranking_rates.EUR: input should be greater than 0",
        "TRUEUP__WEB__PORT: input should be a valid integer",
        "TRUEUP__NOPE: there is no such setting",
    ):
        assert line in told


def test_a_model_is_off_unless_it_is_named_and_its_budget_needs_prices() -> None:
    assert config.load({}).advisor.model is None
    (said,) = problems({"TRUEUP__ADVISOR__MODEL": "m"})
    assert said.startswith("TRUEUP__ADVISOR__MODEL: a daily_budget needs input_price and output_price")
    free = {"TRUEUP__ADVISOR__MODEL": "m", "TRUEUP__ADVISOR__DAILY_BUDGET": ""}
    assert config.load(free).advisor.daily_budget is None


def test_tickets_have_one_place_whose_name_no_integration_takes() -> None:
    write("remediation: {tickets: {folder: ./t, url: https://t.internal}}")
    assert problems() == ["config.yaml: remediation.tickets: name a folder or a url, not both"]
    write("integrations: {tickets: {kind: files}}")
    assert "that name is taken by remediation.tickets" in problems()[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [("- a\n- b\n", "must be a map of sections"), ("web: {port: [\n", "config.yaml: "), ("a: &x *x", "config.yaml: ")],
)
def test_a_file_that_is_no_configuration_is_one_line(text: str, said: str) -> None:
    write(text)
    (line,) = problems()
    assert said in line
    assert "\n" not in line


def test_a_file_that_is_named_and_missing_is_a_problem(tmp_path: Path) -> None:
    assert problems({"TRUEUP_CONFIG": "/no/such.yaml"}) == ["TRUEUP_CONFIG: there is no file /no/such.yaml"]


def test_bad_configuration_leaves_every_command_with_two(trueup_in: Commands) -> None:
    trueup_in.monkeypatch.setenv("TRUEUP__WEB__PORT", "ninety")
    trueup_in.monkeypatch.setenv("TRUEUP__DETECT__CLEAR_AFTER", "0")
    answer = trueup_in("signals", "--json")
    assert (answer.code, answer.out) == (2, "")
    assert len(answer.lines) == 2


def test_a_secret_never_stands_in_the_configuration() -> None:
    write("integrations: {stripe: {type: stripe, api_key: sk_live_1}}\n")
    (line,) = problems()
    assert line == "config.yaml: integrations.stripe.api_key: there is no such setting"


def test_the_file_that_comes_with_trueup_says_what_holds_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    empty = config.load({})
    shipped = config.load({"TRUEUP_CONFIG": str(ROOT / "config.yaml")})
    assert shipped == empty


def test_every_setting_of_the_shipped_file_exists() -> None:
    lines = (ROOT / "config.yaml").read_text().splitlines()
    settings = [line[2:] for line in lines if line.startswith(("# ", "#  ")) and ":" in line and "-" not in line[:3]]
    text = "\n".join(line for line in settings if line.split(":")[0].strip().isidentifier())
    write(text)
    assert config.load({}).integrations["stripe"].every == timedelta(minutes=15)


def test_mail_needs_a_sender_and_no_password_goes_unprotected(monkeypatch: pytest.MonkeyPatch) -> None:
    write("notify: {mail: {host: smtp.example.com}}")
    assert "needs a sender" in problems()[0]
    mail = "host: smtp.example.com, sender: t@example.com, user: t, password_env: MAIL_PASSWORD"
    write(f"notify: {{mail: {{{mail}, security: none}}}}")
    assert "over starttls or tls only" in problems()[0]
    write(f"notify: {{mail: {{{mail}}}, chat_url_env: CHAT_URL}}")
    home = Home(config.load({}))
    assert home.way_names == ("mail", "chat")
    with pytest.raises(ConfigError, match="set the environment variable MAIL_PASSWORD"):
        _ = home.ways
    monkeypatch.setenv("MAIL_PASSWORD", "secret")
    monkeypatch.setenv("CHAT_URL", "https://chat.example.com/hook")
    assert set(home.ways) == {"mail", "chat"}
