-- +goose Up
ALTER TABLE agents ADD COLUMN name TEXT NOT NULL DEFAULT '';       -- as people call it; '' is its id
ALTER TABLE agents ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE agents ADD COLUMN metadata TEXT NOT NULL DEFAULT '';   -- a JSON object of the owner's, or ''
ALTER TABLE agents ADD COLUMN mandate TEXT NOT NULL DEFAULT '';    -- within which it acts for its owner, JSON; '' is the default one
ALTER TABLE agents ADD COLUMN ended BIGINT NOT NULL DEFAULT 0;      -- when it was deleted; its name is taken until its relationships are gone
CREATE INDEX agents_ended ON agents (ended, tenant, id);
CREATE INDEX api_keys_agent ON api_keys (tenant, subject_type, subject_id);

-- +goose Down
DROP INDEX api_keys_agent;
DROP INDEX agents_ended;
ALTER TABLE agents DROP COLUMN ended;
ALTER TABLE agents DROP COLUMN mandate;
ALTER TABLE agents DROP COLUMN metadata;
ALTER TABLE agents DROP COLUMN description;
ALTER TABLE agents DROP COLUMN name;
