-- +goose Up
-- Hashes of the folders of a snapshot whose own is being made, so that it is gone on with where it was left.
CREATE TABLE tree_hashes (
    workspace TEXT COLLATE "C" NOT NULL,
    number    BIGINT NOT NULL,
    dir       TEXT COLLATE "C" NOT NULL,
    hash      TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (workspace, number, dir)
);

-- +goose Down
DROP TABLE tree_hashes;
