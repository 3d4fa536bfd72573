"""Trueup's command line: the table of contents. Each command opens what it needs, does one job, says what came of it.

Exit codes: 0 done, 1 the job failed, 2 bad arguments or configuration (one line says what and where).
"""

from __future__ import annotations

import difflib
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

import config as configuration
from detector import (
    arrivals,
    checkup,
    cycle,
    deliveries,
    overrides,
    report,
    rule_commands,
    schedule,
    terminal,
    trials,
)
from detector import rules as catalogue
from detector.background import Background
from detector.claims import worker_name
from detector.connections import Configured
from detector.cycle import RunResult, Setting
from detector.decisions import Policy
from detector.delivering import Applying
from detector.evaluate import RuleFailed
from detector.limits import Limits
from detector.live_rules import LiveRules
from detector.rules import Rule, RuleProblem
from detector.terminal import INSTANT, JSON, JobFailed
from integrations import files, tickets
from integrations.capabilities import Integration, Receiving, Rereading, Writing
from integrations.catalogue import find as integration_of
from integrations.http import SourceError
from integrations.writing import Writes
from people import invitations
from people.oidc import Provider
from remediation import gate, holds
from remediation import worker as repairs
from remediation.actions.open_ticket import TICKETS
from remediation.advisor.endpoint import Endpoint
from remediation.life import Approvals
from remediation.remedy import GatePolicy, Remedy
from store import audit, operational
from store import home as homes
from store.lake import LakeError
from store.loads import Loading, recorded
from store.warehouse import Counts, Warehouse

if TYPE_CHECKING:
    from remediation.advisor.model import Model

DEMO_CUSTOMERS = 300
DEMO_SEED = 1
EVENT_SECONDS = 0.25
GATE_SECONDS = 15
HOLDS_SECONDS = 300
COMPACT_SECONDS = 60
FORGET_SECONDS = 3600
LESSON_SECONDS = 3600
TIME = "%Y-%m-%dT%H:%M:%S"


def now() -> datetime:
    """The present instant: the only place where the command line reads it."""
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
        warehouse = Warehouse(self.config.catalog, self.config.data_path, self.config.dialects)
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
        policy = Policy(patience.clear_after, patience.cooldown, self.config.ranking_rates)
        allowed = Limits(patience.time_limit, patience.memory_limit)
        return Setting(self.warehouse, self.engine, now, worker_name(), policy, self.config.stale_limits, allowed)

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
            approvals=Approvals(config.remediation.approval_limit),
            gate=GatePolicy(automatic, config.gate.approved_by or "", config.gate.longest),
            batch=config.remediation.batch,
        )

    @property
    def address(self) -> str:
        """Where the console answers, as far as the configuration says."""
        web = self.config.web
        return f"{'https' if web.https else 'http'}://{web.host}:{web.port}"

    @cached_property
    def model(self) -> Model | None:
        """The language model that advises; None where none is configured. Raises ConfigError without its key."""
        section = self.config.advisor
        if section.model is None:
            return None
        from remediation.advisor.model import Model  # only here: no other command waits for it

        key = os.environ.get(section.api_key_env, "") if section.api_key_env else "none"
        if not key:
            raise configuration.ConfigError(
                [f"advisor.api_key_env: set the environment variable {section.api_key_env}"]
            )
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


