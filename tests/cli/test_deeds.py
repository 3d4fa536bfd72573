"""What people do on the console is done at the terminal by the same functions."""

from __future__ import annotations

import pytest

from detector import terminal
from tests.cli.conftest import Commands


def test_signals_are_changed_one_by_one_or_all_that_are_chosen_and_taken_back(trueup_filled: Commands) -> None:
    rule = trueup_filled("signals", "--json").json[0]["rule"]
    before = trueup_filled("signals", "--rule", rule, "--json").json
    change = trueup_filled("signals", "--rule", rule, "assign", "--all", "--to", "Ana", "--as", "Max", "--json").json
    assert sorted(change["changed"]) == sorted(each["id"] for each in before)
    assert {each["assignee"] for each in trueup_filled("signals", "--rule", rule, "--json").json} == {"Ana"}
    assert trueup_filled("undo", change["id"], "--json").json["changed"] == change["changed"]
    label = before[0]["id"]
    for words in (
        ("priority", "P1", label),
        ("status", "triaged", label),
        ("snooze", label, "--hours", 4),
        ("snooze", label, "--until", "bill_run"),
        ("comment", label, "--text", "called"),
        ("dismiss", label, "--reason", "immaterial"),
    ):
        assert trueup_filled("signals", *words).code == 0, words
    shown = trueup_filled("signal", "show", label, "--json").json
    assert (shown["status"], shown["priority"]) == ("suppressed", "P1")
    assert trueup_filled("signals", "snooze", label, "--hours", 4).code == 1
    assert trueup_filled("signals", "assign", "SIG-999999", "--to", "Ana").code == 2
    assert trueup_filled("signals", "assign", label, "--all", "--to", "Ana").code == 2
    assert trueup_filled("undo", "none").code == 2


def test_the_rest_of_the_console_at_the_terminal(trueup_filled: Commands) -> None:
    assert trueup_filled("team", "person", "Ana").code == 0
    assert "to Ana" in trueup_filled("team", "hand-out").out
    assert [each["name"] for each in trueup_filled("team", "--json").json["people"]] == ["Ana"]
    assert trueup_filled("team", "add-rule", "severity", "critical", "Ana").code == 0
    assert trueup_filled("team", "remove-rule", 1).code == 0
    assert trueup_filled("calendar", "add", "Black Friday", "--from", "2026-11-27", "--to", "2026-11-30").code == 0
    assert trueup_filled("calendar", "--json").json[0]["last_day"] == "2026-11-30"
    assert "before the first" in trueup_filled("calendar", "add", "x", "--from", "2026-11-27", "--to", "2026-11-01").err
    assert "no meter nope" in trueup_filled("calendar", "add", "x", "--from", "2026-11-27", "--meter", "nope").err
    assert trueup_filled("calendar", "remove", 1).code == 0
    assert "is empty" in trueup_filled("calendar").out
    assert trueup_filled("calendar", "remove", 1).code == 2
    kept = trueup_filled("settings", "set", "sla_hours.critical=8", "--json").json
    assert kept["sla_hours"]["critical"] == 8
    assert trueup_filled("settings", "--json").json == kept
    assert trueup_filled("settings", "set", "sla_hours.critical=0").code == 1
    assert trueup_filled("views", "save", "mine", "?sev=critical").code == 0
    assert trueup_filled("views", "--json").json[0]["query"] == "sev=critical"
    for query, said in (
        ("severity=critical", "did you mean sev?"), ("sev=cirtical", "did you mean critical?"),
        ("sort=money", "use one of risk, amount"), ("critical", "is no query; write it as"),
    ):  # fmt: skip
        refused = trueup_filled("views", "save", "odd", query)
        assert refused.code == 1
        assert said in refused.err
    assert trueup_filled("views", "remove", 1).code == 0
    assert trueup_filled("notifications", "Ana", "--json").json[0]["kind"] == "assigned"
    told = trueup_filled("wishes", "Ana", "overdue.chat=once", "quiet_from=20:00", "quiet_to=07:00", "--json").json
    assert (told["wishes"]["overdue.chat"], told["configured"]) == ("once", [])
    assert "did you mean overdue.chat?" in trueup_filled("wishes", "Ana", "overdeu.chat=once").err
    assert "no chat is configured" in trueup_filled("wishes", "Ana", "--test", "chat").err
    assert trueup_filled("report", "--csv").out.startswith("what,currency")
    assert trueup_filled("report", "--period", "never").code == 2
    assert trueup_filled("audit", "export", "--action", "team").out.count("team.") >= 3
    assert {each["kind"] for each in trueup_filled("jobs", "--json").json} == {"event"}
    assert trueup_filled("runs", "cancel", 1).code == 2
    assert trueup_filled("rules", "pause", "usage_spike").code == 0
    assert trueup_filled("rules", "resume", "usage_spike").code == 0
    assert trueup_filled("rules", "copy", "usage_spike", "second_spike", "--json").json["number"] == 1


