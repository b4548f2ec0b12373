"""What the listener needs beside its position: who owns an order, dead letters, watermarks, deliveries."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

TABLES = """
ALTER TABLE change_position
    ADD COLUMN organization_id text,                          -- a position means nothing in another org
    ADD COLUMN feeds_copies boolean NOT NULL DEFAULT true;    -- false: a topic that only starts fulfillment

CREATE TABLE change_leader (
    id int PRIMARY KEY CHECK (id = 1),
    beat bigint NOT NULL                      -- raised by the leader all the time: one that froze still holds its lock
);

CREATE TABLE change_deliveries (
    hour timestamptz PRIMARY KEY,
    delivered bigint NOT NULL                 -- events that Salesforce counts against the allocation of 24 hours
);

CREATE TABLE order_owners (
    order_id text PRIMARY KEY,                -- 18-character Salesforce id
    sf_account_id text NOT NULL,
    previous_account_id text                  -- an order that changed hands makes copies of both stale
);
CREATE TABLE order_item_owners (item_id text PRIMARY KEY, order_id text NOT NULL);

CREATE TABLE dead_letters (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    external_id text NOT NULL UNIQUE,
    topic text NOT NULL,
    entity text NOT NULL,                     -- empty where not even that could be read
    schema_id text NOT NULL,
    payload bytea NOT NULL,                   -- holds personal data: forgotten after 30 days
    problem text NOT NULL,
    received_at timestamptz NOT NULL
);

CREATE TABLE watermarks (
    entity text PRIMARY KEY,
    at timestamptz NOT NULL                   -- what changed before it was either told or found by the sweep
);

CREATE INDEX inbox_recent ON inbox (source, kind, received_at);
"""


def upgrade() -> None:
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    connection.execute(TABLES)


def downgrade() -> None:
    raise RuntimeError("what was noted of events is not taken back")
