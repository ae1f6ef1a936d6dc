-- +goose Up
CREATE TABLE workspaces (
    id          TEXT PRIMARY KEY,
    tenant      TEXT NOT NULL,
    dir         TEXT NOT NULL,     -- the folder it is
    name        TEXT NOT NULL,
    description TEXT NOT NULL,
    author      TEXT NOT NULL,     -- type:id of who registered it
    tags        TEXT NOT NULL,     -- JSON array
    metadata    TEXT NOT NULL,     -- JSON object
    session     TEXT NOT NULL,
    created     BIGINT NOT NULL,
    expires     BIGINT NOT NULL,   -- 0: never
    files       BIGINT NOT NULL,   -- that exist in it now, at any depth
    bytes       BIGINT NOT NULL,   -- of their current versions
    snapshots   BIGINT NOT NULL    -- number of the last
) WITHOUT ROWID;
CREATE UNIQUE INDEX workspaces_dir ON workspaces (tenant, dir);
CREATE INDEX workspaces_expires ON workspaces (expires) WHERE expires > 0;

-- A snapshot is a folder and a sequence: its rows are those of the tree as it was then.
CREATE TABLE snapshots (
    workspace   TEXT NOT NULL,
    number      BIGINT NOT NULL,
    seq         BIGINT NOT NULL,
    description TEXT NOT NULL,
    author      TEXT NOT NULL,
    tags        TEXT NOT NULL,     -- JSON array
    created     BIGINT NOT NULL,
    files       BIGINT NOT NULL,
    bytes       BIGINT NOT NULL,
    tree_hash   TEXT NOT NULL,     -- '' until it is made
    PRIMARY KEY (workspace, number)
) WITHOUT ROWID;
CREATE INDEX snapshots_unhashed ON snapshots (workspace, number) WHERE tree_hash = '';

-- +goose Down
DROP TABLE snapshots;
DROP TABLE workspaces;
