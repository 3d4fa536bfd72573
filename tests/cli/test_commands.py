"""The command line as a stranger reads it: what it prints, what it returns, what it says when something is wrong."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
from pathlib import Path

import pytest

from store import operational
from tests.cli.conftest import AS_OF, ROOT, Answer, Commands, by_process, command, environment

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
AMOUNT = re.compile(r"-?\d+(\.\d+)?")


def test_the_help_names_every_command(trueup_in: Commands) -> None:
    answer = trueup_in("--help")
    assert answer.code == 0
    for name in [
        "demo",
        "doctor",
        "dry-run",
        "example",
        "explain",
        "import",
        "rerate",
        "rules",
        "run",
        "serve",
        "signal",
        "signals",
        "sync",
    ]:
        assert re.search(rf"^  {name} ", answer.out, re.MULTILINE), name


def test_without_a_command_the_help_is_the_complaint(trueup_in: Commands) -> None:
    answer = trueup_in()
    assert (answer.code, answer.out) == (2, "")
    assert answer.lines[0].startswith("Usage: trueup ")


def test_signals_as_json_are_what_the_specification_says(trueup_filled: Commands) -> None:
    answer = trueup_filled("signals", "--json")
    assert answer.code == 0
    assert answer.err == ""
    signals = answer.json
    assert len(signals) >= 10
    for signal in signals:
        assert signal["severity"] in ("critical", "high", "medium", "low")
        assert signal["category"] in ("configuration", "data_quality", "integration", "pricing", "collection")
        assert signal["status"] == "unhandled"
        assert signal["priority"] in ("P1", "P2", "P3", "P4")
        assert re.fullmatch(r"TU-\d\d", signal["code"])
        assert re.fullmatch(r"[a-z_]+:.+", signal["cause"])
        assert INSTANT.fullmatch(signal["first_seen"])
        assert INSTANT.fullmatch(signal["last_seen"])
        assert signal["impact"]
        for impact in signal["impact"]:
            assert set(impact) == {"currency", "under", "over", "exposure"}
            assert all(AMOUNT.fullmatch(impact[name]) for name in ("under", "over", "exposure"))
        assert {entity["role"] for entity in signal["entities"]} <= {"cause", "affected", "evidence"}
        for entity in signal["entities"]:
            wanted = {"type", "id", "role", "customer_id", "name", "target_date", "execution_date", "status"}
            assert wanted | {"expected", "actual"} <= set(entity)


def test_signals_are_chosen_by_every_option(trueup_filled: Commands) -> None:
    every = trueup_filled("signals", "--json").json
    for option, field in (
        ("--code", "code"),
        ("--rule", "rule"),
        ("--severity", "severity"),
        ("--category", "category"),
    ):
        value = every[0][field]
        chosen = trueup_filled("signals", option, value, "--json").json
        assert chosen == [signal for signal in every if signal[field] == value], option
    assert trueup_filled("signals", "--status", "resolved", "--json").json == []
    assert trueup_filled("signals", "--status", "any", "--json").json == every
    line = next(entity for entity in every[0]["entities"] if entity["type"] == "customer")
    named = trueup_filled("signals", "--customer", line["id"], "--json").json
    assert every[0]["id"] in [signal["id"] for signal in named]


def test_signals_as_a_table_end_with_their_money_per_currency(trueup_filled: Commands) -> None:
    answer = trueup_filled("signals")
    lines = answer.out.splitlines()
    assert lines[0].split()[:4] == ["ID", "CODE", "SEVERITY", "STATUS"]
    assert re.match(r"SIG-\d+ +TU-\d\d ", lines[1])
    assert re.match(r"\d+ of \d+ signals; [A-Z]{3} (under|over|exposed) ", lines[-1])


def test_signals_as_csv_have_a_line_per_signal_and_currency(trueup_filled: Commands) -> None:
    answer = trueup_filled("signals", "--csv", "--severity", "critical")
    rows = list(csv.DictReader(io.StringIO(answer.out)))
    signals = trueup_filled("signals", "--json", "--severity", "critical").json
    wanted = [(signal["id"], impact["currency"], impact["under"]) for signal in signals for impact in signal["impact"]]
    assert [(row["id"], row["currency"], row["under"]) for row in rows] == wanted


def test_one_signal_shows_records_evidence_timeline_and_advice(trueup_filled: Commands) -> None:
    listed = trueup_filled("signals", "--json").json[0]
    shown = trueup_filled("signal", "show", listed["id"], "--json").json
    assert {name: shown[name] for name in listed} == listed
    assert shown["evidence"][0]["row"]
    assert shown["run"]["snapshot"] > 0
    assert [event["reason"] for event in shown["timeline"]] == ["opened"]
    assert [step["order"] for step in shown["advice"]] == list(range(1, len(shown["advice"]) + 1))
    text = trueup_filled("signal", "show", listed["id"].removeprefix("SIG-")).out
    for entity in listed["entities"][:20]:
        assert f"{entity['type']}:{entity['id']}" in text
    for heading in ("records", "evidence", "timeline", "advice"):
        assert f"\n{heading}" in text


def test_an_invoice_line_is_explained_step_by_step(trueup_filled: Commands) -> None:
    signals = trueup_filled("signals", "--code", "TU-19", "--json").json
    line = next(entity["id"] for entity in signals[0]["entities"] if entity["type"] == "invoice_line")
    answer = trueup_filled("explain", line, "--as-of", AS_OF)
    assert answer.code == 0
    assert len(answer.out.splitlines()) > 5
    assert isinstance(trueup_filled("explain", line, "--json").json, dict)


def invoice_of(commands: Commands, code: str) -> tuple[str, str]:
    """The first line that a signal of the code names, and its invoice."""
    entities = commands("signals", "--code", code, "--json").json[0]["entities"]
    line = next(entity["id"] for entity in entities if entity["type"] == "invoice_line")
    return line, commands("explain", line, "--json").json["invoice_id"]


def test_an_invoice_is_explained_with_its_lines_and_its_sums(trueup_filled: Commands) -> None:
    line, invoice = invoice_of(trueup_filled, "TU-19")
    answer = trueup_filled("explain", invoice, "--as-of", AS_OF)
    assert answer.code == 0
    assert line in answer.out
    assert "The invoice adds up." in answer.out
    told = trueup_filled("explain", invoice, "--as-of", AS_OF, "--json").json
    assert line in [each["line_id"] for each in told["lines"]]
    assert [each["name"] for each in told["sums"]][:4] == ["subtotal", "discounts", "tax", "total"]


def test_a_line_is_explained_under_other_terms(trueup_filled: Commands) -> None:
    line, invoice = invoice_of(trueup_filled, "TU-19")
    changed = ("--set", "quantity=0", "--set", 'price.tiers=[{"unit_amount": "0.02"}]', "--as-of", AS_OF)
    assert "0 units, as set" in trueup_filled("explain", line, *changed).out
    told = trueup_filled("explain", line, *changed, "--json").json
    assert float(told["changed"]["expected"]["amount"]) == 0
    for arguments, said in [
        (["explain", line, "--set", "quantity"], "--set quantity needs a value"),
        (["explain", line, "--set", "quantity=1", "--set", "quantity=2"], "given twice"),
        (["explain", line, "--set", "colour=red"], "colour cannot be set; what can be is quantity"),
        (["explain", invoice, "--set", "quantity=1"], f"{invoice} is an invoice; its lines: "),
        (["explain", "no_such_id"], "neither an invoice line nor an invoice 'no_such_id'"),
    ]:
        answer = trueup_filled(*arguments)
        assert (answer.code, answer.out, len(answer.lines)) == (2, "", 1)
        assert said in answer.err


def test_a_past_period_is_rated_again_under_a_draft(trueup_filled: Commands, tmp_path: Path) -> None:
    line, _ = invoice_of(trueup_filled, "TU-19")
    price = trueup_filled("explain", line, "--json").json["price"]["price_id"]
    period = ("--from", "2026-01-01", "--to", "2026-11-01", "--as-of", AS_OF)
    draft = tmp_path / "draft.yaml"
    draft.write_text("model: per_unit\nunit_amount: 0.10\nmaximum_amount: null\n")
    told = trueup_filled("rerate", price, *period, "--price", draft, "--json").json
    assert told["set"] == {"model": "per_unit", "unit_amount": "0.10", "maximum_amount": "none"}
    assert line in [each["line_id"] for each in told["lines"]]
    assert {each["currency"] for each in told["customers"]} == {each["currency"] for each in told["totals"]}
    text = trueup_filled("rerate", price, *period, "--set", "model=per_unit", "--set", "unit_amount=0.10")
    assert text.code == 0
    assert "All customers" in text.out
    draft.write_text("- model")
    for arguments, said in [
        (["rerate", price, *period], "there is no draft to rate by"),
        (["rerate", price, *period, "--set", "unit_amount=cheap"], "unit_amount=cheap is not a number"),
        (["rerate", price, *period, "--set", "name=x"], "a price has no name to set; there are model, currency"),
        (["rerate", price, *period, "--price", draft], "write lines such as unit_amount: 0.02"),
        (["rerate", "no_price", *period, "--set", "model=flat"], "no price 'no_price'"),
        (["rerate", price, "--from", "2026-02-01", "--to", "2026-01-01", "--set", "model=flat"], "--to must be after"),
    ]:
        answer = trueup_filled(*arguments)
        assert (answer.code, answer.out, len(answer.lines)) == (2, "", 1)
        assert said in answer.err


def test_rules_are_listed_shown_and_tested(trueup_in: Commands) -> None:
    listed = trueup_in("rules", "list", "--json").json
    assert {rule["code"] for rule in listed} >= {"TU-19", "TU-20", "TU-22", "TU-34", "TU-40"}
    assert "wrong_tier_mode" in trueup_in("rules", "list").out
    shown = trueup_in("rules", "show", "TU-19")
    assert "name: wrong_tier_mode" in shown.out
    tested = trueup_in("rules", "test", "wrong_tier_mode")
    assert tested.code == 0
    assert re.search(r"TU-19 wrong_tier_mode: (\d+) of \1 cases pass", tested.out)


def test_a_new_rule_loads_and_its_cases_pass(trueup_in: Commands, tmp_path: Path) -> None:
    folder = own_rules(trueup_in, tmp_path)
    made = trueup_in("rules", "new", "slow_payer")
    assert made.code == 0
    assert str(folder / "own" / "slow_payer.yaml") in made.out
    tested = trueup_in("rules", "test", "slow_payer")
    assert (tested.code, tested.err) == (0, "")
    assert "2 of 2 cases pass" in tested.out
    assert "OWN-2" in trueup_in("rules", "new", "slower_payer").out or trueup_in("rules", "show", "OWN-2").code == 0
    again = trueup_in("rules", "new", "slow_payer")
    assert again.code == 2
    assert "already" in again.err


def test_a_rule_file_with_mistakes_is_reported_by_file_and_line_and_the_others_run(
    trueup_in: Commands, tmp_path: Path
) -> None:
    folder = own_rules(trueup_in, tmp_path)
    trueup_in("rules", "new", "slow_payer")
    broken = folder / "own" / "broken.yaml"
    broken.write_text((folder / "own" / "slow_payer.yaml").read_text().replace("severity: medium", "severity: awful"))
    answer = trueup_in("rules", "list")
    assert answer.code == 1
    assert re.search(rf"{broken}:\d+: severity: ", answer.err)
    assert "slow_payer" in answer.out
    ran = trueup_in("run")
    assert ran.code == 1
    assert "OWN-1 slow_payer: 0 findings" in ran.out
    assert ran.lines[-1] == "trueup: 1 mistake in rule files; these rules did not run"


def own_rules(commands: Commands, tmp_path: Path) -> Path:
    """A rules folder with nothing but the cases' company."""
    folder = tmp_path / "rules"
    (folder / "cases").mkdir(parents=True)
    (folder / "cases" / "company.yaml").write_text((ROOT / "rules" / "cases" / "company.yaml").read_text())
    commands.monkeypatch.setenv("TRUEUP__RULES", str(folder))
    return folder


