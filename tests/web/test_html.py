"""Every page is sound HTML: closed elements, ids once, labels and references that lead somewhere."""

import pytest
from flask.testing import FlaskClient

from tests.web.company import Home
from tests.web.reading import Page, get

PAGES = ["/signals", "/signals?sev=critical&q=a", "/signals?group=cause", "/signals?q=nosuchthing", "/signals/SIG-1",
         "/signals/SIG-1?show=working", "/rules", "/rules/wrong_tier_mode", "/runs", "/runs?status=failed", "/data",
         "/jump", "/jump?q=a"]  # fmt: skip


@pytest.mark.parametrize("address", PAGES)
def test_the_page_is_sound(client: FlaskClient, address: str) -> None:
    page = Page(client.get(address).get_data(as_text=True))
    assert page.problems == []
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.elements:
        for name in ("for", "aria-labelledby", "aria-describedby", "popovertarget", "list"):
            assert not attributes.get(name) or attributes[name] in ids, f"{name}={attributes.get(name)} leads nowhere"
    assert len(page.all("main")) == len(page.all("h1")) == 1


def test_pages_of_records_are_sound(client: FlaskClient, example_company: Home) -> None:
    links = {link["href"] for link in Page(get(client, "/signals/SIG-1")).all("a")}
    kinds = ("/customers/", "/subscriptions/", "/invoices/", "/lines/", "/usage?", "/records/price/", "/records/meter/")
    for kind in kinds:
        address = next((link for link in sorted(links) if link.startswith(kind)), None)
        if address:
            assert Page(get(client, address)).problems == []


def test_a_part_for_htmx_is_the_same_page_without_its_frame(client: FlaskClient) -> None:
    part = client.get("/signals?sev=critical", headers={"HX-Request": "true"}).get_data(as_text=True)
    assert "<html" not in part
    assert "<header" not in part.split("<main")[0]
    whole = get(client, "/signals?sev=critical")
    assert part[part.index("<main") : part.index("</main>")].count("<tr") == whole.count("<tr")
    restored = client.get("/signals", headers={"HX-Request": "true", "HX-History-Restore-Request": "true"})
    assert "<html" in restored.get_data(as_text=True)
