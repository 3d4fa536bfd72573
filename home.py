"""A home: what every command works with, as it is configured, each part opened when it is first needed.

And what brings records into it: a folder, a sync, single records read again.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from sqlalchemy import Engine

import config as configuration
from detector import arrivals, terminal
from detector import rules as catalogue
from detector.claims import worker_name
from detector.cycle import Setting
from detector.decisions import Policy
from detector.limits import Limits
from detector.live_rules import LiveRules
from detector.rules import Rule, RuleProblem
from detector.terminal import JobFailed
from integrations import files, tickets
from integrations.capabilities import Integration, Rereading, Writing
from integrations.catalogue import find as integration_of
from integrations.chat import Chat
from integrations.mail import Mail
from integrations.sql import Sql
from integrations.writing import Writes
from people import telling
from people.telling import Way
from remediation.actions.open_ticket import TICKETS
from remediation.advisor.endpoint import Endpoint
from remediation.life import Approvals
from remediation.remedy import GatePolicy, Remedy
from store import operational
from store.held import Held
from store.loads import Loading, recorded
from store.warehouse import Counts, Warehouse

if TYPE_CHECKING:
    from remediation.advisor.model import Model


def now() -> datetime:
    """The present instant: the only place that reads the clock."""
    return datetime.now(UTC)


class Home:
    """What commands work with, each part opened when it is first needed."""

    def __init__(self, config: configuration.Config) -> None:
        self.config = config
        self.clock = now
        self.rules_folder = config.rules
        self._connected: dict[str, Integration] = {}

    @cached_property
    def engine(self) -> Engine:
        """The operational store, brought up to date."""
        engine = operational.open(self.config.operational_url)
        operational.migrate(engine)
        return engine

    @cached_property
    def warehouse(self) -> Warehouse:
        """The books, with every table made."""
        warehouse = Warehouse(self.config.catalog, self.config.data_path, self.config.dialects, list(_held(self)))
        warehouse.create()
        return warehouse

    @cached_property
    def files(self) -> tuple[list[Rule], list[RuleProblem]]:
        """Every sound rule of the rules folder, and what is wrong with the others."""
        return catalogue.load(self.config.rules)

    @cached_property
    def live(self) -> LiveRules:
        """The rules that run: of files and custom ones, as operators set them."""
        return LiveRules(self.files[0], self.engine)

    @property
    def catalogue(self) -> tuple[list[Rule], list[RuleProblem]]:
        """Every sound rule that runs, and what is wrong with the others. A home that nobody used has only files."""
        sound, problems = self.files
        if not operational.exists(self.config.operational_url):
            return sound, problems
        live, more = self.live.read()
        return live, [*problems, *more]

    @cached_property
    def setting(self) -> Setting:
        """Where rules run, and how patient folding is."""
        patience = self.config.detect
        policy = Policy(patience.clear_after, patience.cooldown, self.config.ranking_rates, self.config.rhythms)
        allowed = Limits(patience.time_limit, patience.memory_limit)
        return Setting(
            self.warehouse, self.engine, self.clock, worker_name(), policy, self.config.stale_limits, allowed
        )

    @property
    def pulled(self) -> Mapping[str, str]:
        """The integrations that are configured to be pulled, each with its kind."""
        return {name: self.config.integrations[name].kind for name in self.config.pulled}

    def integration(self, name: str) -> Integration:
        """The integration as it is configured, with secrets in place of the variables that hold them.

        The same one for the whole process, so that all that ask its system keep to one limit. Raises ConfigError.
        """
        if name not in self._connected:
            settings = self.config.integrations[name].settings(name, os.environ)
            try:
                self._connected[name] = integration_of(self.pulled[name]).from_config(name, settings)
            except ValueError as error:
                raise configuration.ConfigError([str(error)]) from None
        return self._connected[name]

    def wrong(self, name: str) -> str | None:
        """What of the integration cannot be read, and why; None where everything can. Raises ConfigError."""
        return self.integration(name).check()

    @property
    def models_folder(self) -> Path:
        """Where the models of unusual usage lie as files."""
        return self.config.place / "models"

    @cached_property
    def remedy(self) -> Remedy:
        """What advice and actions work with."""
        config = self.config
        automatic = config.gate.hold == "automatic"
        return Remedy(
            setting=self.setting,
            rules=lambda: self.catalogue[0],
            writes=_writes(self),
            allowed=frozenset({TICKETS, *(name for name in config.pulled if config.integrations[name].writes)}),
            pull=partial(_pull_records, self),
            approvals=Approvals(config.remediation.approval_limit, config.remediation.batch),
            gate=GatePolicy(automatic, config.gate.approved_by or "", config.gate.longest),
        )

    @property
    def address(self) -> str:
        """Where the console answers, as far as the configuration says."""
        web = self.config.web
        return f"{'https' if web.https else 'http'}://{web.host}:{web.port}"

    @property
    def way_names(self) -> tuple[str, ...]:
        """By which ways people can be told of something outside the console."""
        section = self.config.notify
        return (*(["mail"] if section.mail.host else []), *(["chat"] if section.chat_url_env else []))

    @cached_property
    def ways(self) -> Mapping[str, Way]:
        """How a message is handed over, by way. Raises ConfigError where a variable is not set."""
        section, mail = self.config.notify, self.config.notify.mail
        found: dict[str, Way] = {}
        if mail.host and mail.sender:
            password = secret_of("notify.mail.password_env", mail.password_env) if mail.password_env else None
            found["mail"] = telling.by_mail(Mail(mail.host, mail.port, mail.sender, mail.security, mail.user, password))
        if section.chat_url_env:
            found["chat"] = telling.by_chat(Chat(secret_of("notify.chat_url_env", section.chat_url_env)))
        return found

    @cached_property
    def model(self) -> Model | None:
        """The language model that advises; None where none is configured. Raises ConfigError without its key."""
        section = self.config.advisor
        if section.model is None:
            return None
        from remediation.advisor.model import Model  # only here: no other command waits for it

        key = secret_of("advisor.api_key_env", section.api_key_env) if section.api_key_env else "none"
        return Model(Endpoint(key=key, **section.model_dump(exclude={"api_key_env"})))

    def rules(self, names: Sequence[str]) -> list[Rule]:
        """The named rules (by name or code), or all; says on the way which files cannot be used."""
        sound, problems = self.catalogue
        for problem in problems:
            terminal.say(f"{problem}")
        chosen = [rule for rule in sound if not names or {rule.name, rule.code} & set(names)]
        for name in set(names) - {rule.name for rule in chosen} - {rule.code for rule in chosen}:
            near = difflib.get_close_matches(name, [rule.name for rule in sound], 1)
            raise click.UsageError(f"there is no rule {name}{f', did you mean {near[0]}?' if near else ''}")
        return chosen


def secret_of(key: str, variable: str) -> str:
    """What the variable holds. Raises ConfigError when it is not set."""
    found = os.environ.get(variable)
    if not found:
        raise configuration.ConfigError([f"{key}: set the environment variable {variable}"])
    return found


def import_folder(home: Home, directory: Path, keep_good: bool) -> Loading:
    """Read a folder in the shape of the books and store it whole, or with `keep_good` what is good of it."""
    books, before = home.warehouse.connect(), home.warehouse.snapshot()
    with recorded(home.engine, "import", "files", str(directory), home.clock) as load, closing(books) as con:
        with terminal.progress() as bar:
            staged = files.read(directory, con, bar)
        if staged.problem_count and not keep_good:
            more = staged.problem_count - len(staged.problems)
            told = [*map(str, staged.problems), *([f"... and {more} more"] if more else [])]
            raise JobFailed("\n".join([*told, "nothing was imported; --keep-good takes the good rows"]))
        if staged.problem_count:
            rejected = home.config.place / "rejected" / f"{home.clock():%Y%m%dT%H%M%SZ}"
            load.bad, load.report = staged.bad, str(files.save_bad(staged, con, rejected))
        load.add(home.warehouse.upsert(con, staged.tables, version_at=home.clock(), load="import", distinct=True))
        _tell_events(load, staged)
    arrivals.announce(home.setting, before, None)
    return load


def _tell_events(load: Loading, staged: files.Staged) -> None:
    """Count the events that a folder holds twice, and name those that say something else than the first received."""
    for event in load.counts.get("usage_events", Counts()).conflict_ids:
        terminal.say(f"usage_events {event}: the books hold this event with other content, and keep it")
    load.add({table: Counts(unchanged=count) for table, count in staged.repeated.items()})
    if staged.conflict_count:
        load.add({"usage_events": Counts(conflicts=staged.conflict_count)})
        more = staged.conflict_count - len(staged.conflicts)
        for told in [*staged.conflicts, *([f"... and {more} more"] if more else [])]:
            terminal.say(f"{told}")


def sync(home: Home, name: str, full: bool, window: arrivals.Window | None = None) -> Loading:
    """Pull what changed in one integration since its cursors, or what a window of time holds, page by page."""
    integration, began = home.integration(name), home.clock()
    with recorded(home.engine, "sync", name, home.config.integrations[name].base_url, home.clock) as load:
        pages = arrivals.pulled(home.setting, integration, full=full, window=window)
        with terminal.progress() as bar:
            for page, counts in arrivals.stored(home.setting, name, pages, f"sync {name}"):
                load.add(counts)
                bar(sum(count.written for count in load.counts.values()), None, f"{name} {page.stream}")
                terminal.say_remarks(name, page.remarks)
        for held in home.warehouse.held:
            if held.integration == name:
                held.try_out()
    if full:
        arrivals.forget_rejections(home.engine, name, began)
    home.warehouse.compact(home.clock())
    return load


def _held(home: Home) -> Iterator[Held]:
    """The usage that stays where it is, of every integration that is configured so; of one that cannot be, why."""
    for name in home.config.pulled:
        tables = home.config.integrations[name].more.get("tables")
        events = tables.get("usage_events") if isinstance(tables, Mapping) else None
        if not isinstance(events, Mapping) or not events.get("in_place"):
            continue
        try:
            source = home.integration(name)
        except configuration.ConfigError as error:
            yield Held(name, "sql", "", str(events.get("source")), {}, {}, wrong=str(error))
            continue
        if isinstance(source, Sql) and source.in_place:
            mapped, (kind, address) = source.in_place, source.place
            yield Held(name, kind, address, mapped.source, mapped.columns, mapped.values, mapped.unique)


def _writes(home: Home) -> dict[str, Writes]:
    """The writing side of each integration whose key is there; the others cannot be written to, nor proposed for."""
    sections = home.config.integrations
    keyed = [name for name in home.config.pulled if os.environ.get(sections[name].api_key_env or "")]
    found = ((name, home.integration(name)) for name in keyed)
    writes = {name: integration.writes for name, integration in found if isinstance(integration, Writing)}
    place = home.config.remediation.tickets
    token = os.environ.get(place.token_env) if place.token_env else None
    opened = tickets.at(place.folder, place.url, token)
    return {**writes, TICKETS: opened} if opened else writes


def _pull_records(home: Home, name: str, records: Sequence[tuple[str, str]]) -> None:
    """Bring single records into the books, as they are in the integration now; all that changed, if it cannot."""
    integration, can = home.integration(name), integration_of(home.pulled[name]).capabilities.rereads
    if not isinstance(integration, Rereading) or any(kind not in can for kind, _ in records):
        sync(home, name, full=False)
        return
    for page, _ in arrivals.stored(home.setting, name, [integration.pull_records(records)], f"records of {name}"):
        terminal.say_remarks(name, page.remarks)
