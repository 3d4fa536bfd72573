"""What holds for every test: how long an example takes never decides whether a property holds.

The homes that the console is looked at with are made once, for the tests of its pages and those in a browser.
"""

import pytest
from hypothesis import HealthCheck, settings

from tests.operational_stores import engine, migrated_database, migrated_file, postgres_url, sqlite_engine, store_url
from tests.web.company import Home, empty_home, example_home, hostile_home, many_home

__all__ = ["engine", "migrated_database", "migrated_file", "postgres_url", "sqlite_engine", "store_url"]

settings.register_profile("trueup", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("trueup")


@pytest.fixture(scope="session")
def example_company(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return example_home(tmp_path_factory.mktemp("example"))


@pytest.fixture(scope="session")
def hostile_company(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return hostile_home(tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="session")
def many_signals(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return many_home(tmp_path_factory.mktemp("many"))


@pytest.fixture(scope="session")
def empty_company(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return empty_home(tmp_path_factory.mktemp("empty"))
