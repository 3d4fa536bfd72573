"""What holds for every test: how long an example takes never decides whether a property holds.

The homes that the console is looked at with are made once, for the tests of its pages and those in a browser.
"""

from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher
from hypothesis import HealthCheck, settings

from people import credentials
from tests import compiled_once
from tests.made_once import made_once
from tests.operational_stores import engine, migrated_database, migrated_file, postgres_url, sqlite_engine, store_url
from tests.web.company import Home, empty_home, example_home, hostile_home, many_home

__all__ = ["engine", "migrated_database", "migrated_file", "postgres_url", "sqlite_engine", "store_url"]

settings.register_profile("trueup", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("trueup")


@pytest.fixture(scope="session", autouse=True)
def _quick_passwords() -> Iterator[None]:
    """Hashing a password is slow by design; tests have it quick."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(credentials, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield


@pytest.fixture(scope="session", autouse=True)
def _consoles_compiled_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        compiled_once.install(patch)
        yield


@pytest.fixture(scope="session")
def example_company(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(made_once("example", tmp_path_factory, example_home))


@pytest.fixture(scope="session")
def hostile_company(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(made_once("hostile", tmp_path_factory, hostile_home))


@pytest.fixture(scope="session")
def many_signals(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(made_once("many", tmp_path_factory, many_home))


@pytest.fixture(scope="session")
def empty_company(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return empty_home(tmp_path_factory.mktemp("empty"))
