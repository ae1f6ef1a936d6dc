-- +goose Up
CREATE INDEX files_etag ON files (etag, id);   -- which files hold a content: ids begin with their tenant

-- +goose Down
DROP INDEX files_etag;
