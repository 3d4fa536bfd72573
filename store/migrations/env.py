"""How Alembic runs the migrations: on the connection, and in the transaction, of `store.operational.migrate`."""

from __future__ import annotations

from alembic import context

from store.operational_tables import Table

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Table.metadata, transactional_ddl=True
)
context.run_migrations()
