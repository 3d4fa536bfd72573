"""Puts the console together: one function that makes the Flask app from the stores, the rules and a clock."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from flask import Flask
from sqlalchemy import Engine
from werkzeug.middleware.proxy_fix import ProxyFix

from detector.connections import Configured
from detector.deliveries import Proof
from detector.live_rules import LiveRules
from detector.operator_settings import Stated
from people.oidc import Provider
from remediation.life import Approvals
from store.intake import Intake
from store.warehouse import Warehouse
from web import (
    access,
    account,
    api,
    asking,
    audit,
    bill_runs,
    customer,
    customer_notes,
    data,
    errors,
    events,
    exports,
    hooks,
    integrations,
    invoice,
    jobs,
    joining,
    jump,
    manager_report,
    notifications,
    oidc,
    pack,
    preferences,
    rates,
    records,
    repair,
    rule_editor,
    rule_trials,
    rules,
    runs,
    scheduling,
    scores,
    security,
    settings,
    sign_in,
    signal,
    signals,
    subscription,
    team,
    template_words,
    triage,
    unusual,
    usage,
    users,
    views,
    wishes,
)
from web import pages as answers
from web.assets import serve_assets
from web.console import KEY, Console
from web.numbers import Number

LARGEST_FORM = 1_000_000
"""Bytes that a form may have; a selection of some ten thousand signals fits."""


def create_app(
    *,
    engine: Engine,
    warehouse: Warehouse,
    rules: LiveRules,
    clock: Callable[[], datetime],
    ranking_rates: Mapping[str, Decimal] | None = None,
    secret: str | None = None,
    https: bool = False,
    approvals: Approvals | None = None,
    advisor: str | None = None,
    events_token: str | None = None,
    sign_in_required: bool = False,
    provider: Provider | None = None,
    proxies: int = 0,
    proofs: Mapping[str, Proof] | None = None,
    connected: Sequence[Configured] = (),
    stated: Sequence[Stated] = (),
    ways: Sequence[str] = (),
) -> Flask:
    """The console as a WSGI app.

    `clock` gives the present instant, UTC and aware. `ranking_rates` orders currencies and is never shown. `secret`
    signs the session cookie; without one, forms opened before a restart have to be reloaded. `https`: cookies go over
    https only. `approvals`: who may approve which action. `advisor`: the language model that workers ask, None where
    there is none. `events_token` lets usage events in at /api/v1/events, `proofs` webhooks at /hooks/<integration>:
    what proves them, by name. `connected`: the integrations that are configured. `stated`: what the configuration
    says, for the page of settings. `ways`: how people can be told of something outside the console.
    `sign_in_required`: also while nobody has an account, because the console can be reached from elsewhere.
    `provider`: the company's OpenID provider, by which people may sign in. `proxies`: how many stand before the
    console, each of which adds to the X-Forwarded headers who asked it.
    Raises nothing of its own; the stores are read when a page needs them.
    """
    app = Flask(__name__, static_folder=None)
    app.url_map.converters["int"] = Number
    app.secret_key = secret or secrets.token_hex(32)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_FORM
    app.config["MAX_FORM_PARTS"] = 20_000
    app.extensions[KEY] = Console(
        engine,
        warehouse,
        rules,
        clock,
        ranking_rates or {},
        approvals=approvals or Approvals(),
        advisor=advisor,
        integrations=connected,
        stated=stated,
        ways=ways,
    )
    if proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=proxies)  # type: ignore[method-assign]
    app.extensions[events.KEY] = Intake(warehouse, clock)
    app.extensions[hooks.KEY] = dict(proofs or {})
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    serve_assets(app)
    template_words.install(app)
    answers.install(app)
    security.protect(app, https=https, without_cookies=(api.pages, events.pages, hooks.pages))
    access.guard(app, access.Access(sign_in_required, events_token))
    rates.limiter.init_app(app)
    oidc.install(app, provider)
    errors.install(app)
    for blueprint in PAGES:
        app.register_blueprint(blueprint)
    return app


PAGES = (
    signals.pages,
    exports.pages,
    views.pages,
    team.pages,
    manager_report.pages,
    notifications.pages,
    wishes.pages,
    scheduling.pages,
    signal.pages,
    pack.pages,
    triage.pages,
    repair.pages,
    asking.pages,
    rules.pages,
    rule_editor.pages,
    rule_trials.pages,
    runs.pages,
    scores.pages,
    unusual.pages,
    data.pages,
    events.pages,
    api.pages,
    customer.pages,
    customer_notes.pages,
    subscription.pages,
    invoice.pages,
    usage.pages,
    bill_runs.pages,
    hooks.pages,
    integrations.pages,
    records.pages,
    jump.pages,
    jobs.pages,
    preferences.pages,
    sign_in.pages,
    oidc.pages,
    joining.pages,
    account.pages,
    users.pages,
    audit.pages,
    settings.pages,
)
