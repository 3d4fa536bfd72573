"""Trueup's command line: the table of contents. Each command opens what it needs, does one job, says what came of it.

Exit codes: 0 done, 1 the job failed, 2 bad arguments or configuration (one line says what and where).
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

import click
from sqlalchemy.exc import SQLAlchemyError

import config as configuration
import config_file
from detector import arrivals, checkup, cycle, overrides, report, rule_commands, terminal
from detector.cycle import RunResult
from detector.evaluate import RuleFailed
from detector.freshness import stale
from detector.rules import Rule
from detector.terminal import INSTANT, JSON, JobFailed
from home import Home, import_folder, sync
from integrations.http import SourceError
from serving import announce, serve
from store import audit, operational
from store import home as homes
from store.lake import LakeError

DEMO_CUSTOMERS = 300
DEMO_SEED = 1


ELSEWHERE = {
    "rules": "detector.version_commands:rules",
    "dry-run": "detector.trial_commands:dry_run",
    "runs": "detector.commands:runs",
    "signals": "detector.signal_commands:signals",
    "undo": "detector.signal_commands:undo",
    "team": "detector.team_commands:team_group",
    "settings": "detector.team_commands:settings_group",
    "views": "detector.team_commands:views_group",
    "notifications": "detector.team_commands:notifications",
    "wishes": "people.wish_commands:wishes_command",
    "exports": "people.export_commands:exports_group",
    "report": "detector.team_commands:report_command",
    "jobs": "detector.book_commands:jobs",
    "notes": "detector.note_commands:notes_group",
    "contacts": "detector.note_commands:contacts_group",
    "record": "detector.book_commands:record",
    "usage": "detector.book_commands:usage",
    "signal": "detector.commands:one_signal",
    "explain": "detector.explain_commands:explain",
    "rerate": "detector.explain_commands:rerate",
    "series": "detector.series_commands:series",
    "events": "detector.event_commands:events",
    "models": "detector.model_commands:models",
    "calendar": "detector.calendar_commands:calendar_group",
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


NUMBERS = frozenset(
    {"explain", "gate", "record", "report", "rerate", "scoreboard", "series", "signal", "signals", "usage"}
)
"""The commands that tell numbers out of the books."""


@cli.result_callback()
@click.pass_context
def _tell_stale(context: click.Context, result: object) -> object:
    """Beside numbers it is said which sources are behind, and why."""
    home: Home = context.obj
    if context.invoked_subcommand in NUMBERS and operational.exists(home.config.operational_url):
        with operational.reading(home.engine) as session:
            behind = stale(session, home.config.stale_limits, home.clock())
        for name, why in behind.items():
            terminal.say(f"stale data: {name}: {why}")
    return result


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
        present = home.clock().replace(microsecond=0)
        with _timed("data"):
            _write_example(place.books, customers, present)
        with _timed("import"):
            import_folder(home, place.books, keep_good=False)
        with _timed("rules"):
            _check(detect(home, home.rules(()), home.clock(), lambda result: terminal.say(report.run_line(result))))
        place.complete({"customers": customers, "seed": DEMO_SEED, "as_of": present.isoformat()})
    serve(home, port, lambda url: terminal.echo(f"{url}  (Ctrl-C stops it)"))


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
        terminal.echo(f"import: {report.load_line(load)}")


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
        terminal.echo(f"{name}: {report.load_line(load)}")
    if failed:
        raise JobFailed("\n".join(failed))


@cli.command("run")
@click.argument("rules", nargs=-1)
@click.option("--as-of", type=INSTANT, help="Evaluate as if it were then: what happened later is not seen.")
@JSON
@click.pass_obj
def run_command(home: Home, rules: tuple[str, ...], as_of: datetime | None, as_json: bool) -> None:
    """Evaluate rules and keep their signals."""
    tell = (lambda result: None) if as_json else (lambda result: terminal.echo(report.run_line(result)))
    chosen = home.rules(rules)
    if not rules:
        with operational.reading(home.engine) as session:
            off = overrides.off(session, home.clock())
        chosen = [rule for rule in chosen if rule.name not in off]
    results = detect(home, chosen, as_of or home.clock(), tell)
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
    pulled = {name: partial(home.wrong, name) for name in home.config.pulled}
    told = f"{config_file.source() or 'no file'}, home {home.config.place}"
    checked = [checkup.Checked("configuration", True, told), *checkup.everything(home, home.config.place, pulled)]
    if as_json:
        terminal.answer([{"name": each.name, "well": each.well, "said": each.said} for each in checked])
    else:
        for each in checked:
            terminal.echo(f"{'well' if each.well else 'NOT WELL':<9} {each.name}: {report.printable(each.said)}")
    if unwell := [each.name for each in checked if not each.well]:
        raise JobFailed(f"not well: {', '.join(unwell)}")


def detect(home: Home, rules: Sequence[Rule], as_of: datetime, tell: Callable[[RunResult], None]) -> list[RunResult]:
    """Run rules on the latest snapshot and keep their signals; each result is told as it comes."""
    with terminal.progress() as bar:
        done: list[str] = []

        def count(result: RunResult) -> None:
            done.append(result.rule)
            bar(len(done), len(rules), "rules")
            tell(result)

        return cycle.run(home.setting, rules, as_of, on_result=count)


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
    terminal.echo(f"{phase:<8} {time.perf_counter() - began:6.1f} s")


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
