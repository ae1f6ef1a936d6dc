-- +goose Up
CREATE TABLE users (
    tenant  TEXT NOT NULL,
    id      TEXT NOT NULL,     -- the name, as people write it
    created BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
) WITHOUT ROWID;

CREATE TABLE agents (
    tenant  TEXT NOT NULL,
    id      TEXT NOT NULL,
    owner   TEXT NOT NULL,     -- name of the user it belongs to
    created BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
) WITHOUT ROWID;

CREATE TABLE groups (
    tenant  TEXT NOT NULL,
    id      TEXT NOT NULL,
    created BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
) WITHOUT ROWID;

CREATE TABLE api_keys (
    id           TEXT PRIMARY KEY,
    hash         TEXT NOT NULL,   -- SHA-256 of the whole key, hex
    prefix       TEXT NOT NULL,
    last4        TEXT NOT NULL,
    name         TEXT NOT NULL,
    tenant       TEXT NOT NULL,
    user_id      TEXT NOT NULL,
    subject_type TEXT NOT NULL,
    subject_id   TEXT NOT NULL,
    admin        BOOLEAN NOT NULL,
    platform     BOOLEAN NOT NULL,
    scopes       TEXT NOT NULL,   -- JSON array
    created      BIGINT NOT NULL,
    expires      BIGINT NOT NULL, -- 0: never
    revoked      BIGINT NOT NULL, -- 0: not
    last_used    BIGINT NOT NULL  -- 0: never
) WITHOUT ROWID;
CREATE UNIQUE INDEX api_keys_hash ON api_keys (hash);
CREATE INDEX api_keys_owner ON api_keys (tenant, user_id);

CREATE TABLE tuples (
    id               TEXT PRIMARY KEY, -- random
    tenant           TEXT NOT NULL,
    resource_type    TEXT NOT NULL,
    resource_id      TEXT NOT NULL,
    relation         TEXT NOT NULL,
    subject_type     TEXT NOT NULL,
    subject_id       TEXT NOT NULL,
    subject_relation TEXT NOT NULL,
    created          BIGINT NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX tuples_key ON tuples (resource_type, resource_id, relation, subject_type, subject_id, subject_relation);

-- +goose Down
DROP TABLE tuples;
DROP TABLE api_keys;
DROP TABLE groups;
DROP TABLE agents;
DROP TABLE users;
