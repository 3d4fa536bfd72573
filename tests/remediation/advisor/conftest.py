"""The example company, with a model that is a script."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from remediation.advisor import conversation
from store import operational
from store.operational_tables import Signal
from tests.peers.openai import OpenAIPeer, running
from tests.remediation.advisor.desk import Desk, endpoint
from tests.web.company import Home
from tests.web.test_repair import remedy


@pytest.fixture(scope="session")
def talker() -> Iterator[OpenAIPeer]:
    with running() as peer:
        yield peer


@pytest.fixture(scope="module")
def desk(example_company: Home, talker: OpenAIPeer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """The signal of a wrong tier mode in a home of the module's own; its advice is worked out once."""
    home = example_company.copy(tmp_path_factory.mktemp("desk") / "home")
    made = remedy(home)
    with operational.reading(made.setting.engine) as session:
        number = session.scalars(select(Signal.id).where(Signal.code == "TU-19")).one()
    desk = Desk(made, talker, number, endpoint(talker))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conversation, "advise", desk.advise)
        yield desk
