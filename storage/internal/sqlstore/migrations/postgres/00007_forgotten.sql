-- +goose Up
ALTER TABLE tenants ADD COLUMN forgotten BIGINT NOT NULL DEFAULT 0;  -- highest sequence whose change was forgotten

-- +goose Down
ALTER TABLE tenants DROP COLUMN forgotten;