def import_folder(home: Home, directory: Path, keep_good: bool) -> Loading:
    """Read a folder in the shape of the books and store it whole, or with `keep_good` what is good of it."""
    books, before = home.warehouse.connect(), home.warehouse.snapshot()
    with recorded(home.engine, "import", "files", str(directory), now) as load, closing(books) as con:
        with terminal.progress() as bar:
            staged = files.read(directory, con, bar)
        if staged.problem_count and not keep_good:
            more = staged.problem_count - len(staged.problems)
            told = [*map(str, staged.problems), *([f"... and {more} more"] if more else [])]
            raise JobFailed("\n".join([*told, "nothing was imported; --keep-good takes the good rows"]))
        if staged.problem_count:
            rejected = home.config.place / "rejected" / f"{now():%Y%m%dT%H%M%SZ}"
            load.bad, load.report = staged.bad, str(files.save_bad(staged, con, rejected))
        load.add(home.warehouse.upsert(con, staged.tables, version_at=now(), load="import", distinct=True))
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
    integration, began = home.integration(name), now()
    with recorded(home.engine, "sync", name, home.config.integrations[name].base_url, now) as load:
        pages = arrivals.pulled(home.setting, integration, full=full, window=window)
        with terminal.progress() as bar:
            for page, counts in arrivals.stored(home.setting, name, pages, f"sync {name}"):
                load.add(counts)
                bar(sum(count.written for count in load.counts.values()), None, f"{name} {page.stream}")
                terminal.say_remarks(name, page.remarks)
    if full:
        arrivals.forget_rejections(home.engine, name, began)
    home.warehouse.compact(now())
    return load


def detect(home: Home, rules: Sequence[Rule], as_of: datetime, tell: Callable[[RunResult], None]) -> list[RunResult]:
    """Run rules on the latest snapshot and keep their signals; each result is told as it comes."""
    with terminal.progress() as bar:
        done: list[str] = []

        def count(result: RunResult) -> None:
            done.append(result.rule)
            bar(len(done), len(rules), "rules")
            tell(result)

        return cycle.run(home.setting, rules, as_of, on_result=count)


def serve(home: Home, port: int | None, on_ready: Callable[[str], None]) -> None:
    """Console, schedule and worker in one process, until it is told to stop; says which rule files cannot be used."""
    from web.access import is_loopback  # only here: no other command waits for the console
    from web.app import create_app
    from web.server import AddressTaken, serve_forever

    home.rules(())
    web, receiving = home.config.web, _receiving(home)
    app = create_app(
        engine=home.engine,
        warehouse=home.warehouse,
        rules=home.live,
        clock=now,
        ranking_rates=home.config.ranking_rates,
        secret=os.environ.get(web.secret_env) if web.secret_env else None,
        https=web.https,
        approvals=home.remedy.approvals,
        advisor=home.config.advisor.model,
        events_token=os.environ.get(web.events_token_env) if web.events_token_env else None,
        sign_in_required=web.https or not is_loopback(web.host),
        provider=_provider(home.config.oidc),
        proofs={name: integration.proven for name, integration in receiving.items()},
        connected=_connected(home, receiving),
    )
    background = _background(home)
    jobs: dict[str, tuple[float, Callable[[], None]]] = {
        "worker": (1, background.work),
        "trials": (1, partial(_try_out, home)),
        "repairs": (1, lambda: repairs.work(home.remedy)),
        "near": (15, home.warehouse.near.gather),
        "files": (COMPACT_SECONDS, lambda: home.warehouse.compact(now())),
    }
    for name, integration in receiving.items():
        jobs[f"webhooks {name}"] = (EVENT_SECONDS, Applying(home.setting, name, integration.receive).work)
    if receiving:
        jobs["forget"] = (FORGET_SECONDS, partial(_forget, home))
    if home.model is not None:
        jobs["advisor"] = (1, partial(repairs.talk, home.remedy, home.model))
    if home.config.schedule.enabled:
        jobs["events"] = (EVENT_SECONDS, background.react)
        if home.remedy.allowed & set(home.remedy.writes):
            jobs["holds"] = (HOLDS_SECONDS, lambda: _look_after_holds(home))
        if home.config.gate.hold == "automatic":
            jobs["gate"] = (GATE_SECONDS, lambda: _hold(home))
        jobs["schedule"] = (home.config.schedule.tick_seconds, background.beat)
        jobs["lessons"] = (LESSON_SECONDS, lambda: _teach(home))
    loop = schedule.loop(jobs)
    loop.start()
    try:
        serve_forever(app, web.host, web.port if port is None else port, on_ready)
    except AddressTaken as error:
        raise JobFailed(str(error)) from None
    finally:
        loop.shutdown(wait=False)
        home.warehouse.near.close()


