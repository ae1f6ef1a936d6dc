-- +goose Up
ALTER TABLE users ADD COLUMN disabled BIGINT NOT NULL DEFAULT 0;   -- when; 0: he is not
CREATE INDEX agents_owner ON agents (tenant, owner, id);

-- What a user owned and is being moved to another, batch by batch.
CREATE TABLE transfers (
    tenant   TEXT NOT NULL,
    source   TEXT NOT NULL,    -- name of the user who loses it
    target   TEXT NOT NULL,    -- name of the user who gets it
    files    BIGINT NOT NULL,  -- how many were moved so far
    groups   BIGINT NOT NULL,
    agents   BIGINT NOT NULL,
    started  BIGINT NOT NULL,
    finished BIGINT NOT NULL,  -- when nothing was left; 0: not yet
    PRIMARY KEY (tenant, source, target)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE transfers;
DROP INDEX agents_owner;
ALTER TABLE users DROP COLUMN disabled;
