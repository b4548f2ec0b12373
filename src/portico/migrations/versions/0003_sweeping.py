"""When an object that can't be read is looked at again; since when owners of orders are known, to forget them."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

TABLES = """
ALTER TABLE watermarks ADD COLUMN not_before timestamptz;    -- after a refusal, which asking at once would not mend
ALTER TABLE order_owners ADD COLUMN told_at timestamptz NOT NULL DEFAULT 'epoch';
ALTER TABLE order_item_owners ADD COLUMN told_at timestamptz NOT NULL DEFAULT 'epoch';
CREATE INDEX order_owners_told ON order_owners (told_at);
CREATE INDEX order_item_owners_told ON order_item_owners (told_at);
"""


def upgrade() -> None:
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    connection.execute(TABLES)


def downgrade() -> None:
    raise RuntimeError("what was noted of events is not taken back")
