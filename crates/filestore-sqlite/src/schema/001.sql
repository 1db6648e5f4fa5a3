-- Times are milliseconds since 1970. Ids, keys and digests are their raw bytes. Text compares by
-- bytes (the BINARY collation, which is SQLite's default).

CREATE TABLE store (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id  BLOB NOT NULL
) STRICT;

-- Everything else names a tenant by this number, which keeps the keys of indexes short.
CREATE TABLE tenant (
    number INTEGER PRIMARY KEY,
    name   TEXT NOT NULL UNIQUE
) STRICT;

-- A tenant's files have consecutive rows from tenant << 40 on, so that a range of rows is a tenant
-- also where there is nothing but a row number: in the index of names.
--
-- The columns *_key are what indexes hold of text: the first 128 bytes. An index entry and a cursor
-- that names one stay small, and bytes need not be UTF-8 to bound a range.
CREATE TABLE file (
    row             INTEGER PRIMARY KEY,
    tenant          INTEGER NOT NULL REFERENCES tenant (number),
    id              BLOB NOT NULL,
    number          INTEGER NOT NULL,
    revision        INTEGER NOT NULL,
    owner           TEXT NOT NULL,
    created         INTEGER NOT NULL,
    updated         INTEGER NOT NULL,
    content         BLOB,
    stored          INTEGER,
    name            TEXT NOT NULL,
    name_key        BLOB NOT NULL, -- of the folded name
    external_id     TEXT,
    directory       TEXT,
    source          TEXT,
    content_type    TEXT,
    source_created  INTEGER,
    source_modified INTEGER,
    min_x           REAL,
    max_x           REAL,
    min_y           REAL,
    max_y           REAL,
    details         TEXT,
    external_key    BLOB AS (CASE WHEN external_id  = '' THEN x'' ELSE substr(CAST(external_id  AS BLOB), 1, 128) END),
    directory_key   BLOB AS (CASE WHEN directory    = '' THEN x'' ELSE substr(CAST(directory    AS BLOB), 1, 128) END),
    source_key      BLOB AS (CASE WHEN source       = '' THEN x'' ELSE substr(CAST(source       AS BLOB), 1, 128) END),
    type_key        BLOB AS (CASE WHEN content_type = '' THEN x'' ELSE substr(CAST(content_type AS BLOB), 1, 128) END)
) STRICT;

CREATE UNIQUE INDEX file_id       ON file (tenant, id);
CREATE UNIQUE INDEX file_number   ON file (tenant, number);
CREATE UNIQUE INDEX file_external ON file (tenant, external_id) WHERE external_id IS NOT NULL;

CREATE INDEX file_name            ON file (tenant, name_key, number);
CREATE INDEX file_owner           ON file (tenant, owner, number);
CREATE INDEX file_created         ON file (tenant, created, number);
CREATE INDEX file_updated         ON file (tenant, updated, number);
CREATE INDEX file_stored          ON file (tenant, stored, number)          WHERE stored IS NOT NULL;
CREATE INDEX file_empty           ON file (tenant, number)                  WHERE content IS NULL;
CREATE INDEX file_external_key    ON file (tenant, external_key, number)    WHERE external_key IS NOT NULL;
CREATE INDEX file_directory       ON file (tenant, directory_key, number)   WHERE directory_key IS NOT NULL;
CREATE INDEX file_source          ON file (tenant, source_key, number)      WHERE source_key IS NOT NULL;
CREATE INDEX file_type            ON file (tenant, type_key, number)        WHERE type_key IS NOT NULL;
CREATE INDEX file_source_created  ON file (tenant, source_created, number)  WHERE source_created IS NOT NULL;
CREATE INDEX file_source_modified ON file (tenant, source_modified, number) WHERE source_modified IS NOT NULL;

-- A row for each metadata pair, label and term of a file; hash is what index.rs makes of them.
CREATE TABLE term (
    tenant INTEGER NOT NULL,
    hash   BLOB NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (tenant, hash, number)
) STRICT, WITHOUT ROWID;

-- Folded names by their trigrams. It keeps no text and no positions: what it finds is compared with
-- the row.
CREATE VIRTUAL TABLE file_trigram USING fts5 (
    name, content = '', contentless_delete = 1, detail = none, tokenize = 'trigram case_sensitive 1'
);

-- The tenant is a coordinate like the others. Coordinates are rounded outwards to 32 bits.
CREATE VIRTUAL TABLE file_extent USING rtree (
    row, min_tenant, max_tenant, min_x, max_x, min_y, max_y
);

-- A version of bytes that `uses` records have.
CREATE TABLE content (
    id       BLOB PRIMARY KEY,
    tenant   INTEGER NOT NULL,
    size     INTEGER NOT NULL,
    tag      TEXT NOT NULL,
    sha256   BLOB,
    stored   INTEGER NOT NULL,
    uses     INTEGER NOT NULL,
    segments INTEGER NOT NULL,
    damaged  INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE INDEX content_fragmented ON content (segments, id) WHERE segments > 1 AND damaged = 0;

-- Segments of a content that has a row, or parts of a session's draft that has none yet. The last
-- three columns are of parts.
CREATE TABLE segment (
    content      BLOB NOT NULL,
    n            INTEGER NOT NULL,
    size         INTEGER NOT NULL,
    sha256       BLOB NOT NULL,
    key          BLOB,
    inline       INTEGER,
    ticket       INTEGER,
    chain_before BLOB,
    chain_after  BLOB,
    PRIMARY KEY (content, n),
    CHECK ((key IS NULL) <> (inline IS NULL))
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX segment_key ON segment (key) WHERE key IS NOT NULL;

-- Bytes of inline segments, apart so that the tree of segments stays flat.
CREATE TABLE inline_bytes (
    id   INTEGER PRIMARY KEY,
    data BLOB NOT NULL
) STRICT;

CREATE TABLE session (
    row        INTEGER PRIMARY KEY,
    tenant     INTEGER NOT NULL REFERENCES tenant (number),
    id         BLOB NOT NULL,
    owner      TEXT NOT NULL,
    target     BLOB,
    content    BLOB NOT NULL,
    attributes TEXT NOT NULL,
    size       INTEGER,
    sha256     BLOB,
    total      INTEGER,
    created    INTEGER NOT NULL,
    expires    INTEGER NOT NULL,
    state      INTEGER NOT NULL, -- 0 open, 1 sealed, 2 completed, 3 failed, 4 canceled, 5 expired
    reason     TEXT,             -- of a failure
    changed    INTEGER NOT NULL, -- when the state did
    has_file   INTEGER NOT NULL DEFAULT 0, -- whether it has ended and its file is there
    parts      INTEGER NOT NULL DEFAULT 0,
    received   INTEGER NOT NULL DEFAULT 0,
    UNIQUE (tenant, id),
    UNIQUE (content)
) STRICT;

CREATE INDEX session_owner  ON session (tenant, owner, id);
CREATE INDEX session_target ON session (tenant, target) WHERE target IS NOT NULL;
CREATE INDEX session_open   ON session (expires) WHERE state = 0;
CREATE INDEX session_sealed ON session (changed) WHERE state = 1;
CREATE INDEX session_ended  ON session (changed) WHERE state > 1 AND has_file = 0;

CREATE TABLE record (
    row      INTEGER PRIMARY KEY,
    tenant   INTEGER NOT NULL REFERENCES tenant (number),
    kind     TEXT NOT NULL,
    key      TEXT NOT NULL,
    revision INTEGER NOT NULL,
    created  INTEGER NOT NULL,
    updated  INTEGER NOT NULL,
    body     TEXT NOT NULL,
    UNIQUE (tenant, kind, key)
) STRICT;

CREATE TABLE counter (
    tenant INTEGER NOT NULL,
    name   TEXT NOT NULL,
    value  INTEGER NOT NULL,
    PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;

-- Keys of blobs that no segment has.
CREATE TABLE ledger (
    key   BLOB PRIMARY KEY,
    state INTEGER NOT NULL, -- 0 pending, 1 garbage, 2 claimed
    at    INTEGER NOT NULL  -- deadline, since when, end of the lease
) STRICT, WITHOUT ROWID;

CREATE INDEX ledger_due ON ledger (state, at);
