-- +goose Up
CREATE TABLE workspaces (
    id          TEXT COLLATE "C" PRIMARY KEY,
    tenant      TEXT COLLATE "C" NOT NULL,
    dir         TEXT COLLATE "C" NOT NULL,     -- the folder it is
    name        TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C" NOT NULL,
    author      TEXT COLLATE "C" NOT NULL,     -- type:id of who registered it
    tags        TEXT COLLATE "C" NOT NULL,     -- JSON array
    metadata    TEXT COLLATE "C" NOT NULL,     -- JSON object
    session     TEXT COLLATE "C" NOT NULL,
    created     BIGINT NOT NULL,
    expires     BIGINT NOT NULL,   -- 0: never
    files       BIGINT NOT NULL,   -- that exist in it now, at any depth
    bytes       BIGINT NOT NULL,   -- of their current versions
    snapshots   BIGINT NOT NULL    -- number of the last
);
CREATE UNIQUE INDEX workspaces_dir ON workspaces (tenant, dir);
CREATE INDEX workspaces_expires ON workspaces (expires) WHERE expires > 0;

-- A snapshot is a folder and a sequence: its rows are those of the tree as it was then.
CREATE TABLE snapshots (
    workspace   TEXT COLLATE "C" NOT NULL,
    number      BIGINT NOT NULL,
    seq         BIGINT NOT NULL,
    description TEXT COLLATE "C" NOT NULL,
    author      TEXT COLLATE "C" NOT NULL,
    tags        TEXT COLLATE "C" NOT NULL,     -- JSON array
    created     BIGINT NOT NULL,
    files       BIGINT NOT NULL,
    bytes       BIGINT NOT NULL,
    tree_hash   TEXT COLLATE "C" NOT NULL,     -- '' until it is made
    PRIMARY KEY (workspace, number)
);
CREATE INDEX snapshots_unhashed ON snapshots (workspace, number) WHERE tree_hash = '';

-- +goose Down
DROP TABLE snapshots;
DROP TABLE workspaces;
