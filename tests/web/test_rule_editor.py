"""Rules in the console: tried on the past, set, copied, edited as text and as a form, saved, activated, restored."""

from __future__ import annotations

import html as entities
import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from detector import versions
from store import operational
from store.operational_tables import Job, RuleOverride, Run, Signal
from tests.web.company import Home
from tests.web.reading import Page, act, get, text

RETRIES = "/rules/payment_retries_exhausted"
OWN = "/rules/retries_own"


def draft(html: str) -> str:
    """The rule's text in the editor."""
    found = re.search(r'<textarea id="text"[^>]*>\n(.*?)</textarea>', html, re.DOTALL)
    assert found, "the page has no editor"
    return entities.unescape(found[1])


def fields(html: str) -> dict[str, str]:
    """What the form beside the text holds."""
    page = Page(html)
    shown = page.all("input", name="shown")[0]["value"]
    values = {each["name"]: each["value"] for each in page.all("input") if each.get("name", "").startswith("param-")}
    severity = re.search(r'<select id="severity".*?<option value="(\w+)" selected', html, re.DOTALL)
    rhythm = re.search(r'<select id="rhythm".*?<option value="(\w*)" selected', html, re.DOTALL)
    on = [each["value"] for each in page.all("input", name="on") if "checked" in each]
    assert severity
    assert rhythm
    at = page.all("input", name="at")[0]["value"]
    return {"shown": shown, "severity": severity[1], "rhythm": rhythm[1], "at": at, "timezone": "UTC", **values} | (
        {"on": on[0]} if on else {}
    )


@pytest.fixture
def copied(client: FlaskClient) -> str:
    """A copy of a system rule; the editor's page."""
    answer = act(client, f"{RETRIES}/copy", RETRIES, name="retries_own")
    assert answer.headers["Location"] == f"{OWN}/edit"
    return get(client, f"{OWN}/edit")


def edit(client: FlaskClient, html: str, deed: str, code: int = 200, *, body: str | None = None, **more: str) -> str:
    """Press a button of the editor with the text and the form as they are, but for `body` and `more`."""
    values = {**fields(html), "text": body or draft(html), "deed": deed, **more}
    return act(client, f"{OWN}/edit", f"{OWN}/edit", code, **values).get_data(as_text=True)


def trial(client: FlaskClient, home: Home, html: str) -> str:
    """The panel of the trial that a page waits for, once a worker has done it."""
    found = re.search(r'hx-get="(/rules/\w+/trials/\d+)"', html)
    assert found, text(html)
    assert "Waiting for a worker" in html
    home.try_out()
    return get(client, found[1])


def test_a_dry_run_says_what_it_would_raise_and_keeps_nothing(client: FlaskClient, home: Home) -> None:
    with operational.reading(home.engine()) as session:
        before = [session.scalar(select(func.count()).select_from(table)) for table in (Run, Signal)]
    asked = act(client, f"{RETRIES}/trials", RETRIES, 200, range="now").get_data(as_text=True)
    told = text(trial(client, home, asked))
    assert re.search(r"Would be signals 1 Records \d+ Exposed [\d,.]+ [A-Z]{3} People said 0 right, 0 wrong", told)
    assert re.search(r"[\d,]+ rows read in [\d.]+ s: 1 instant on snapshot \d+", told)
    assert re.search(r"SIG-\d+ unhandled", told)
    with operational.reading(home.engine()) as session:
        assert before == [session.scalar(select(func.count()).select_from(table)) for table in (Run, Signal)]


def test_a_dry_run_with_other_values_is_beside_the_live_version(client: FlaskClient, home: Home) -> None:
    values = {
        "param-min_attempts": "20",
        "from": "2026-11-10T00:00",
        "to": "2026-11-20T00:00",
        "step": "P5D",
        "range": "",
    }
    asked = act(client, f"{RETRIES}/trials", RETRIES, 200, **values).get_data(as_text=True)
    told = text(trial(client, home, asked))
    assert "Beside the live version 0 added" in told
    assert "3 instants on snapshot" in told
    assert "Nothing. It finds no defect there." in told


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"param-min_attempts": "many"}, "min_attempts: 'many' is not a whole number"),
        ({"range": "", "to": "yesterday"}, "is no date and time"),
        ({"range": "", "from": "2026-11-20T00:00", "to": "2026-11-10T00:00"}, "before it starts"),
        ({"range": "30", "step": "daily"}, "is not an ISO 8601 duration"),
    ],
)
def test_a_dry_run_that_cannot_be_says_why_and_keeps_the_form(
    client: FlaskClient, home: Home, values: dict[str, str], said: str
) -> None:
    html = act(client, f"{RETRIES}/trials", RETRIES, 400, **values).get_data(as_text=True)
    assert "It could not run." in html
    assert said in text(html)
    assert f'value="{next(reversed(values.values()))}"' in html
    with operational.reading(home.engine()) as session:
        assert session.scalars(select(Job).where(Job.kind == "dry_run")).all() == []


