-- +goose Up
ALTER TABLE versions ADD COLUMN type TEXT NOT NULL DEFAULT '';  -- '' where it was not noted
ALTER TABLE versions ADD COLUMN kept TEXT NOT NULL DEFAULT '';  -- tenant among whose blobs the contents are; '' where body holds them
UPDATE versions SET type = COALESCE((SELECT f.type FROM files f WHERE f.id = versions.file AND f.version = versions.version), '');
CREATE INDEX versions_kept ON versions (kept, etag) WHERE kept <> '';

CREATE TABLE blobs (
    tenant   TEXT NOT NULL,
    hash     TEXT NOT NULL,    -- SHA-256 of the contents, hex
    size     BIGINT NOT NULL,
    touched  BIGINT NOT NULL,  -- when something last began to name it
    unmarked BIGINT NOT NULL,  -- since when nothing has been found to name it; 0: something does, or nobody has looked
    checked  BIGINT NOT NULL,  -- when its contents were last known to be right
    broken   BOOLEAN NOT NULL, -- its contents were found to be others
    PRIMARY KEY (tenant, hash)
) WITHOUT ROWID;
CREATE INDEX blobs_checked ON blobs (tenant, checked);

-- Contents that have arrived and that no version names yet.
CREATE TABLE leases (
    id     TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    hash   TEXT NOT NULL,
    until  BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX leases_blob ON leases (tenant, hash);

-- How far the sweep of each tenant's blobs has come.
CREATE TABLE sweeps (
    tenant TEXT PRIMARY KEY,
    began  BIGINT NOT NULL,    -- the round
    bucket BIGINT NOT NULL     -- the next one to look at
) WITHOUT ROWID;

-- What was answered to requests that carry a key, so that one that is sent again is not carried out again.
CREATE TABLE answers (
    id     TEXT PRIMARY KEY,   -- digest of who asked and the key
    tenant TEXT NOT NULL,
    print  TEXT NOT NULL,      -- digest of what was asked
    answer TEXT NOT NULL,      -- JSON
    at     BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX answers_at ON answers (tenant, at);

-- +goose Down
DROP TABLE answers;
DROP TABLE sweeps;
DROP TABLE leases;
DROP TABLE blobs;
DROP INDEX versions_kept;
ALTER TABLE versions DROP COLUMN kept;
ALTER TABLE versions DROP COLUMN type;