ELSEWHERE = {
    "rules": "detector.version_commands:rules",
    "dry-run": "detector.trial_commands:dry_run",
    "runs": "detector.commands:runs",
    "signals": "detector.commands:signals",
    "signal": "detector.commands:one_signal",
    "explain": "detector.explain_commands:explain",
    "rerate": "detector.explain_commands:rerate",
    "series": "detector.series_commands:series",
    "events": "detector.event_commands:events",
    "models": "detector.model_commands:models",
    "example": "detector.example_command:example",
    "advise": "remediation.advisor.commands:advise_command",
    "ask": "remediation.advisor.commands:ask_command",
    "actions": "remediation.commands:actions",
    "gate": "remediation.commands:gate_command",
    "people": "people.commands:people",
    "audit": "people.audit_commands:audit_group",
    "integrations": "detector.integration_commands:integrations",
    "scoreboard": "remediation.scoreboard_commands:scoreboard_command",
}
"""The commands that stand beside what they are about; those of the five jobs are below."""


@click.group(
    cls=terminal.Commands,
    elsewhere=ELSEWHERE,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.pass_context
def cli(context: click.Context) -> None:
    """Catches billing errors before they reach an invoice, and helps people fix their cause.

    Everything is kept under TRUEUP_HOME (./.trueup); config.yaml says otherwise.
    """
    audit.ORIGIN.set(audit.Origin("cli"))
    context.obj = Home(configuration.load())


PORT = click.option("--port", type=click.IntRange(0, 65535), help="Where the console answers; 0 takes a free port.")


@cli.command("serve")
@PORT
@click.pass_obj
def serve_command(home: Home, port: int | None) -> None:
    """Console, API, scheduler and worker in one process."""
    serve(home, port, lambda url: announce(home, url))


@cli.command()
@PORT
@click.option("--customers", type=click.IntRange(1, 100_000), default=DEMO_CUSTOMERS, show_default=True)
@click.pass_obj
def demo(home: Home, port: int | None, customers: int) -> None:
    """Fill a fresh home with the example company, run every rule, and serve the console."""
    usual = configuration.Config(home=home.config.home, web=home.config.web, ranking_rates=home.config.ranking_rates)
    place, home = homes.for_demo(home.config.place), Home(usual)
    if place.ready is None:
        present = now().replace(microsecond=0)
        with _timed("data"):
            _write_example(place.books, customers, present)
        with _timed("import"):
            import_folder(home, place.books, keep_good=False)
        with _timed("rules"):
            _check(detect(home, home.rules(()), now(), lambda result: terminal.say(report.run_line(result))))
        place.complete({"customers": customers, "seed": DEMO_SEED, "as_of": present.isoformat()})
    serve(home, port, lambda url: click.echo(f"{url}  (Ctrl-C stops it)"))


@cli.command("import")
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--keep-good", is_flag=True, help="Store the good rows, and save the bad ones beside a report.")
@JSON
@click.pass_obj
def import_command(home: Home, directory: Path, keep_good: bool, as_json: bool) -> None:
    """Load a folder in the shape of the books: parquet, csv or jsonl."""
    load = import_folder(home, directory, keep_good)
    if as_json:
        terminal.answer(report.load_json(load, "import"))
    else:
        click.echo(f"import: {report.load_line(load)}")


@cli.command("sync")
@click.argument("integrations", nargs=-1)
@click.option("--full", is_flag=True, help="Pull everything, not only what changed.")
@click.option("--from", "start", type=INSTANT, help="Pull what was created or changed since then, whatever is known.")
@click.option("--to", "end", type=INSTANT, help="With --from: and before then, as far as the system can tell.")
@JSON
@click.pass_obj
def sync_command(
    home: Home,
    integrations: tuple[str, ...],
    full: bool,
    start: datetime | None,
    end: datetime | None,
    as_json: bool,
) -> None:
    """Pull what changed since the last sync."""
    if end and not start:
        raise click.UsageError("--to needs --from: from when on to read")
    known, window = home.config.pulled, arrivals.Window(start, end) if start else None
    for name in set(integrations) - set(known):
        raise click.UsageError(
            f"there is no integration {name} in the configuration; it has {', '.join(known) or 'none'}"
        )
    if not known:
        raise click.UsageError("no integration is configured; name one under integrations in config.yaml")
    loads, failed = [], []
    for name in integrations or known:
        try:
            loads.append((name, sync(home, name, full, window)))
        except SourceError as error:  # the others are still worth having
            failed.append(f"sync {name}: {error}")
    if as_json:
        terminal.answer(report.loads_json(loads))
    for name, load in loads if not as_json else ():
        click.echo(f"{name}: {report.load_line(load)}")
    if failed:
        raise JobFailed("\n".join(failed))


@cli.command("run")
@click.argument("rules", nargs=-1)
@click.option("--as-of", type=INSTANT, help="Evaluate as if it were then: what happened later is not seen.")
@JSON
@click.pass_obj
def run_command(home: Home, rules: tuple[str, ...], as_of: datetime | None, as_json: bool) -> None:
    """Evaluate rules and keep their signals."""
    tell = (lambda result: None) if as_json else (lambda result: click.echo(report.run_line(result)))
    chosen = home.rules(rules)
    if not rules:
        with operational.reading(home.engine) as session:
            off = overrides.off(session, now())
        chosen = [rule for rule in chosen if rule.name not in off]
    results = detect(home, chosen, as_of or now(), tell)
    if as_json:
        terminal.answer([report.run_json(result) for result in results])
    _check(results)
    if not rules:
        rule_commands.fail_on_mistakes(home, "; these rules did not run")


@cli.command()
@JSON
@click.pass_obj
def doctor(home: Home, as_json: bool) -> None:
    """Look at configuration, stores, rules, integrations and clock, and say what is not well, and why."""
    pulled = {name: partial(_answers, home, name) for name in home.config.pulled}
    told = f"{configuration.source() or 'no file'}, home {home.config.place}"
    checked = [checkup.Checked("configuration", True, told), *checkup.everything(home, home.config.place, pulled)]
    if as_json:
        terminal.answer([{"name": each.name, "well": each.well, "said": each.said} for each in checked])
    else:
        for each in checked:
            click.echo(f"{'well' if each.well else 'NOT WELL':<9} {each.name}: {report.printable(each.said)}")
    if unwell := [each.name for each in checked if not each.well]:
        raise JobFailed(f"not well: {', '.join(unwell)}")


def _provider(section: configuration.Oidc | None) -> Provider | None:
    """The OpenID provider as it is configured, with its secret in place of the variable that holds it."""
    if section is None:
        return None
    secret = os.environ.get(section.client_secret_env)
    if not secret:
        raise configuration.ConfigError([f"oidc.client_secret_env: set the variable {section.client_secret_env}"])
    domains = frozenset(section.domains)
    return Provider(section.issuer, section.client_id, secret, section.name, domains, section.default_role)


def _try_out(home: Home) -> None:
    """Do the dry runs and calibrations that pages asked for, until none waits."""
    while trials.work(home.setting, home.live):
        pass


def _teach(home: Home) -> None:
    """A new model of unusual usage, once a week; it takes the place of the one in force when it is no worse."""
    from detector import usage_lessons  # only here: no other command waits for scikit-learn

    reason = usage_lessons.teach_weekly(home.setting, home.models_folder)
    if reason is not None:
        terminal.say(f"model of unusual usage: {reason}")


def _hold(home: Home) -> None:
    """Hold what is blocked, by the standing approval."""
    gate.enforce(home.remedy)


def _look_after_holds(home: Home) -> None:
    """Tell of drafts whose hold was lost on the other side, or lasts too long."""
    holds.reconcile(home.remedy)


def _background(home: Home) -> Background:
    """What the loop of `serve` works with."""
    syncs = {name: partial(_synced, home, name) for name in home.pulled}
    tests = {name: partial(_tested, home, name) for name in home.pulled}
    return Background(home.setting, home.live, syncs, home.config.rhythms, tests)


def _synced(home: Home, name: str, full: bool, window: arrivals.Window | None) -> str:
    return report.load_line(sync(home, name, full, window))


def _tested(home: Home, name: str) -> str:
    if wrong := _answers(home, name):
        raise JobFailed(wrong)
    return "Everything that it fills can be read."


def _connected(home: Home, receiving: Mapping[str, Receiving]) -> list[Configured]:
    """The configured integrations as the console shows them."""
    found = []
    for name, kind in home.pulled.items():
        section = home.config.integrations[name]
        key = section.api_key_env or next((str(v) for k, v in section.more.items() if k.endswith("_env")), None)
        can = integration_of(kind).capabilities
        taken = name in receiving and any(k.startswith("webhook") for k in section.more)
        found.append(Configured(name, kind, can, key, section.writes, taken, section.every, section.stale_after))
    return found


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
    integration = home.integration(name)
    if not isinstance(integration, Rereading):
        sync(home, name, full=False)
        return
    for page, _ in arrivals.stored(home.setting, name, [integration.pull_records(records)], f"records of {name}"):
        terminal.say_remarks(name, page.remarks)


def _receiving(home: Home) -> dict[str, Receiving]:
    """The integrations that take webhooks and whose keys are there; of the others it is said what is missing."""
    found: dict[str, Receiving] = {}
    for name, kind in home.pulled.items():
        if not integration_of(kind).capabilities.receives:
            continue
        try:
            integration = home.integration(name)
        except configuration.ConfigError as error:
            terminal.say(f"webhooks of {name} are not taken: {error}")
            continue
        if isinstance(integration, Receiving):
            found[name] = integration
    return found


def _forget(home: Home) -> None:
    """Drop webhooks that were applied long ago."""
    with operational.writing(home.engine) as session:
        deliveries.forget(session, now())


def announce(home: Home, url: str) -> None:
    """Say where the console answers, and while nobody has an account, the link that makes the first admin."""
    click.echo(url)
    with operational.writing(home.engine) as session:
        secret = invitations.first_run(session, now=now())
    if secret:
        terminal.say(f"nobody has an account yet; this link makes the first admin, once: {url}/first-run/{secret}")


def _answers(home: Home, name: str) -> str | None:
    return home.integration(name).check()


def _check(results: Sequence[RunResult]) -> None:
    if failed := [result for result in results if result.status == "failed"]:
        raise JobFailed("\n".join(report.run_line(result) for result in failed))


def _write_example(folder: Path, customers: int, present: datetime) -> None:
    """The example company with every fault, as a books folder."""
    from integrations import example  # only here: no other command waits for it

    try:
        example.write(folder, customers=customers, seed=DEMO_SEED, faults="all", as_of=present)
    except example.ExampleError as error:
        raise click.UsageError(str(error)) from None


@contextmanager
def _timed(phase: str) -> Iterator[None]:
    """Say how many seconds a phase of the demo took."""
    began = time.perf_counter()
    yield
    click.echo(f"{phase:<8} {time.perf_counter() - began:6.1f} s")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave with its exit code; whatever goes wrong is a line on standard error."""
    sys.exit(_code(arguments))


def _code(arguments: Sequence[str] | None) -> int:
    try:
        result = cli.main(args=arguments, prog_name="trueup", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        terminal.say(error.format_message())
        return 2
    except click.ClickException as error:
        return terminal.complain([error.format_message()], 2)
    except configuration.ConfigError as error:
        return terminal.complain(error.problems, 2)
    except JobFailed as error:
        return terminal.complain(str(error).splitlines(), 1)
    except (LakeError, RuleFailed, SourceError, SQLAlchemyError, homes.HomeInUse) as error:
        return terminal.complain([str(error).splitlines()[0]], 1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (KeyboardInterrupt, click.Abort):
        return terminal.complain(["stopped"], 1)
    except Exception as error:
        if os.environ.get("TRUEUP_DEBUG"):
            traceback.print_exc()
        return terminal.complain([f"{type(error).__name__}: {error} (TRUEUP_DEBUG=1 shows where)"], 1)


if __name__ == "__main__":
    main()