def test_a_dry_run_says_what_it_would_find_and_keeps_nothing(trueup_filled: Commands) -> None:
    before = trueup_filled("signals", "--json", "--status", "any").out
    told = trueup_filled("dry-run", "wrong_tier_mode", "--to", AS_OF, "--json").json
    kept = trueup_filled("signals", "--code", "TU-19", "--json").json
    assert told["signals"] == len(kept)
    assert told["impact"] == [impact for signal in kept for impact in signal["impact"]]
    assert told["rows"] > 1000
    text = trueup_filled("dry-run", "TU-19", "--to", AS_OF, "--set", "tolerance_percent=1")
    assert "nothing was kept" in text.out
    assert trueup_filled("signals", "--json", "--status", "any").out == before


def test_a_second_import_and_run_of_the_same_data_change_nothing(trueup_filled: Commands, books: Path) -> None:
    before = without_seen(trueup_filled("signals", "--json", "--status", "any"))
    imported = trueup_filled("import", books, "--json").json
    assert imported["rows"]["inserted"] == imported["rows"]["updated"] == 0
    assert imported["rows"]["unchanged"] > 10_000
    results = trueup_filled("run", "--as-of", AS_OF, "--json").json
    assert {reason for result in results for reason in result["decisions"]} == {"unchanged"}
    assert without_seen(trueup_filled("signals", "--json", "--status", "any")) == before


