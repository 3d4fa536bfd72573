"""Questions on a signal's page: a form, a worker that asks the model, and the answer as it is checked."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from integrations.http_limits import Pace
from remediation import worker
from remediation.advisor.model import Model
from store import operational
from store.operational_tables import Signal
from tests.peers.openai import OpenAIPeer, running, say
from tests.remediation.advisor.desk import endpoint
from tests.web.company import Home
from tests.web.reading import act, get
from tests.web.test_repair import remedy

TEXTS = ("The root cause is pricing.", "The customer owes 7 USD.")
SAID = {"explanation": [{"text": text, "cites": ["cause"]} for text in TEXTS], "order": [], "doubts": []}


@pytest.fixture(scope="module")
def talker() -> Iterator[OpenAIPeer]:
    with running() as peer:
        yield peer


@pytest.fixture
def client(home: Home) -> Iterator[FlaskClient]:
    """A browser without scripts on a console that has a language model."""
    with home.app(advisor="peer-1").test_client() as client:
        yield client


def page_of(home: Home) -> str:
    with operational.reading(home.engine()) as session:
        return f"/signals/SIG-{session.scalars(select(Signal.id).where(Signal.code == 'TU-19')).one()}"


def test_a_question_is_answered_by_a_worker_and_streamed_to_the_page(
    client: FlaskClient, home: Home, talker: OpenAIPeer
) -> None:
    page, model = page_of(home), Model(endpoint(talker), Pace())
    act(client, f"{page}/questions", question="  ")
    assert "A question has 1 to 2000 letters." in get(client, page)
    act(client, f"{page}/questions", question="Why <b>this</b>?")
    html = get(client, page)
    assert "Why &lt;b&gt;this&lt;/b&gt;?" in html and "Waiting for a worker" in html
    stream = html.partition('data-stream="')[2].partition('"')[0]
    talker.will(say("The root cause is pricing. [cause]\nIt costs 12345 USD. [cause]"))
    worker.talk(remedy(home), model)
    events = client.get(stream)
    assert events.mimetype == "text/event-stream" and events.text.startswith("event: end\n")
    told = json.loads(events.text.partition("data: ")[2])
    assert "The root cause is pricing." in told and "<code>cause</code>" in told
    assert "1 sentence dropped" in told and "the evidence has no 12345" in told
    html = get(client, page)
    assert "The root cause is pricing." in html and "data-stream" not in html and "1,000 tokens in" in html
    assert client.get(stream.replace("SIG-", "SIG-9")).status_code == 404


def test_the_card_says_what_the_model_says_apart_from_what_code_found(
    client: FlaskClient, home: Home, talker: OpenAIPeer
) -> None:
    page = page_of(home)
    talker.will(say(SAID))
    act(client, f"{page}/advise", back=page)
    made = remedy(home)
    worker.work(made)
    assert "It is reading the evidence" in get(client, page)
    worker.talk(made, Model(endpoint(talker), Pace()))
    html = get(client, page)
    assert "What peer-1 says" in html and "It decides nothing." in html and "The root cause is pricing." in html
    assert "<del>The customer owes 7 USD.</del>" in html


def test_without_a_model_there_is_no_form_and_a_question_is_refused(home: Home) -> None:
    page = page_of(home)
    with home.app().test_client() as client:
        assert "questions" not in get(client, page)
        act(client, f"{page}/questions", question="why?")
        assert "No language model is configured" in get(client, page)
