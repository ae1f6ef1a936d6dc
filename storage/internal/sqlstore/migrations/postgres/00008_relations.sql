-- +goose Up
ALTER TABLE tuples ADD COLUMN expires BIGINT NOT NULL DEFAULT -1;  -- microseconds; 0: never; -1: not looked up yet
ALTER TABLE tuples ADD COLUMN author TEXT NOT NULL DEFAULT '';     -- type:id of who related them; '': the store, or not known
CREATE INDEX tuples_subject ON tuples (subject_type, subject_id, subject_relation, resource_type, resource_id, relation);
CREATE INDEX tuples_expires ON tuples (expires, tenant) WHERE expires <> 0;

ALTER TABLE groups ADD COLUMN closed BIGINT NOT NULL DEFAULT 0;    -- when it was deleted, while its relationships go; 0: it is open
CREATE INDEX groups_closed ON groups (tenant, id) WHERE closed > 0;

-- What a grant reserved and nobody has made yet, for counting.
CREATE INDEX dirs_reserved ON dirs (tenant) WHERE state = 3;
CREATE INDEX files_reserved ON files (id) WHERE version = 0;

-- +goose Down
DROP INDEX files_reserved;
DROP INDEX dirs_reserved;
DROP INDEX groups_closed;
ALTER TABLE groups DROP COLUMN closed;
DROP INDEX tuples_expires;
DROP INDEX tuples_subject;
ALTER TABLE tuples DROP COLUMN author;
ALTER TABLE tuples DROP COLUMN expires;
