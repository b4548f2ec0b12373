"""Alembic's entry: one connection, one transaction, one migration at a time."""

from __future__ import annotations

from alembic import context
from sqlalchemy import NullPool, create_engine, text

MIGRATION_LOCK = 7_061_001

engine = create_engine(context.config.attributes["url"], poolclass=NullPool)  # leaves no connection behind
with engine.begin() as connection:
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
    context.configure(connection=connection)
    context.run_migrations()
