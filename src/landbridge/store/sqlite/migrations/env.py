"""Alembic's entry: the caller brings the connection."""

from alembic import context

from landbridge.store import tables

context.configure(
    connection=context.config.attributes["connection"], target_metadata=tables.metadata, transactional_ddl=True
)
with context.begin_transaction():
    context.run_migrations()
