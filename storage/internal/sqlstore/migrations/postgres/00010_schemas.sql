-- +goose Up
-- Tenants that define types of their own.
CREATE TABLE schemas (
    tenant     TEXT COLLATE "C" PRIMARY KEY,
    number     BIGINT NOT NULL,   -- stands before the names of its types in the engine; never given twice
    generation BIGINT NOT NULL    -- how often its definitions were written
);
CREATE UNIQUE INDEX schemas_number ON schemas (number);

-- The types they define, and the caveats of these.
CREATE TABLE namespaces (
    tenant     TEXT COLLATE "C" NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    id         TEXT NOT NULL,
    caveat     BOOLEAN NOT NULL,
    text       TEXT NOT NULL,     -- in SpiceDB's language, in the tenant's words
    config     TEXT NOT NULL,     -- the same as JSON
    vocabulary TEXT NOT NULL,     -- names of its relations and permissions, JSON
    created    BIGINT NOT NULL,
    updated    BIGINT NOT NULL,
    PRIMARY KEY (tenant, name)
);

-- +goose Down
DROP TABLE namespaces;
DROP TABLE schemas;
