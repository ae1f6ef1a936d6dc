-- +goose Up
CREATE TABLE tenants (
    id      TEXT PRIMARY KEY,  -- quoted name
    seq     BIGINT NOT NULL,   -- last sequence given to a change in its tree
    created BIGINT NOT NULL    -- microseconds since 1970, as every time here
) WITHOUT ROWID;

CREATE TABLE dirs (
    id       TEXT PRIMARY KEY,
    tenant   TEXT NOT NULL,
    parent   TEXT NOT NULL,    -- '' for a tenant's root
    path     TEXT NOT NULL,    -- ends in a slash
    state    BIGINT NOT NULL,  -- 1 made on purpose, 2 implied by what is in it, 3 reserved by a grant
    created  BIGINT NOT NULL,
    modified BIGINT NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX dirs_path ON dirs (tenant, path);
CREATE INDEX dirs_parent ON dirs (parent, path);

CREATE TABLE files (
    id       TEXT PRIMARY KEY,
    dir      TEXT NOT NULL REFERENCES dirs (id),
    name     TEXT NOT NULL,
    version  BIGINT NOT NULL,  -- 0: reserved by a grant, there is no file yet
    etag     TEXT NOT NULL,    -- SHA-256 of the contents, hex
    size     BIGINT NOT NULL,
    type     TEXT NOT NULL,
    seq      BIGINT NOT NULL,
    created  BIGINT NOT NULL,
    modified BIGINT NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX files_name ON files (dir, name);

CREATE TABLE versions (
    file    TEXT NOT NULL,
    version BIGINT NOT NULL,
    seq     BIGINT NOT NULL,
    etag    TEXT NOT NULL,
    size    BIGINT NOT NULL,
    author  TEXT NOT NULL,     -- type:id of who wrote it
    created BIGINT NOT NULL,
    body    BLOB NOT NULL
);
CREATE UNIQUE INDEX versions_key ON versions (file, version);

CREATE TABLE effects (
    decision TEXT PRIMARY KEY,
    tenant   TEXT NOT NULL,
    first    BIGINT NOT NULL,  -- sequences of the tenant that the decision's writes got
    last     BIGINT NOT NULL,
    at       BIGINT NOT NULL
) WITHOUT ROWID;

-- +goose Down
DROP TABLE effects;
DROP TABLE versions;
DROP TABLE files;
DROP TABLE dirs;
DROP TABLE tenants;
