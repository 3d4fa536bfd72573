"""The stores that these tests run on."""

from tests.operational_stores import engine, postgres_url, sqlite_engine, store_url

__all__ = ["engine", "postgres_url", "sqlite_engine", "store_url"]
