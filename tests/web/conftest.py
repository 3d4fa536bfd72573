"""A test that changes signals gets a copy of the example company."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.web.company import Home


@pytest.fixture
def home(example_company: Home, tmp_path: Path) -> Home:
    """The example company, with signals of its own to change."""
    return example_company.copy(tmp_path / "home")


@pytest.fixture
def client(home: Home) -> Iterator[FlaskClient]:
    """A browser without scripts on the example company."""
    with home.app().test_client() as client:
        yield client
