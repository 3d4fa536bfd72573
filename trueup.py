"""Trueup's command line: the table of contents. Each command opens what it needs, does one job, says what came of it.

Exit codes: 0 done, 1 the job failed, 2 bad arguments or configuration (one line says what and where).
"""

from __future__ import annotations

import difflib
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path

import click
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

import config as configuration
from detector import (
    checkup,
    cycle,
    overrides,
    report,
    requests,
    rule_commands,
    schedule,
    terminal,
    trials,
)
from detector import rules as catalogue
from detector.background import Background
from detector.claims import worker_name
from detector.cycle import RunResult, Setting
from detector.decisions import Policy
from detector.evaluate import RuleFailed
from detector.limits import Limits
from detector.live_rules import LiveRules
from detector.rules import Rule, RuleProblem
from detector.terminal import INSTANT, JSON, JobFailed
from integrations import files
from integrations.capabilities import Counting, Integration, Rereading, Writing
from integrations.catalogue import find as integration_of
from integrations.catalogue import kinds
from integrations.http import SourceError
from integrations.writing import Writes
from remediation import gate
from remediation import worker as repairs
from remediation.life import Approvals
from remediation.remedy import GatePolicy, Remedy
from store import home as homes
from store import operational
from store.lake import LakeError
from store.loads import Loading, recorded
from store.warehouse import Counts, Warehouse

DEMO_CUSTOMERS = 300
DEMO_SEED = 1
EVENT_SECONDS = 0.25
GATE_SECONDS = 15
COMPACT_SECONDS = 60
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
            allowed=frozenset(name for name in config.pulled if config.integrations[name].writes),
            pull=partial(_pull_records, self),
            approvals=Approvals(config.remediation.approval_limit),
            gate=GatePolicy(automatic, config.gate.approved_by or "", config.gate.longest),
        )

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
    _announce(home, before, None)
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


def sync(home: Home, name: str, full: bool) -> Loading:
    """Pull what changed in one integration since its cursors, and store each page with them."""
    integration = _integration(home, name)
    source, before = home.config.integrations[name].base_url, home.warehouse.snapshot()
    with recorded(home.engine, "sync", name, source, now) as load, terminal.progress() as bar:
        for page in integration.pull(lambda stream: home.warehouse.cursor(name, stream), full=full, now=now()):
            cursors = {(name, stream): value for stream, value in page.cursors.items()}
            stored = home.warehouse.upsert_rows(
                page.rows, integration=name, version_at=page.version_at, cursors=cursors, load=f"sync {name}"
            )
            load.add(stored)
            bar(sum(count.written for count in load.counts.values()), None, f"{name} {page.stream}")
            for remark in page.remarks:
                terminal.say(f"{name}: {remark.kind} {remark.id}: {remark.reason}")
    _announce(home, before, name)
    home.warehouse.compact(now())
    return load


def _announce(home: Home, before: int, synced: str | None) -> None:
    """Say what came in since a snapshot, for whoever serves: drafts, and that a sync brought something."""
    snapshot = home.warehouse.snapshot()
    told = [("invoice.draft", name) for name in sorted(home.warehouse.drafts_since(before))]
    told += [("integration.synced", synced)] if synced else []
    with operational.writing(home.engine) as session:
        for event, name in told:
            requests.tell(session, event, name, snapshot, now=now())


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
    from web.app import create_app  # only here: no other command waits for the console
    from web.server import AddressTaken, serve_forever

    home.rules(())
    web = home.config.web
    app = create_app(
        engine=home.engine,
        warehouse=home.warehouse,
        rules=home.live,
        clock=now,
        ranking_rates=home.config.ranking_rates,
        secret=os.environ.get(web.secret_env) if web.secret_env else None,
        https=web.https,
        approvals=home.remedy.approvals,
        events_token=os.environ.get(web.events_token_env) if web.events_token_env else None,
    )
    background = Background(home.setting, home.live, _syncs(home), home.config.rhythms)
    jobs: dict[str, tuple[float, Callable[[], None]]] = {
        "worker": (1, background.work),
        "trials": (1, partial(_try_out, home)),
        "repairs": (1, lambda: repairs.work(home.remedy)),
        "near": (15, home.warehouse.near.gather),
    }
    if web.events_token_env:
        jobs["files"] = (COMPACT_SECONDS, lambda: home.warehouse.compact(now()))
    if home.config.schedule.enabled:
        jobs["events"] = (EVENT_SECONDS, background.react)
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
    "models": "detector.model_commands:models",
    "example": "detector.example_command:example",
    "advise": "remediation.commands:advise_command",
    "actions": "remediation.commands:actions",
    "gate": "remediation.commands:gate_command",
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
    context.obj = Home(configuration.load())


PORT = click.option("--port", type=click.IntRange(0, 65535), help="Where the console answers; 0 takes a free port.")


