"""The tables that the main journey needs. Times are timestamptz, written from portal.clock (no SQL now())."""

from __future__ import annotations

from alembic import op
from procrastinate.schema import SchemaManager

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE clock_offset (id int PRIMARY KEY CHECK (id = 1), seconds double precision NOT NULL);
CREATE TABLE cache_epoch (id int PRIMARY KEY CHECK (id = 1), epoch bigint NOT NULL);
INSERT INTO cache_epoch VALUES (1, 1);

CREATE TABLE users (
    id uuid PRIMARY KEY,
    email text NOT NULL,
    display_name text NOT NULL,
    password_hash text,                       -- Argon2id; null until the person has set one
    role text NOT NULL DEFAULT 'customer' CHECK (role IN ('customer', 'staff')),
    language text NOT NULL DEFAULT 'en',
    created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX users_email ON users (lower(email));

CREATE TABLE mappings (
    user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    whmcs_client_id bigint NOT NULL UNIQUE,
    sf_account_id text NOT NULL UNIQUE,
    created_at timestamptz NOT NULL
);

CREATE TABLE sessions (
    token_hash bytea PRIMARY KEY,             -- SHA-256 of the cookie's 256 random bits
    id uuid NOT NULL UNIQUE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    user_agent text NOT NULL,
    source text NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE throttles (
    bucket text NOT NULL,                     -- what is counted, and for whom (hashed where it is personal)
    window_start timestamptz NOT NULL,
    tries int NOT NULL,
    PRIMARY KEY (bucket, window_start)
);

CREATE TABLE creations (
    id uuid PRIMARY KEY,
    kind text NOT NULL,                       -- whmcs_client, sf_order, sf_case, whmcs_order, …
    business_key text NOT NULL,
    marker text NOT NULL UNIQUE,
    owner_id uuid,                            -- the user who may see the operation
    request jsonb NOT NULL,                   -- what is sent, minus secrets
    state text NOT NULL CHECK (state IN ('intended', 'attempted', 'unknown', 'done', 'refused', 'parked')),
    attempt int NOT NULL DEFAULT 0,
    misses int NOT NULL DEFAULT 0,            -- look-ups that found nothing since the last attempt
    remote_id text,
    code text,                                -- why refused, parked or unknown
    claim bigint NOT NULL DEFAULT 0,
    claimed_until timestamptz,
    wake_at timestamptz,                      -- not before: the quiet period
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (kind, business_key)
);
CREATE INDEX creations_open ON creations (owner_id, kind) WHERE state IN ('intended', 'attempted', 'unknown');

CREATE TABLE sign_ups (
    id uuid PRIMARY KEY,                      -- the operation that the person sees
    customer_number text NOT NULL,
    email text NOT NULL,
    password_hash text NOT NULL,              -- emptied when the user has it, or nobody ever will
    details jsonb NOT NULL,                   -- what AddClient sends; emptied with the hash
    sf_account_id text NOT NULL,
    creation_id uuid REFERENCES creations ON DELETE CASCADE, -- null once refused and kept for the person to read
    user_id uuid NOT NULL,                    -- given beforehand, so that every retry makes the same user
    state text NOT NULL CHECK (state IN ('creating', 'joined', 'done', 'refused', 'parked')),
    code text,                                -- why refused or parked
    tries int NOT NULL DEFAULT 0,             -- to tell Salesforce
    wake_at timestamptz NOT NULL,             -- when the sweep looks at it
    language text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX sign_ups_number ON sign_ups (customer_number) WHERE state IN ('creating', 'parked');
CREATE UNIQUE INDEX sign_ups_account ON sign_ups (sf_account_id) WHERE state IN ('creating', 'parked');
CREATE UNIQUE INDEX sign_ups_email ON sign_ups (lower(email)) WHERE state IN ('creating', 'parked');
CREATE INDEX sign_ups_open ON sign_ups (wake_at) WHERE state IN ('creating', 'joined');

CREATE TABLE links (                          -- WHMCS customers who were linked, until Salesforce knows
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL UNIQUE REFERENCES users ON DELETE CASCADE,
    customer_number text NOT NULL,
    state text NOT NULL CHECK (state IN ('joined', 'done')),
    tries int NOT NULL DEFAULT 0,             -- to tell Salesforce
    wake_at timestamptz NOT NULL,             -- when the sweep looks at it
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX links_open ON links (wake_at) WHERE state = 'joined';

CREATE TABLE password_links (
    token_hash bytea PRIMARY KEY,             -- SHA-256 of the link's 256 random bits; gone once used
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    purpose text NOT NULL CHECK (purpose IN ('linked', 'forgotten')),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX password_links_user ON password_links (user_id);

CREATE TABLE password_mails (                 -- asked for, by whomever and for whatever address; gone once sent
    id uuid PRIMARY KEY,
    email text NOT NULL,
    tries int NOT NULL DEFAULT 0,
    wake_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX password_mails_due ON password_mails (wake_at);

CREATE TABLE email_changes (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    old_email text NOT NULL,                  -- the portal's
    new_email text NOT NULL,
    code_hash bytea NOT NULL,                 -- SHA-256 of id and code; emptied once proven
    wrong_codes int NOT NULL DEFAULT 0,
    expires_at timestamptz NOT NULL,          -- the code
    state text NOT NULL CHECK (state IN ('asked', 'proven', 'client', 'login', 'undo_login', 'undo_client',
                                         'done', 'refused', 'parked')),
    reason text,                              -- why refused or parked
    client_email text,                        -- at WHMCS before we wrote: what undoing sets back
    login_id bigint,                          -- the WHMCS user that follows; null: none does
    tries int NOT NULL DEFAULT 0,
    claim bigint NOT NULL DEFAULT 0,          -- fencing: an overtaken run writes nothing
    claimed_until timestamptz,
    wake_at timestamptz NOT NULL,
    language text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX email_changes_user ON email_changes (user_id) WHERE state NOT IN ('done', 'refused');
CREATE UNIQUE INDEX email_changes_to ON email_changes (lower(new_email))
    WHERE state NOT IN ('asked', 'done', 'refused');
CREATE INDEX email_changes_open ON email_changes (wake_at) WHERE state NOT IN ('asked', 'done', 'refused', 'parked');

CREATE TABLE carts (
    user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    items jsonb NOT NULL,
    version bigint NOT NULL,
    checkout_key uuid NOT NULL,               -- one order per key: a second click or tab meets the first's result
    updated_at timestamptz NOT NULL
);

CREATE TABLE placements (
    id uuid PRIMARY KEY,                      -- the checkout key: the operation that the customer sees
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    sf_account_id text NOT NULL,
    creation_id uuid NOT NULL REFERENCES creations,
    request_hash text NOT NULL,
    idempotency_key text,
    order_id text,                            -- 18-character Salesforce id once known
    created_at timestamptz NOT NULL,
    UNIQUE (user_id, idempotency_key)
);
CREATE INDEX placements_order ON placements (order_id);

CREATE TABLE inbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source text NOT NULL,                     -- whmcs, salesforce
    external_id text NOT NULL,
    kind text NOT NULL,                       -- InvoicePaid, Order
    body jsonb NOT NULL,
    received_at timestamptz NOT NULL,
    stage int NOT NULL DEFAULT 0,             -- 0 nothing yet, 1 and 2 dropped again, 3 done
    due_at timestamptz NOT NULL,
    tries int NOT NULL DEFAULT 0,
    error text,
    handled_at timestamptz,                   -- reactions ran and the first drops succeeded
    UNIQUE (source, external_id)
);
CREATE INDEX inbox_due ON inbox (due_at) WHERE stage < 3;

CREATE TABLE change_position (
    topic text PRIMARY KEY,
    replay_id bytea,
    epoch bigint NOT NULL DEFAULT 0,          -- fencing: an old leader writes nothing
    heard_at timestamptz,
    problem text
);

CREATE TABLE fulfillments (
    order_id text PRIMARY KEY,                -- 18-character Salesforce id
    sf_account_id text NOT NULL,
    state text NOT NULL,                      -- see fulfillment/outcomes.py
    reason_code text,
    detail text NOT NULL DEFAULT '',          -- for staff: their codes, the amounts
    claim bigint NOT NULL DEFAULT 0,          -- fencing: an overtaken run writes nothing
    wake_at timestamptz,
    told_salesforce text,                     -- the last status and code that Salesforce acknowledged
    tries int NOT NULL DEFAULT 0,
    approved_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX fulfillments_open ON fulfillments (wake_at) WHERE state NOT IN ('done', 'parked');
CREATE INDEX fulfillments_account ON fulfillments (sf_account_id);

CREATE SEQUENCE journal_changes;
CREATE TABLE journal (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    change bigint NOT NULL DEFAULT nextval('journal_changes'),   -- raised at every write: what a stream resumes from
    order_id text NOT NULL,
    step text NOT NULL,
    state text NOT NULL CHECK (state IN ('running', 'waiting', 'done', 'stopped')),
    attempt int NOT NULL DEFAULT 1,
    actor text NOT NULL,                      -- which system did it
    digest text,                              -- SHA-256 of what was sent
    remote_id text,
    facts jsonb NOT NULL DEFAULT '{}',
    reason_code text,
    started_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (order_id, step)
);

CREATE TABLE mails (
    key text PRIMARY KEY,                     -- what it is about: the same mail is never written twice
    recipient text NOT NULL,
    language text NOT NULL,
    subject text NOT NULL,
    body text NOT NULL,
    created_at timestamptz NOT NULL,
    sent_at timestamptz
);

CREATE TABLE notices (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    occasion text NOT NULL,                   -- what it is about: never told twice
    sentence text NOT NULL,                   -- its English, which is the key of its translations
    sentence_values jsonb NOT NULL,
    address text NOT NULL,
    created_at timestamptz NOT NULL,
    read_at timestamptz,
    UNIQUE (user_id, occasion)
);
CREATE INDEX notices_user ON notices (user_id, created_at DESC);

CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    object text NOT NULL,
    facts jsonb NOT NULL,
    previous_hash bytea NOT NULL,
    hash bytea NOT NULL UNIQUE
);
CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'audit rows are never changed or removed'; END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
"""


def upgrade() -> None:
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    connection.execute(SchemaManager.get_schema())
    connection.execute(TABLES)


def downgrade() -> None:
    raise RuntimeError("the first migration has nothing to go back to")