def without_seen(answer: Answer) -> list[dict[str, object]]:
    return [{**signal, "last_seen": None} for signal in answer.json]


def test_runs_say_what_ran_why_and_what_was_skipped(trueup_filled: Commands) -> None:
    trueup_filled("run", "wrong_tier_mode", "--as-of", AS_OF)
    newest, first = trueup_filled("runs", "--rule", "TU-19", "--json").json
    assert (first["status"], first["why"], first["as_of"]) == ("ok", "from the command line", AS_OF)
    assert (newest["status"], newest["reason"], newest["snapshot"]) == ("skipped", "unchanged", first["snapshot"])
    assert newest["findings"] == first["findings"]
    table = trueup_filled("runs", "--status", "skipped").out
    assert re.search(r"wrong_tier_mode .* from the command line .* skipped \(unchanged\)", table)
    assert trueup_filled("runs", "--rule", "nonsense").code == 2


def test_some_rules_can_be_run_by_name_or_code(trueup_filled: Commands) -> None:
    answer = trueup_filled("run", "wrong_tier_mode", "TU-52", "--as-of", AS_OF)
    assert [line.split(":")[0] for line in answer.out.splitlines()] == [
        "TU-19 wrong_tier_mode",
        "TU-52 ledger_imbalance",
    ]


