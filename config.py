"""Reads config.yaml and the environment into one frozen Config, and reports every problem at once with its key.

Where it is written is config_file.py's. Secrets stand there nowhere: a key that ends in `_env` names the variable that
holds one. Only what stands on top reads this module.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails

from billing.dialects import DIALECTS, Dialect, dialect_of
from billing.money import Rounding
from billing.periods import parse_duration
from config_file import ConfigError as ConfigError  # what whoever loads it may get
from config_file import written
from integrations import catalogue
from people.roles import ROLES

RANKING_RATES = """
    USD=1 EUR=1.1 GBP=1.3 CHF=1.15 CAD=0.73 AUD=0.66 NZD=0.6 SEK=0.1 NOK=0.1 DKK=0.15 PLN=0.26 CZK=0.045 HUF=0.0028
    JPY=0.0067 KRW=0.00073 CNY=0.14 INR=0.012 SGD=0.75 HKD=0.13 AED=0.27 SAR=0.27 ILS=0.27 ZAR=0.055 BRL=0.19
    MXN=0.055 CLP=0.0011 KWD=3.25 BHD=2.65 JOD=1.41 OMR=2.6 TND=0.32 VND=0.00004
"""
"""About what one unit of a currency was worth in 2026, beside the others: only the order of the inbox goes by it."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _duration(value: object) -> object:
    """An ISO 8601 duration as a length of time; calendar months count as their mean."""
    return timedelta(seconds=parse_duration(value).mean_seconds) if isinstance(value, str) else value


def _exact(value: object) -> object:
    """YAML reads 1.08 as a float; its shortest digits are what was written."""
    return str(value) if isinstance(value, float) else value