def test_a_trial_that_waits_can_be_stopped(client: FlaskClient, home: Home) -> None:
    asked = act(client, f"{RETRIES}/trials", RETRIES, 200, range="30").get_data(as_text=True)
    found = re.search(r'formaction="(/rules/\w+/trials/\d+/cancel)"', asked)
    assert found
    stopped = act(client, found[1], RETRIES, 200).get_data(as_text=True)
    assert "Stopped before it began." in text(stopped)


def test_what_is_set_for_a_system_rule_is_kept_apart_and_taken_back(client: FlaskClient, home: Home) -> None:
    html = get(client, f"{RETRIES}/edit")
    values = {**fields(html), "severity": "low", "param-min_attempts": "5"}
    act(client, f"{RETRIES}/set", f"{RETRIES}/edit", **values)
    page = get(client, f"{RETRIES}/edit")
    assert (fields(page)["severity"], fields(page)["param-min_attempts"]) == ("low", "5")
    assert "set by console" in text(page)
    assert "The rule's own is 3." in text(page)
    with operational.reading(home.engine()) as session:
        (kept,) = session.scalars(select(RuleOverride)).all()
        assert (kept.severity, kept.params, kept.schedule) == ("low", {"min_attempts": "5"}, None)
    refused = act(client, f"{RETRIES}/set", f"{RETRIES}/edit", **{**values, "param-min_attempts": "many"})
    assert "Not set: params: parameter min_attempts" in text(get(client, refused.headers["Location"]))
    act(client, f"{RETRIES}/set", f"{RETRIES}/edit", **values, deed="reset")
    assert fields(get(client, f"{RETRIES}/edit"))["severity"] == "high"


def test_a_rule_that_is_off_says_so_in_the_list(client: FlaskClient) -> None:
    act(client, f"{RETRIES}/set", f"{RETRIES}/edit", **fields(get(client, f"{RETRIES}/edit")), off="yes")
    assert re.search(r"Payment retries exhausted Off", text(get(client, "/rules")))


def test_a_copy_is_a_draft_that_does_not_run(client: FlaskClient, copied: str) -> None:
    assert "name: retries_own" in draft(copied)
    assert "copy of payment_retries_exhausted" in text(copied)
    assert "Draft runs once it is activated" in text(copied)
    assert re.search(r"Drafts .* Retries own version 1", text(get(client, "/rules")))
    assert client.get(OWN).headers["Location"] == f"{OWN}/edit"


def test_a_new_rule_starts_from_the_template_or_from_a_text_of_elsewhere(client: FlaskClient, copied: str) -> None:
    made = act(client, "/rules", "/rules", name="slow_payer")
    assert "name: slow_payer" in draft(get(client, made.headers["Location"]))
    text_of_elsewhere = draft(copied).replace("name: retries_own", "name: retries_theirs")
    imported = act(client, "/rules", "/rules", text=text_of_elsewhere)
    assert imported.headers["Location"] == "/rules/retries_theirs/edit"
    broken = act(client, "/rules", "/rules", text="name: x")
    assert "Not saved: line 1" in text(get(client, broken.headers["Location"]))
    again = act(client, "/rules", "/rules", name="slow_payer")
    assert "There is a rule slow_payer already" in text(get(client, again.headers["Location"]))


@pytest.mark.parametrize(("name", "said"), [("usage_spike", "already"), ("Bad Name", "Not copied"), ("", "Not copied")])
def test_a_copy_needs_a_name_of_its_own(client: FlaskClient, name: str, said: str) -> None:
    answer = act(client, f"{RETRIES}/copy", RETRIES, name=name)
    assert said in text(get(client, answer.headers["Location"]))


def test_the_form_writes_into_the_text_and_leaves_the_rest(client: FlaskClient, copied: str) -> None:
    before = draft(copied)
    html = edit(client, copied, "check", **{"param-min_attempts": "5"}, severity="low", rhythm="daily", at="07:30")
    changed = [(old, new) for old, new in zip(before.splitlines(), draft(html).splitlines(), strict=True) if old != new]
    assert [new for _, new in changed][:2] == ["severity: low", 'schedule: {daily: "07:30"}']
    assert "default: 5" in changed[2][1]
    assert len(changed) == 3
    assert "not saved" in text(html)


def test_the_text_writes_into_the_form(client: FlaskClient, copied: str) -> None:
    html = edit(client, copied, "check", body=draft(copied).replace("severity: high", "severity: medium"))
    assert fields(html)["severity"] == "medium"
    assert "severity: medium" in draft(html)