def test_a_rule_that_fails_is_a_failed_job_and_says_why(trueup_filled: Commands, tmp_path: Path) -> None:
    folder = own_rules(trueup_filled, tmp_path)
    trueup_filled("rules", "new", "slow_payer")
    file = folder / "own" / "slow_payer.yaml"
    file.write_text(file.read_text().replace("i.amount_due > 0", "CAST(i.currency AS INTEGER) > 0"))
    answer = trueup_filled("run")
    assert answer.code == 1
    assert re.search(
        r"trueup: OWN-1 slow_payer: failed \(rule_failed\): .*_payer.yaml:\d+: .*Could not convert", answer.err
    )


def test_a_folder_with_mistakes_is_refused_whole_and_every_place_is_named(trueup_in: Commands, tmp_path: Path) -> None:
    folder = mistaken_books(tmp_path)
    answer = trueup_in("import", folder)
    assert answer.code == 1
    assert any("customers.csv, line 3, column currency: 'XXQ'" in line for line in answer.lines), answer.err
    assert answer.lines[-1].endswith("nothing was imported; --keep-good takes the good rows")
    assert trueup_in("signals", "--json").json == []
    assert trueup_in("doctor", "--json").json[3]["said"].endswith(" 0 rows of books")


def test_with_keep_good_the_good_rows_are_kept_and_the_bad_ones_saved(trueup_in: Commands, tmp_path: Path) -> None:
    told = trueup_in("import", mistaken_books(tmp_path), "--keep-good", "--json").json
    assert (told["rows"]["inserted"], told["rows"]["bad"]) == (1, 1)
    report = json.loads(Path(told["report"]).read_text())
    assert report["problem_count"] == 1
    assert "XXQ" in (Path(told["report"]).parent / "customers.csv").read_text()


