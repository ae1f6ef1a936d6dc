-- +goose Up
ALTER TABLE dirs ADD COLUMN since BIGINT NOT NULL DEFAULT 0;   -- sequence at which it came to stand where it stands
ALTER TABLE files ADD COLUMN since BIGINT NOT NULL DEFAULT 0;

-- Where files and folders stood before: a tree as of an earlier sequence is read from here and from where things stand now.
CREATE TABLE places (
    dir    TEXT NOT NULL,      -- the folder it stood in
    until  BIGINT NOT NULL,    -- it stood there at every sequence from since on and before until
    id     TEXT NOT NULL,
    since  BIGINT NOT NULL,
    name   TEXT NOT NULL,
    folder BOOLEAN NOT NULL,
    PRIMARY KEY (dir, until, id)
) WITHOUT ROWID;
CREATE INDEX places_id ON places (id, until);

-- What was deleted stands in its tenant's trash until it is purged. No clean path leads there.
CREATE TABLE trash (
    id      TEXT PRIMARY KEY,  -- of the file or folder
    tenant  TEXT NOT NULL,
    path    TEXT NOT NULL,     -- where it stood, without a slash at its end
    folder  BOOLEAN NOT NULL,
    state   BIGINT NOT NULL,   -- that of a folder before
    seq     BIGINT NOT NULL,   -- at which it was deleted
    deleted BIGINT NOT NULL,
    author  TEXT NOT NULL,     -- type:id of who deleted it
    swept   BOOLEAN NOT NULL   -- whether the grants on everything in it are gone
) WITHOUT ROWID;
CREATE INDEX trash_path ON trash (tenant, path, seq);
CREATE INDEX trash_deleted ON trash (deleted);
CREATE INDEX trash_unswept ON trash (tenant, id) WHERE swept IS FALSE;
CREATE INDEX tuples_links ON tuples (subject_id) WHERE relation = 'link';
INSERT INTO dirs (id, tenant, parent, path, state, created, modified, since)
    SELECT id || '/trash', id, '', '~/', 4, created, created, 0 FROM tenants;

-- What changed in a tenant's tree, one row a sequence: for those who follow it.
CREATE TABLE changes (
    tenant TEXT NOT NULL,
    seq    BIGINT NOT NULL,
    kind   BIGINT NOT NULL,
    id     TEXT NOT NULL,      -- of the file or folder
    path   TEXT NOT NULL,      -- where it stands after the change; of something deleted, where it stood
    old    TEXT NOT NULL,      -- of something moved, where it stood before; otherwise ''
    at     BIGINT NOT NULL,
    PRIMARY KEY (tenant, seq)
) WITHOUT ROWID;
CREATE INDEX changes_at ON changes (at);

CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- +goose Down
DROP TABLE settings;
DROP TABLE changes;
DROP INDEX tuples_links;
DROP TABLE trash;
DELETE FROM dirs WHERE path = '~/';
DROP TABLE places;
ALTER TABLE files DROP COLUMN since;
ALTER TABLE dirs DROP COLUMN since;