Length = Annotated[timedelta, BeforeValidator(_duration)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Rate = Annotated[Decimal, BeforeValidator(_exact), Field(gt=0, le=Decimal(1_000_000))]
Amount = Annotated[Decimal, BeforeValidator(_exact), Field(ge=0)]


class Operational(_Section):
    """Where signals, runs and everything that people do are kept."""

    url: str | None = Field(default=None, pattern=r"^(sqlite|postgresql)://")


class Warehouse(_Section):
    """Where the books are kept: a DuckLake catalog, and the place of its files."""

    catalog: str | None = Field(default=None, pattern=r"^(sqlite|postgres):")
    data_path: str | None = None


FILES = "files"
"""The kind of what `trueup import` brings in: not pulled."""


def _known_kind(kind: str) -> str:
    known = [*catalogue.kinds(), FILES]
    if kind not in known:
        raise ValueError(f"there is no integration {kind!r}; there are {', '.join(sorted(known))}")
    return kind


class Integration(_Section):
    """One system that records come from. What is not named here are settings that its kind declares."""

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: Annotated[str, AfterValidator(_known_kind)] = Field(
        validation_alias=AliasChoices("kind", "type"), description="Which integration; `type` says the same."
    )
    api_key_env: str | None = Field(default=None, description="The variable that holds the key.")
    base_url: str | None = Field(default=None, pattern=r"^https?://")
    requests_per_second: float | None = Field(default=None, gt=0)
    dialect: Literal[tuple(DIALECTS)] | None = Field(  # type: ignore[valid-type]
        default=None, description="How the system bills, as docs/dialects.md lists; null: as systems of its type do."
    )
    rounding: Rounding | None = Field(default=None, description="Where amounts between two minor units go.")
    every: Length | None = Field(default=None, description="How often `trueup serve` syncs it; null: by hand.")
    stale_after: Length | None = Field(default=None, description="Older data resolves no signal; null: any age.")
    reconcile: Length | None = Field(
        default=timedelta(days=7),
        description="How often `trueup serve` compares all of it with the books, where it is synced; null: by hand.",
    )
    writes: bool = Field(default=False, description="Whether approved actions may write there: the kill switch.")

    @model_validator(mode="after")
    def _only_settings_of_its_kind(self) -> Integration:
        unknown = [key for key in self.more if key not in self._declared]
        if unknown:
            found = [InitErrorDetails(type="extra_forbidden", loc=(key,), input=None) for key in unknown]
            raise ValidationError.from_exception_data("Integration", found)
        return self

    @property
    def more(self) -> Mapping[str, Any]:
        """The settings that its kind declares."""
        return self.model_extra or {}

    @property
    def _declared(self) -> set[str]:
        if self.kind == FILES:
            return set()
        found = catalogue.find(self.kind).capabilities
        return {*found.settings, *(f"{secret}_env" for secret in found.secrets)}

    def settings(self, name: str, environment: Mapping[str, str]) -> dict[str, object]:
        """What `from_config` of its kind gets, secrets in place of the variables that hold them. Raises ConfigError."""
        secrets = dict.fromkeys(f"{secret}_env" for secret in catalogue.find(self.kind).capabilities.secrets)
        named = {**self.more, "api_key_env": self.api_key_env}
        secrets |= {key: value for key, value in named.items() if key.endswith("_env") and (value or key in secrets)}
        missing = [
            f"integrations.{name}.{key}: "
            + (f"set the environment variable {variable}" if variable else "name the variable that holds it")
            for key, variable in secrets.items()
            if not variable or not environment.get(variable)
        ]
        if missing:
            raise ConfigError(missing)
        plain = {key: value for key, value in self.more.items() if not key.endswith("_env")}
        plain |= {"base_url": self.base_url, "requests_per_second": self.requests_per_second}
        return plain | {key.removesuffix("_env"): environment[str(name)] for key, name in secrets.items()}


class Tickets(_Section):
    """Where tickets are opened: files in a folder, or an address that takes JSON."""

    folder: Path | None = None
    url: str | None = Field(default=None, pattern=r"^https?://")
    token_env: str | None = Field(default=None, description="The variable with the bearer token for url.")

    @model_validator(mode="after")
    def _one_place(self) -> Tickets:
        if self.folder and self.url:
            raise ValueError("name a folder or a url, not both")
        return self


class Remediation(_Section):
    """Who may approve what, and where tickets are opened."""

    tickets: Tickets = Tickets()
    batch: int = Field(default=25, ge=1, le=200, description="Actions that one approval may cover.")
    approval_limit: dict[Currency, Amount] = Field(
        default={}, description="Above it, per currency, the proposer is not the approver."
    )


class Advisor(_Section):
    """A language model that explains and orders what code has found; off unless a model is named."""

    model: str | None = Field(default=None, description="Its name at that address; null: no model is asked.")
    base_url: str | None = Field(default=None, pattern=r"^https?://", description="Null: OpenAI's own.")
    api_key_env: str | None = Field(default=None, description="The variable that holds the key; null: it takes none.")
    input_price: Amount | None = Field(default=None, description="Of a million tokens sent; 0 for a model of your own.")
    output_price: Amount | None = Field(default=None, description="Of a million tokens answered.")
    currency: Currency = "USD"
    daily_budget: Amount | None = Field(default=Decimal(5), description="Spent at most by UTC day; null: any amount.")
    timeout: Length = Field(default=timedelta(seconds=60), description="How long one reply may take.")
    answer_tokens: int = Field(default=1500, ge=100, le=32_000, description="How long one reply may be.")
    cache: Length = Field(default=timedelta(days=1), description="An equal question within it is not asked again.")
    json_schema: bool = Field(default=True, description="Whether the address knows response_format json_schema.")

    @model_validator(mode="after")
    def _priced(self) -> Advisor:
        if self.model and self.daily_budget is not None and None in (self.input_price, self.output_price):
            raise ValueError("a daily_budget needs input_price and output_price (0 for a model of your own)")
        return self


class Gate(_Section):
    """What happens to drafts that a blocking signal names."""

    hold: Literal["manual", "automatic"] = "manual"
    approved_by: str | None = Field(default=None, description="Who gave the standing approval for automatic holds.")
    longest: Length = Field(default=timedelta(days=3), description="A hold that lasts longer is told as expired.")

    @model_validator(mode="after")
    def _named(self) -> Gate:
        if self.hold == "automatic" and not self.approved_by:
            raise ValueError("automatic holds need approved_by: who gave the standing approval")
        return self


class Detect(_Section):
    """How patient detection is."""

    clear_after: int = Field(default=2, ge=1, le=100, description="Complete runs without it until a signal resolves.")
    cooldown: Length = Field(default=timedelta(days=14), description="A signal found again within it reopens.")
    time_limit: Length = Field(default=timedelta(minutes=5), description="A rule that takes longer fails by itself.")
    memory_limit: str | None = Field(
        default=None, pattern=r"^[1-9]\d{0,4}[MG]iB$", description="What one rule may hold in memory."
    )


class MailServer(_Section):
    """The server that takes mail by SMTP, and in whose name; off unless a host is named."""

    host: str | None = None
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    sender: str | None = Field(default=None, pattern=r"^[^\r\n]+@[^\r\n]+$", description="The address mail comes from.")
    user: str | None = Field(default=None, description="Who signs in there; null: nobody has to.")
    password_env: str | None = Field(default=None, description="The variable that holds that user's password.")

    @model_validator(mode="after")
    def _whole(self) -> MailServer:
        if self.host and not self.sender:
            raise ValueError("mail needs a sender: the address that it comes from")
        if (self.user is None) != (self.password_env is None):
            raise ValueError("mail needs both user and password_env, or neither")
        if self.user and self.security == "none" and self.host not in ("localhost", "127.0.0.1", "::1"):
            raise ValueError("a password goes over starttls or tls only, not over security none")
        return self


class Notify(_Section):
    """How people are told outside the console, each as they wish (docs/notifications.md)."""

    address: str | None = Field(
        default=None, pattern=r"^https?://[^\s]+[^/\s]$", description="Where people reach the console; null: web's own."
    )
    mail: MailServer = MailServer()
    chat_url_env: str | None = Field(default=None, description="The variable with the address of a chat's webhook.")


class Schedule(_Section):
    """What `trueup serve` does by itself."""

    enabled: bool = True
    tick_seconds: int = Field(default=30, ge=1, le=3600, description="How often it looks for rules that are due.")


class Web(_Section):
    """Where the console answers."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    https: bool = Field(default=False, description="Behind https: cookies are only sent over it.")
    proxies: int = Field(default=0, ge=0, le=9, description="How many proxies stand before it, which name the client.")
    secret_env: str | None = Field(default=None, description="The variable with the key that signs cookies.")
    events_token_env: str | None = Field(default=None, description="The variable with the token for /api/v1/events.")


class Oidc(_Section):
    """The company's OpenID provider, by which people may sign in."""

    issuer: str = Field(pattern=r"^https?://", description="As its id tokens name it.")
    client_id: str
    client_secret_env: str = Field(description="The variable that holds the client's secret.")
    name: str = Field(default="single sign-on", description="What the button of the page of signing in says.")
    domains: list[Annotated[str, Field(pattern=r"^[a-z0-9.-]+$")]] = Field(
        default=[], description="Whose people are let in without an invitation."
    )
    default_role: Literal[tuple(ROLES)] = Field(default="viewer", description="What they begin as.")  # type: ignore[valid-type]


def _usual_rates() -> dict[str, Decimal]:
    return {code: Decimal(rate) for code, _, rate in (pair.partition("=") for pair in RANKING_RATES.split())}


def _beside_usual(value: object) -> object:
    """The configured rates, and the usual ones of the other currencies."""
    return {**_usual_rates(), **value} if isinstance(value, dict) else value


class Config(_Section):
    """Everything that can be set."""

    home: Path = Path(".trueup")
    operational: Operational = Operational()
    warehouse: Warehouse = Warehouse()
    rules: Path = Path(__file__).parent / "rules"
    integrations: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")], Integration] = {}
    detect: Detect = Detect()
    ranking_rates: Annotated[dict[Currency, Rate], BeforeValidator(_beside_usual)] = Field(default_factory=_usual_rates)
    remediation: Remediation = Remediation()
    gate: Gate = Gate()
    advisor: Advisor = Advisor()
    notify: Notify = Notify()
    schedule: Schedule = Schedule()
    web: Web = Web()
    oidc: Oidc | None = None

    @model_validator(mode="after")
    def _tickets_are_no_integration(self) -> Config:
        if "tickets" in self.integrations:
            raise ValueError("integrations.tickets: that name is taken by remediation.tickets; choose another")
        return self

    @cached_property
    def place(self) -> Path:
        """The home, absolute."""
        return self.home.expanduser().absolute()

    @property
    def operational_url(self) -> str:
        """The operational store's address: SQLite in the home unless another is configured."""
        return self.operational.url or f"sqlite:///{self.place / 'operational.sqlite'}"

    @property
    def catalog(self) -> str:
        """The DuckLake catalog: SQLite in the home unless another is configured."""
        return self.warehouse.catalog or f"sqlite:{self.place / 'warehouse' / 'catalog.sqlite'}"

    @property
    def data_path(self) -> str:
        """Where the lake's files go: into the home unless another place is configured."""
        return self.warehouse.data_path or str(self.place / "warehouse" / "files")

    @property
    def dialects(self) -> dict[str, Dialect]:
        """How each integration bills: as configured, else as systems of its type do, else as one of its name."""
        spoken = {name: dialect_of(each.dialect or _system(name, each)) for name, each in self.integrations.items()}
        rounding = {name: each.rounding for name, each in self.integrations.items() if each.rounding}
        return spoken | {name: replace(spoken[name], rounding=mode) for name, mode in rounding.items()}

    @property
    def pulled(self) -> list[str]:
        """The integrations that are pulled by `trueup sync`."""
        return [name for name, each in self.integrations.items() if each.kind != FILES]

    @property
    def rhythms(self) -> dict[str, timedelta]:
        """How often each integration is synced by `trueup serve`."""
        return {name: each.every for name, each in self.integrations.items() if each.every and each.kind != FILES}

    @property
    def comparisons(self) -> dict[str, timedelta]:
        """How often each integration is compared with the books by `trueup serve`; files go once they are read."""
        compared = {name: self.integrations[name] for name in self.rhythms}
        return {name: each.reconcile for name, each in compared.items() if each.reconcile and each.kind != "folder"}

    @property
    def stale_limits(self) -> dict[str, timedelta | None]:
        """How old the data of each configured integration may be."""
        return {name: each.stale_after for name, each in self.integrations.items()}


def _system(name: str, integration: Integration) -> str:
    """The billing system behind an integration; files are named for theirs."""
    return name if integration.kind == FILES else catalogue.find(integration.kind).capabilities.dialect


def load(environment: Mapping[str, str] | None = None) -> Config:
    """The configuration of this process. Raises ConfigError with every problem, each naming its key or variable."""
    values, named, path = written(os.environ if environment is None else environment)
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError([_problem(dict(found), named, path) for found in error.errors()]) from None


def _problem(found: Mapping[str, Any], named: Mapping[tuple[str, ...], str], path: Path | None) -> str:
    """One of pydantic's errors in one line: the key or the variable, what is wrong, and what stands there."""
    keys = tuple(str(part) for part in found["loc"] if part != "[key]")
    where = named.get(keys) or next((named[known] for known in named if known[: len(keys)] == keys), None)
    key = ".".join(keys)
    place = where or ("TRUEUP_HOME" if key == "home" else f"{path or 'config'}: {key}")
    if found["type"] == "extra_forbidden":
        return f"{place}: there is no such setting"
    if found["type"] == "value_error":
        return f"{place}: {str(found['msg']).removeprefix('Value error, ')}"
    shown = "" if found["type"] == "missing" else f", not {found['input']!r}"
    return f"{place}: {found['msg'][0].lower()}{found['msg'][1:]}{shown}"