def test_records_usage_and_the_gate_of_a_bill_run(trueup_filled: Commands) -> None:
    signal = trueup_filled("signals", "--code", "TU-19", "--json").json[0]
    line = next(each for each in signal["entities"] if each["type"] == "invoice_line")
    (row,) = trueup_filled("record", "invoice_line", line["id"], "--json").json
    assert row["line_id"] == line["id"]
    used = trueup_filled("usage", row["item_id"], "--from", "2026-08-01", "--to", "2026-11-03", "--json").json
    assert used[0]["events"] > 0
    explained = trueup_filled("signals", "explain", signal["id"], "--most", 1, "--json").json
    assert explained[0]["line_id"] in [each["id"] for each in signal["entities"]]
    customer = next(each["id"] for each in signal["entities"] if each["type"] == "customer")
    assert trueup_filled("notes", "add", customer, "--text", "look @Max", "--as", "Ana").out == "note 1 is written\n"
    assert trueup_filled("notes", "set", 1, "--text", "looked @Max").code == 0
    assert "mentioned by Ana: looked @Max" in trueup_filled("notifications", "Max").out
    assert trueup_filled("notes", "--on", customer, "--json").json[0]["text"] == "looked @Max"
    assert trueup_filled("notes", "remove", 1).code == 0
    assert trueup_filled("notes", "remove", 1).lines == ["trueup: there is no note 1"]
    assert "there is no customer nobody" in trueup_filled("notes", "add", "nobody", "--text", "x").err
    assert trueup_filled("contacts", "add", customer, "name=Ann Lee", "phone=1").out == "contact 1 is added\n"
    assert trueup_filled("contacts", "set", 1, "role=Finance").code == 0
    assert trueup_filled("contacts", "--of", customer).out == "1, Ann Lee, Finance, 1\n"
    assert "there is no field 'mail'" in trueup_filled("contacts", "set", 1, "mail=x").err
    assert trueup_filled("contacts", "remove", 1).code == 0
    assert "there are no contacts of" in trueup_filled("contacts", "--of", customer).out
    assert "there is no customer nobody" in trueup_filled("notes", "--on", "nobody").err
    drafts = trueup_filled("gate", "--json").json
    assert {each["state"] for each in drafts} & {"blocked", "held"}
    failed = trueup_filled("gate", "--fail-on", "hold")
    assert (failed.code, "do not pass" in failed.err) == (1, True)
    assert trueup_filled("record", "invoice", "none").code == 2
    assert trueup_filled("gate", "none").code == 2


def test_no_text_of_a_record_or_a_model_steers_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "Acme\x1b[2J\x9b31m\x07\r\u202eevil"
    terminal.echo(hostile)
    terminal.say(hostile)
    table = terminal.columns("name")
    table.add_row(hostile)
    terminal.show(table)
    terminal.answer({"name": hostile})
    out, err = capsys.readouterr()
    assert not set("\x1b\x9b\x07\r\u202e") & set(out + err)
    assert out.splitlines()[0] == "Acme?[2J?31m???evil"
    assert '"name": "Acme\\u001b[2J\\u009b31m\\u0007\\r\\u202eevil"' in out
