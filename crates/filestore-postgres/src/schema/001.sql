-- Times are milliseconds since 1970. Ids are uuids, which compare as their bytes do. Text compares
-- by bytes (collation "C"). Every name is written with its schema, so that no search path matters.

-- The present moment, by the database's clock unless another is given.
CREATE FUNCTION filestore.now(given bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT coalesce(given, (extract(epoch FROM statement_timestamp()) * 1000)::bigint)
$$;

-- Refuses a change, and with it the transaction, unless a promise holds. The code says what the
-- caller is told; error.rs reads it.
CREATE FUNCTION filestore.must(holds boolean, code text, reason text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF holds IS NOT TRUE THEN
        RAISE EXCEPTION USING ERRCODE = code, MESSAGE = reason;
    END IF;
END
$$;

CREATE TABLE filestore.store (
    one integer PRIMARY KEY CHECK (one = 1),
    id  uuid NOT NULL
);

-- Commits that were tried, for an hour. Whoever lost the connection while it committed looks here
-- for what became of it, and fences it off if nothing has yet.
CREATE TABLE filestore.attempt (
    id        uuid PRIMARY KEY,
    is_fenced boolean NOT NULL,
    at        timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX attempt_at ON filestore.attempt (at);

-- Everything else names a tenant by this number, which keeps the keys of indexes short.
CREATE TABLE filestore.tenant (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name   text COLLATE "C" NOT NULL UNIQUE
);

-- Gives a tenant a number when it has none yet. Each statement of it sees what others committed
-- before that statement.
CREATE FUNCTION filestore.make_tenant(wanted text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    found_number bigint;
BEGIN
    SELECT number INTO found_number FROM filestore.tenant WHERE name = wanted;
    IF found_number IS NULL THEN
        INSERT INTO filestore.tenant (name) VALUES (wanted) ON CONFLICT (name) DO NOTHING;
        SELECT number INTO found_number FROM filestore.tenant WHERE name = wanted;
    END IF;
    RETURN found_number;
END
$$;

-- folded is what search sees of the name; external_hash stands for the external id in indexes,
-- which have no room for text of any length. extent is min_x to max_y in a form that has an index.
CREATE TABLE filestore.file (
    tenant          bigint NOT NULL REFERENCES filestore.tenant (number),
    id              uuid NOT NULL,
    number          bigint NOT NULL,
    revision        bigint NOT NULL,
    owner           text COLLATE "C" NOT NULL,
    created         bigint NOT NULL,
    updated         bigint NOT NULL,
    content         uuid,
    stored          bigint,
    name            text COLLATE "C" NOT NULL,
    folded          text COLLATE "C" NOT NULL,
    external_id     text COLLATE "C",
    external_hash   uuid,
    directory       text COLLATE "C",
    source          text COLLATE "C",
    content_type    text COLLATE "C",
    source_created  bigint,
    source_modified bigint,
    min_x           double precision,
    max_x           double precision,
    min_y           double precision,
    max_y           double precision,
    extent          box,
    details         jsonb,
    PRIMARY KEY (tenant, id)
);

CREATE UNIQUE INDEX file_number   ON filestore.file (tenant, number);
CREATE UNIQUE INDEX file_external ON filestore.file (tenant, external_hash) WHERE external_hash IS NOT NULL;

-- Indexes hold the first 64 characters of a text.
CREATE INDEX file_name            ON filestore.file (tenant, left(folded, 64), number);
CREATE INDEX file_owner           ON filestore.file (tenant, owner, number);
CREATE INDEX file_created         ON filestore.file (tenant, created, number);
CREATE INDEX file_updated         ON filestore.file (tenant, updated, number);
CREATE INDEX file_stored          ON filestore.file (tenant, stored, number)                 WHERE stored IS NOT NULL;
CREATE INDEX file_empty           ON filestore.file (tenant, number)                         WHERE content IS NULL;
CREATE INDEX file_external_key    ON filestore.file (tenant, left(external_id, 64), number)  WHERE external_id IS NOT NULL;
CREATE INDEX file_directory       ON filestore.file (tenant, left(directory, 64), number)    WHERE directory IS NOT NULL;
CREATE INDEX file_source          ON filestore.file (tenant, left(source, 64), number)       WHERE source IS NOT NULL;
CREATE INDEX file_type            ON filestore.file (tenant, left(content_type, 64), number) WHERE content_type IS NOT NULL;
CREATE INDEX file_source_created  ON filestore.file (tenant, source_created, number)         WHERE source_created IS NOT NULL;
CREATE INDEX file_source_modified ON filestore.file (tenant, source_modified, number)        WHERE source_modified IS NOT NULL;

-- The tenant is a range of one number: ranges and boxes have such indexes without an extension.
CREATE INDEX file_extent ON filestore.file USING gist (int8range(tenant, tenant, '[]'), extent)
    WHERE extent IS NOT NULL;

-- A row for each metadata pair, label and term of a file; hash is what index.rs makes of them.
CREATE TABLE filestore.term (
    tenant bigint NOT NULL,
    hash   uuid NOT NULL,
    number bigint NOT NULL,
    PRIMARY KEY (tenant, hash, number)
);

-- Folded names by their trigrams, each hashed with the tenant's name, so that one index holds the
-- names of all and finds a tenant's own. What it finds is compared with the row.
CREATE TABLE filestore.name (
    tenant bigint NOT NULL,
    number bigint NOT NULL,
    grams  integer[] NOT NULL,
    PRIMARY KEY (tenant, number)
);

CREATE INDEX name_grams ON filestore.name USING gin (grams);

-- A version of bytes that `uses` records have. landmarks is where every 32nd segment ends, so that a
-- range near the end of thousands is found without adding up the sizes of all before it; without it
-- they are added up.
CREATE TABLE filestore.content (
    id        uuid PRIMARY KEY,
    tenant    bigint NOT NULL,
    size      bigint NOT NULL,
    tag       text NOT NULL,
    sha256    bytea,
    stored    bigint NOT NULL,
    uses      bigint NOT NULL,
    segments  bigint NOT NULL,
    damaged   boolean NOT NULL DEFAULT false,
    landmarks bigint[]
);

CREATE INDEX content_fragmented ON filestore.content (segments, id) WHERE segments > 1 AND NOT damaged;

-- Segments of a content that has a row, or parts of a session's draft that has none yet. The last
-- three columns are of parts. Bytes are stored as they are: most are compressed already.
CREATE TABLE filestore.segment (
    content      uuid NOT NULL,
    n            bigint NOT NULL,
    size         bigint NOT NULL,
    sha256       bytea NOT NULL,
    key          uuid,
    data         bytea,
    ticket       bigint,
    chain_before bytea,
    chain_after  bytea,
    PRIMARY KEY (content, n),
    CHECK ((key IS NULL) <> (data IS NULL))
);

ALTER TABLE filestore.segment ALTER COLUMN data SET STORAGE EXTERNAL;

CREATE UNIQUE INDEX segment_key ON filestore.segment (key) WHERE key IS NOT NULL;

CREATE TABLE filestore.session (
    tenant     bigint NOT NULL REFERENCES filestore.tenant (number),
    id         uuid NOT NULL,
    owner      text COLLATE "C" NOT NULL,
    target     uuid,
    content    uuid NOT NULL UNIQUE,
    attributes text NOT NULL,
    size       bigint,
    sha256     bytea,
    total      bigint,
    created    bigint NOT NULL,
    expires    bigint NOT NULL,
    state      smallint NOT NULL, -- 0 open, 1 sealed, 2 completed, 3 failed, 4 canceled, 5 expired
    reason     text,              -- of a failure
    changed    bigint NOT NULL,   -- when the state did
    has_file   boolean NOT NULL DEFAULT false, -- whether it has ended and its file is there
    parts      bigint NOT NULL DEFAULT 0,
    received   bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, id)
);

CREATE INDEX session_owner  ON filestore.session (tenant, owner, id);
CREATE INDEX session_target ON filestore.session (tenant, target) WHERE target IS NOT NULL;
CREATE INDEX session_open   ON filestore.session (expires) WHERE state = 0;
CREATE INDEX session_sealed ON filestore.session (changed) WHERE state = 1;
CREATE INDEX session_ended  ON filestore.session (changed) WHERE state > 1 AND NOT has_file;

-- Decides between two sends of one part, on whatever node they came in.
CREATE SEQUENCE filestore.ticket;

CREATE TABLE filestore.record (
    tenant   bigint NOT NULL REFERENCES filestore.tenant (number),
    kind     text COLLATE "C" NOT NULL,
    key      text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    created  bigint NOT NULL,
    updated  bigint NOT NULL,
    body     text NOT NULL,
    PRIMARY KEY (tenant, kind, key)
);

CREATE TABLE filestore.counter (
    tenant bigint NOT NULL,
    name   text COLLATE "C" NOT NULL,
    value  bigint NOT NULL,
    PRIMARY KEY (tenant, name)
);

-- Keys of blobs that no segment has.
CREATE TABLE filestore.ledger (
    key   uuid PRIMARY KEY,
    state smallint NOT NULL, -- 0 pending, 1 garbage, 2 claimed
    at    bigint NOT NULL    -- deadline, since when, end of the lease
);

CREATE INDEX ledger_due ON filestore.ledger (state, at);

-- Announces the blob of a key that nothing has.
CREATE FUNCTION filestore.pend(new_key uuid, ttl bigint, given_now bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO filestore.ledger (key, state, at)
        SELECT new_key, 0, filestore.now(given_now) + ttl
        WHERE NOT EXISTS (SELECT 1 FROM filestore.segment WHERE key = new_key)
        ON CONFLICT DO NOTHING;
    PERFORM filestore.must(FOUND, 'FSEXI', 'the key is in use');
END
$$;

-- Records a part of an open session, or makes garbage of its blob when a part that was admitted
-- later is there. It holds the session's row until the commit, so that sends of one part, and the
-- seal, come one after the other; each statement sees what the one before it committed.
CREATE FUNCTION filestore.put_part(
    tenant_name text, session_id uuid, part bigint, given_total bigint, part_size bigint,
    part_sha256 bytea, part_key uuid, part_data bytea, part_ticket bigint, before bytea,
    after bytea, given_now bigint
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    held  filestore.session;
    there filestore.segment;
    moved bigint;
BEGIN
    SELECT s.* INTO held FROM filestore.session s JOIN filestore.tenant t ON t.number = s.tenant
        WHERE t.name = tenant_name AND s.id = session_id FOR UPDATE OF s;
    PERFORM filestore.must(held.id IS NOT NULL, 'FSNOF', 'there is no such upload');
    PERFORM filestore.must(held.state = 0, 'FSCON', 'the upload is not open');
    PERFORM filestore.must(given_total IS NULL OR held.total IS NULL OR given_total = held.total,
        'FSCON', 'the upload has another number of parts');
    held.total := coalesce(held.total, given_total);
    PERFORM filestore.must(part > 0 AND (held.total IS NULL OR part <= held.total), 'FSINV',
        'there is no part of this number');

    SELECT * INTO there FROM filestore.segment s WHERE s.content = held.content AND s.n = part;
    IF there.ticket > part_ticket THEN
        IF part_key IS NOT NULL THEN
            UPDATE filestore.ledger SET state = 1, at = filestore.now(given_now)
                WHERE key = part_key AND state = 0;
            GET DIAGNOSTICS moved = ROW_COUNT;
            PERFORM filestore.must(moved = 1, 'FSCON', 'a blob''s key is not pending any more');
        END IF;
    ELSE
        IF there.n IS NULL THEN
            held.parts := held.parts + 1;
        ELSE
            held.received := held.received - there.size;
            DELETE FROM filestore.segment s WHERE s.content = held.content AND s.n = part;
            IF there.key IS NOT NULL THEN
                INSERT INTO filestore.ledger (key, state, at)
                    VALUES (there.key, 1, filestore.now(given_now));
            END IF;
        END IF;
        held.received := held.received + part_size;
        IF part_key IS NOT NULL THEN
            DELETE FROM filestore.ledger WHERE key = part_key AND state = 0;
            GET DIAGNOSTICS moved = ROW_COUNT;
            PERFORM filestore.must(moved = 1, 'FSCON', 'a blob''s key is not pending any more');
        END IF;
        INSERT INTO filestore.segment
            (content, n, size, sha256, key, data, ticket, chain_before, chain_after)
            VALUES (held.content, part, part_size, part_sha256, part_key, part_data, part_ticket,
                before, after);
    END IF;
    UPDATE filestore.session s
        SET total = held.total, parts = held.parts, received = held.received
        WHERE s.tenant = held.tenant AND s.id = held.id;
END
$$;