def mistaken_books(tmp_path: Path) -> Path:
    folder = tmp_path / "books"
    folder.mkdir()
    rows = "c_1,Acme,USD,active,2026-01-01T00:00:00Z\nc_2,Bolt,XXQ,active,2026-01-01T00:00:00Z\n"
    (folder / "customers.csv").write_text("customer_id,name,currency,status,created_at\n" + rows)
    return folder


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["import", "/no/such/folder"], "'/no/such/folder' does not exist"),
        (["run", "wrong_tier_mod"], "there is no rule wrong_tier_mod, did you mean wrong_tier_mode?"),
        (["run", "--as-of", "yesterday"], "'yesterday' is no instant; write 2026-11-01"),
        (["dry-run", "TU-19", "--set", "tolerance"], "--set tolerance needs a value"),
        (["signals", "--status", "closed"], "status cannot be 'closed'; use one of open, any"),
        (["signal", "show", "SIG-77"], "there is no signal SIG-77"),
        (["signal", "show", "seven"], "there is no signal seven"),
        (["explain", "il_none"], "il_none"),
        (["sync"], "no integration is configured"),
        (["example", "out", "--customers", "20", "--seed", "1", "--faults", "TU-99"], "TU-99"),
        (["frobnicate"], "No such command 'frobnicate'"),
        (["serve", "--port", "70000"], "70000"),
        (["rules", "new", "Bad Name"], "name"),
    ],
)
def test_bad_arguments_are_one_line_and_two(trueup_in: Commands, arguments: list[str], said: str) -> None:
    answer = trueup_in(*arguments)
    assert answer.code == 2
    assert answer.out == ""
    assert len(answer.lines) == 1, answer.err
    assert answer.lines[0].startswith("trueup: ")
    assert said in answer.lines[0]


def test_doctor_says_what_is_well_and_what_is_not(trueup_filled: Commands) -> None:
    answer = trueup_filled("doctor")
    assert answer.code == 0
    assert f"operational store: sqlite, schema {operational.HEAD}" in answer.out
    trueup_filled.monkeypatch.setenv("TRUEUP__INTEGRATIONS__STRIPE__TYPE", "stripe")
    trueup_filled.monkeypatch.setenv("TRUEUP__INTEGRATIONS__STRIPE__API_KEY_ENV", "NO_SUCH_KEY")
    ill = trueup_filled("doctor")
    assert ill.code == 1
    assert (
        "NOT WELL  integration stripe: integrations.stripe.api_key_env: set the environment variable NO_SUCH_KEY"
        in ill.out
    )
    assert "NOT WELL  data of stripe: never synced" in ill.out
    assert ill.lines == ["trueup: not well: integration stripe, data of stripe"]


def test_a_store_that_cannot_be_reached_is_one_line(trueup_in: Commands) -> None:
    trueup_in.monkeypatch.setenv("TRUEUP__OPERATIONAL__URL", "postgresql://nobody@127.0.0.1:9/none")
    answer = trueup_in("signals")
    assert answer.code == 1
    assert len(answer.lines) == 1
    assert "connection" in answer.err
    assert trueup_in("doctor").code == 1


def test_as_a_process_it_is_the_same_program(filled: Path) -> None:
    done = by_process(filled, "signals", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)
    assert by_process(filled, "run", "nothing").returncode == 2


def test_a_reader_that_goes_away_is_no_crash(filled: Path) -> None:
    program = subprocess.Popen(
        command("signals", "--json"),
        cwd=ROOT,
        env=environment(filled),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None
    assert program.stderr is not None
    program.stdout.close()
    assert program.stderr.read() == ""
    assert program.wait() == 1
