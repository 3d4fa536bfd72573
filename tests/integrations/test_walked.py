"""Whatever happens to a reading of a vendor's lists, the books are those of the import."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integrations.pulling import books, cut_everywhere, kept, pulled, sync
from tests.integrations.stripe_company import differences, rows_of
from tests.integrations.vendors import CHARGEBEE, LAGO, OPENMETER, ZUORA, Vendor
from tests.lakes import lake
from tests.peers.stripe.process import Peer


@pytest.fixture(scope="module", params=[LAGO, OPENMETER, CHARGEBEE, ZUORA], ids=lambda vendor: vendor.name)
def vendor(request: pytest.FixtureRequest) -> Vendor:
    chosen: Vendor = request.param
    return chosen


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "by few"])
def test_a_company_that_is_read_is_the_company_that_was_loaded(vendor: Vendor, peer: Peer, whole: bool) -> None:
    pages = pulled(vendor.connected(peer, page_size=100 if whole else vendor.few))
    assert [remark for page in pages for remark in page.remarks] == []
    assert differences(vendor.company(), rows_of(pages)) == []
    assert set(vendor.company()) == set(vendor.tables)


def test_cut_at_every_page_and_read_again_in_full_the_books_are_those_of_the_import(
    vendor: Vendor, peer: Peer, tmp_path: Path
) -> None:
    imported = lake(tmp_path / "imported")
    kept(imported, vendor.company(), vendor.name)
    source = vendor.connected(peer, page_size=10)
    whole, torn = cut_everywhere(source, tmp_path)
    assert whole == books(imported)
    assert torn == whole
    again = lake(tmp_path / "torn")
    snapshot = again.snapshot()
    sync(again, source)
    assert again.snapshot() == snapshot  # at rest nothing is written
    sync(again, source, full=True)
    assert (books(again), again.changes_since(snapshot)) == (whole, set())
