"""The page about the books is what the description of the books says now."""

from billing.books import TABLES
from billing.model import Kind
from store import document


def test_the_page_is_current() -> None:
    told = "docs/books.md is not what the description makes: run `python -m store.document`"
    assert document.PAGE.read_text(encoding="utf-8") == document.page(), told


def test_the_page_tells_every_kind_table_and_column() -> None:
    page = document.page()
    assert all(f"| {kind} |" in page for kind in Kind)
    for table in TABLES:
        part = page.split(f"### {table.name}\n")[1].split("###")[0]
        assert all(f"| `{column.name}` |" in part for column in table.columns)
