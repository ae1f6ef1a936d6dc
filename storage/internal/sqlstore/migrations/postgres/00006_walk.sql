-- +goose Up
-- Lists walk the files of a folder by name, and pass what a grant reserved: all from this index.
CREATE INDEX files_there ON files (dir, name, version) WHERE version > 0;

-- +goose Down
DROP INDEX files_there;