def test_a_word_that_the_form_does_not_know_stays_in_the_text(client: FlaskClient, copied: str) -> None:
    html = edit(client, copied, "check", body=draft(copied).replace("severity: high", "severity: awful"))
    assert fields(html)["severity"] == "awful"
    assert "severity: awful" in draft(edit(client, html, "check"))


def test_mistakes_are_shown_at_their_line_and_nothing_is_saved(client: FlaskClient, copied: str) -> None:
    broken = draft(copied).replace("severity: high", "severity: awful").replace("FROM payments", "FROM paiments")
    html = edit(client, copied, "save", 400, body=broken)
    line = broken.splitlines().index("severity: awful") + 1
    assert f'data-line="{line}"' in html
    assert "there is no relation 'paiments'; did you mean payments?" in text(html)
    assert "Not saved: mend what is listed below first." in text(html)
    assert draft(html) == broken
    assert "version 2" not in text(get(client, f"{OWN}/edit"))


def test_from_a_draft_through_its_dry_run_to_running(client: FlaskClient, home: Home, copied: str) -> None:
    early = act(client, f"{OWN}/activate", f"{OWN}/edit", number="1", note="ours")
    assert "retries_own@1 was not run dry yet" in text(get(client, early.headers["Location"]))
    html = edit(client, copied, "check", **{"param-min_attempts": "4"})
    told = text(trial(client, home, edit(client, html, "try", range="now")))
    assert "Would be signals" in told
    edit(client, html, "save", 303, note="three is too few")
    page = get(client, f"{OWN}/edit")
    assert "This very text was run dry" in text(page)
    act(client, f"{OWN}/activate", f"{OWN}/edit", number="2", note="three is too few")
    assert "Live version 2 runs" in text(get(client, f"{OWN}/edit"))
    assert "custom, version 2" in text(get(client, OWN))
    with operational.reading(home.engine()) as session:
        live = versions.listed(session, "retries_own")[0]
        assert (live.live, live.note, live.activated_by) == (True, "three is too few", "console")


def test_a_version_is_not_activated_while_the_page_holds_another_text(client: FlaskClient, copied: str) -> None:
    other = draft(copied).replace("severity: high", "severity: low")
    refused = act(client, f"{OWN}/activate", f"{OWN}/edit", 409, number="1", note="x", text=other)
    html = refused.get_data(as_text=True)
    assert "the text was changed since version 1; save it first" in html
    assert draft(html) == other


def test_versions_are_compared_restored_exported_and_retired(client: FlaskClient, home: Home, copied: str) -> None:
    html = edit(client, copied, "check", severity="low")
    compared = text(edit(client, html, "compare", other="1"))
    assert "This draft beside version 1" in compared
    assert "-severity: high +severity: low" in compared
    edit(client, html, "save", 303)
    act(client, f"{OWN}/restore", f"{OWN}/edit", number="1")
    page = get(client, f"{OWN}/edit")
    assert "restores version 1" in text(page)
    assert draft(page) == draft(copied)
    assert "severity: low" in get(client, f"{OWN}/export?version=2")
    gone = act(client, f"{OWN}/retire", f"{OWN}/edit")
    assert "No version of it was live." in text(get(client, gone.headers["Location"]))


def test_the_cases_of_a_draft_are_run(client: FlaskClient, copied: str) -> None:
    told = text(edit(client, copied, "test"))
    assert re.search(r"(\d+) of \1 cases pass", told)
    wrong = draft(copied).replace("expect: quiet", "expect: [{cause: 'customer:acme', exposure: 1.00}]", 1)
    told = text(edit(client, copied, "test", body=wrong))
    assert "was expected and not found" in told


def test_a_parameter_is_calibrated_with_a_chart_and_the_table_of_it(
    client: FlaskClient, home: Home, copied: str
) -> None:
    html = trial(client, home, edit(client, copied, "calibrate", parameter="min_attempts"))
    told = text(html)
    assert "Signals at each value of min attempts" in told
    assert "a rate needs 30, so these are counts" in html
    assert re.search(r"Value Signals Resolved Dismissed Precision Money .* 3 \(now\)", told)
    assert "Nobody dismissed a signal of it, so there is none to spare." in told


def test_the_pages_are_well_formed(client: FlaskClient, home: Home, copied: str) -> None:
    for address in (f"{RETRIES}/edit", f"{OWN}/edit", RETRIES, "/rules"):
        assert Page(get(client, address)).problems == [], address
    assert Page(edit(client, copied, "compare", other="1")).problems == []
    assert Page(trial(client, home, edit(client, copied, "try", range="now"))).problems == []
