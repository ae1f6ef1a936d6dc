-- +goose Up
-- Hashes of the folders of a snapshot whose own is being made, so that it is gone on with where it was left.
CREATE TABLE tree_hashes (
    workspace TEXT NOT NULL,
    number    BIGINT NOT NULL,
    dir       TEXT NOT NULL,
    hash      TEXT NOT NULL,
    PRIMARY KEY (workspace, number, dir)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE tree_hashes;