@cli.command("serve")
@PORT
@click.pass_obj
def serve_command(home: Home, port: int | None) -> None:
    """Console, API, scheduler and worker in one process."""
    serve(home, port, lambda url: click.echo(url))


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
@JSON
@click.pass_obj
def sync_command(home: Home, integrations: tuple[str, ...], full: bool, as_json: bool) -> None:
    """Pull what changed since the last sync."""
    known = home.config.pulled
    for name in set(integrations) - set(known):
        raise click.UsageError(
            f"there is no integration {name} in the configuration; it has {', '.join(known) or 'none'}"
        )
    if not known:
        raise click.UsageError("no integration is configured; name one under integrations in config.yaml")
    loads, failed = [], []
    for name in integrations or known:
        try:
            loads.append((name, sync(home, name, full)))
        except SourceError as error:  # the others are still worth having
            failed.append(f"sync {name}: {error}")
    if as_json:
        terminal.answer(report.loads_json(loads))
    for name, load in loads if not as_json else ():
        click.echo(f"{name}: {report.load_line(load)}")
    if failed:
        raise JobFailed("\n".join(failed))


@cli.group("integrations", invoke_without_command=True)
@click.pass_context
def integrations_group(context: click.Context) -> None:
    """What can be connected, and whether what is connected is read completely."""
    if context.invoked_subcommand is None:
        for kind in kinds():
            click.echo(integration_of(kind))


@integrations_group.command("verify")
@click.argument("name")
@JSON
@click.pass_obj
def verify_command(home: Home, name: str, as_json: bool) -> None:
    """Ask a configured integration whether it can be read, and count its records beside the books."""
    if name not in home.config.pulled:
        raise click.UsageError(
            f"there is no integration {name} in the configuration; it has {', '.join(home.config.pulled) or 'none'}"
        )
    integration = _integration(home, name)
    if wrong := integration.check():
        raise JobFailed(f"{name}: {wrong}")
    there = integration.counts() if isinstance(integration, Counting) else {}
    here = home.warehouse.counts(name)
    compared = [{"table": table, "source": count, "books": here[table]} for table, count in there.items()]
    if as_json:
        terminal.answer({"name": name, "reads": True, "counts": compared})
    else:
        click.echo(f"{name}: can be read{'' if compared else '; it does not count its records'}")
        for each in compared:
            click.echo("  {table}: {source} there, {books} in the books".format(**each))
    if apart := [str(each["table"]) for each in compared if each["source"] != each["books"]]:
        raise JobFailed(f"{name}: not the same number of {', '.join(apart)}; trueup sync {name} --full reads all again")


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


def _try_out(home: Home) -> None:
    """Do the dry runs and calibrations that pages asked for, until none waits."""
    while trials.work(home.setting, home.live):
        pass


def _integration(home: Home, name: str) -> Integration:
    """The integration as it is configured, with secrets in place of the variables that hold them."""
    section = home.config.integrations[name]
    settings = section.settings(name, os.environ)
    try:
        return integration_of(section.kind).from_config(name, settings)
    except ValueError as error:
        raise configuration.ConfigError([str(error)]) from None


def _teach(home: Home) -> None:
    """A new model of unusual usage, once a week; it takes the place of the one in force when it is no worse."""
    from detector import usage_lessons  # only here: no other command waits for scikit-learn

    reason = usage_lessons.teach_weekly(home.setting, home.models_folder)
    if reason is not None:
        terminal.say(f"model of unusual usage: {reason}")


def _hold(home: Home) -> None:
    """Hold what is blocked, by the standing approval."""
    gate.enforce(home.remedy)


def _syncs(home: Home) -> dict[str, Callable[[bool], str]]:
    """A sync of each integration that is pulled."""
    return {name: partial(_synced, home, name) for name in home.config.pulled}


def _synced(home: Home, name: str, full: bool) -> str:
    return report.load_line(sync(home, name, full))


def _writes(home: Home) -> dict[str, Writes]:
    """The writing side of each integration whose key is there; the others cannot be written to, nor proposed for."""
    sections = home.config.integrations
    keyed = [name for name in home.config.pulled if os.environ.get(sections[name].api_key_env or "")]
    found = ((name, _integration(home, name)) for name in keyed)
    return {name: integration.writes for name, integration in found if isinstance(integration, Writing)}


def _pull_records(home: Home, name: str, records: Sequence[tuple[str, str]]) -> None:
    """Bring single records into the books, as they are in the integration now; all that changed, if it cannot."""
    integration = _integration(home, name)
    if not isinstance(integration, Rereading):
        sync(home, name, full=False)
        return
    page = integration.pull_records(records)
    home.warehouse.upsert_rows(page.rows, integration=name, version_at=page.version_at, load=f"records of {name}")
    for remark in page.remarks:
        terminal.say(f"{name}: {remark.kind} {remark.id}: {remark.reason}")


def _answers(home: Home, name: str) -> str | None:
    return _integration(home, name).check()


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
