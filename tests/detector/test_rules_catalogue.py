"""The catalogue page says what the rule files say."""

from detector import catalogue, rules
from detector.rule_format import Schedule


def test_the_page_is_what_the_files_say():
    loaded, _ = rules.load(catalogue.ROOT / "rules")
    told = "docs/rules.md is not what the rule files say: run `python -m detector.catalogue`"
    assert catalogue.PAGE.read_text(encoding="utf-8") == catalogue.page(loaded), told


def test_schedules_in_words():
    assert catalogue.when(Schedule(every="PT60M", on="invoice.draft")) == "every 60 minutes, on invoice.draft"
    assert catalogue.when(Schedule(every="P7D")) == "every 7 days"
    assert catalogue.when(Schedule(hourly=5)) == "every hour at :05"
    assert catalogue.when(Schedule(daily="06:00", timezone="Europe/Berlin")) == "daily at 06:00 Europe/Berlin"
    assert catalogue.when(Schedule(cron="0 6 * * 1")) == "cron 0 6 * * 1 UTC"
