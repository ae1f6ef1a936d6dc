-- +goose Up
-- The folders of a folder are walked by name: moving it changes their paths, not this.
ALTER TABLE dirs ADD COLUMN name TEXT NOT NULL DEFAULT '';  -- in the folder it stands in, with a slash at its end; '' for what stands in none
UPDATE dirs SET name = substr(path, COALESCE((SELECT length(p.path) FROM dirs p WHERE p.id = dirs.parent), 0) + 1) WHERE parent <> '';
DROP INDEX dirs_parent;
CREATE INDEX dirs_name ON dirs (parent, name);

-- What was deleted ends once it is old enough. What a snapshot shows of it stays, and is looked at again.
ALTER TABLE trash ADD COLUMN held BIGINT NOT NULL DEFAULT 0;  -- 0: it can be brought back; 1: it is ending; else when a snapshot was last found to show some of it
DROP INDEX trash_deleted;
CREATE INDEX trash_due ON trash (tenant, deleted) WHERE held = 0;
CREATE INDEX trash_held ON trash (tenant, held) WHERE held > 0;
CREATE INDEX snapshots_seq ON snapshots (workspace, seq);

-- Files and folders that are gone. Who follows changes asks where they stood, so that stays until those changes are forgotten.
CREATE TABLE purged (
    tenant TEXT NOT NULL,
    seq    BIGINT NOT NULL,    -- at which it last left a place
    id     TEXT NOT NULL,
    PRIMARY KEY (tenant, seq, id)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE purged;
DROP INDEX snapshots_seq;
DROP INDEX trash_held;
DROP INDEX trash_due;
CREATE INDEX trash_deleted ON trash (deleted);
ALTER TABLE trash DROP COLUMN held;
DROP INDEX dirs_name;
CREATE INDEX dirs_parent ON dirs (parent, path);
ALTER TABLE dirs DROP COLUMN name;
