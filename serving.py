"""`trueup serve`: the console, and the loop that does what is due beside it, in one process."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import config as configuration
from detector import arrivals, deliveries, reconcile, report, schedule, terminal, trials
from detector.background import Background
from detector.connections import Configured
from detector.delivering import Applying
from detector.ready import Ready
from detector.terminal import JobFailed
from home import Home, secret_of, sync
from integrations.capabilities import Receiving
from integrations.catalogue import find as integration_of
from people import invitations, posting, telling
from people.oidc import Provider
from people.telling import Way
from remediation import gate, holds
from remediation import worker as repairs
from stated import stated
from store import operational

EVENT_SECONDS = 0.1
GATE_SECONDS = 15
HOLDS_SECONDS = 300
COMPACT_SECONDS = 60
COMPARE_SECONDS = 5
FORGET_SECONDS = 3600
LESSON_SECONDS = 3600
TELL_SECONDS = 30


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
        clock=home.clock,
        ranking_rates=home.config.ranking_rates,
        secret=os.environ.get(web.secret_env) if web.secret_env else None,
        https=web.https,
        approvals=home.remedy.approvals,
        advisor=home.config.advisor.model,
        events_token=os.environ.get(web.events_token_env) if web.events_token_env else None,
        sign_in_required=web.https or web.proxies > 0 or not is_loopback(web.host),
        proxies=web.proxies,
        provider=_provider(home.config.oidc),
        proofs={name: integration.proven for name, integration in receiving.items()},
        connected=_connected(home, receiving),
        stated=stated(home.config),
        ways=home.way_names,
    )
    ready = Ready(home.warehouse, home.setting.allowed)
    loop = schedule.loop(_jobs(home, ready, receiving))
    loop.start()
    try:
        serve_forever(app, web.host, web.port if port is None else port, on_ready)
    except AddressTaken as error:
        raise JobFailed(str(error)) from None
    finally:
        loop.shutdown(wait=False)
        home.warehouse.near.close()
        ready.close()


def _jobs(home: Home, ready: Ready, receiving: Mapping[str, Receiving]) -> dict[str, tuple[float, Callable[[], None]]]:
    """What is done beside answering: by name, after how many seconds again and again."""
    background = _background(home, ready)
    jobs: dict[str, tuple[float, Callable[[], None]]] = {
        "worker": (1, background.work),
        "trials": (1, partial(_try_out, home)),
        "reconcile": (COMPARE_SECONDS, background.compare),
        "repairs": (1, lambda: repairs.work(home.remedy)),
        "near": (15, home.warehouse.near.gather),
        "ready": (15, ready.gather),
        "files": (COMPACT_SECONDS, lambda: home.warehouse.compact(home.clock())),
    }
    for name, integration in receiving.items():
        jobs[f"webhooks {name}"] = (EVENT_SECONDS, Applying(home.setting, name, integration.receive).work)
    if receiving:
        jobs["forget"] = (FORGET_SECONDS, partial(_forget, home))
    if ways := home.ways:
        jobs["tell"] = (TELL_SECONDS, partial(_tell, home, ways))
        jobs["exports"] = (TELL_SECONDS, partial(_post, home, ways.get("mail")))
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
    return jobs


def announce(home: Home, url: str) -> None:
    """Say where the console answers, and while nobody has an account, the link that makes the first admin."""
    terminal.echo(url)
    with operational.writing(home.engine) as session:
        secret = invitations.first_run(session, now=home.clock())
    if secret:
        terminal.say(f"nobody has an account yet; this link makes the first admin, once: {url}/first-run/{secret}")


def _try_out(home: Home) -> None:
    """Do the dry runs and calibrations that pages asked for, until none waits."""
    while trials.work(home.setting, home.live):
        pass


def _tell(home: Home, ways: Mapping[str, Way]) -> None:
    """Tell everybody by mail and chat what they asked to be told of."""
    with operational.writing(home.engine) as session:
        telling.gather(session, home.clock())
    telling.send(home.engine, ways, home.config.notify.address or home.address, home.clock)


def _post(home: Home, mail: Way | None) -> None:
    """Send by mail what people have scheduled."""
    with operational.writing(home.engine) as session:
        posting.gather(session, home.clock())
    posting.send(home.engine, mail, home.config.notify.address or home.address, home.clock)


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


def _background(home: Home, ready: Ready | None = None) -> Background:
    """What the loop of `serve` works with."""
    syncs = {name: partial(_synced, home, name) for name in home.pulled}
    tests = {name: partial(_tested, home, name) for name in home.pulled}
    compares = {name: partial(_compared, home, name) for name in home.pulled}
    setting = replace(home.setting, ready=ready)
    often = home.config.comparisons if home.config.schedule.enabled else {}
    return Background(setting, home.live, syncs, home.config.rhythms, tests, compares, often)


def _synced(home: Home, name: str, full: bool, window: arrivals.Window | None) -> str:
    return report.load_line(sync(home, name, full, window))


def _tested(home: Home, name: str) -> str:
    if wrong := home.wrong(name):
        raise JobFailed(wrong)
    return "Everything that it fills can be read."


def _compared(home: Home, name: str) -> str:
    """The source beside the books, row by row; a difference is a failure that says where."""
    tables = integration_of(home.pulled[name]).capabilities.reads
    found = reconcile.reconcile(home.setting, home.integration(name), tables)
    told = "; ".join(line.strip() for line in reconcile.compared_text(found))
    if not all(each.agrees for each in found):
        raise JobFailed(told)
    return told


def _connected(home: Home, receiving: Mapping[str, Receiving]) -> list[Configured]:
    """The configured integrations as the console shows them."""
    found = []
    held = {each.integration: f"{each.source} ({each.kind})" for each in home.warehouse.held}
    for name, kind in home.pulled.items():
        section = home.config.integrations[name]
        key = section.api_key_env or next((str(v) for k, v in section.more.items() if k.endswith("_env")), None)
        can = integration_of(kind).capabilities
        taken = name in receiving and any(k.startswith("webhook") for k in section.more)
        rhythm = (section.every, section.stale_after)
        found.append(Configured(name, kind, can, key, section.writes, taken, *rhythm, in_place=held.get(name)))
    return found


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
        deliveries.forget(session, home.clock())


def _provider(section: configuration.Oidc | None) -> Provider | None:
    """The OpenID provider as it is configured, with its secret in place of the variable that holds it."""
    if section is None:
        return None
    secret = secret_of("oidc.client_secret_env", section.client_secret_env)
    domains = frozenset(section.domains)
    return Provider(section.issuer, section.client_id, secret, section.name, domains, section.default_role)
