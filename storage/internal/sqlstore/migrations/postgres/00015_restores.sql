-- +goose Up
-- The last restore of each workspace, for those who watch it and for going on with it.
CREATE TABLE restores (
    workspace TEXT COLLATE "C" PRIMARY KEY,
    id        TEXT COLLATE "C" NOT NULL,
    number    BIGINT NOT NULL,     -- of the snapshot
    seq       BIGINT NOT NULL,     -- at which it began: what others change behind it stays
    author    TEXT COLLATE "C" NOT NULL,       -- type:id of who began it
    holder    TEXT COLLATE "C" NOT NULL,       -- the call that is at it; '' when none is
    until     BIGINT NOT NULL,     -- when that call counts as gone unless it shows itself before
    started   BIGINT NOT NULL,
    updated   BIGINT NOT NULL,
    finished  BIGINT NOT NULL,     -- 0: it is not
    restored  BIGINT NOT NULL,     -- files brought back or given the contents that they had
    deleted   BIGINT NOT NULL,     -- files and folders put into the trash
    remaining BIGINT NOT NULL,     -- files and folders to look at yet
    hidden    BIGINT NOT NULL,     -- left out: not for who restores
    kept      BIGINT NOT NULL      -- left out: changed by others since it began
);

-- +goose Down
DROP TABLE restores;
