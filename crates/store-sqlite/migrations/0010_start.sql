-- Schema 10, the first that was released. Times are Unix epoch milliseconds unless a comment says otherwise. Numbers handed
-- out once are never handed out again. Columns that came late stand last, so that databases made before have the same order.

-- The last commit, and the next numbers.
CREATE TABLE meta (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    commit_no   INTEGER NOT NULL,
    clock       INTEGER NOT NULL,
    next_device INTEGER NOT NULL,
    next_job    INTEGER NOT NULL,
    next_task   INTEGER NOT NULL,
    key_check   BLOB    NOT NULL  -- a known text under the secret key: a wrong key is noticed at start
) STRICT;

CREATE TABLE organization (
    id       TEXT    PRIMARY KEY,
    name     TEXT    NOT NULL,
    disabled INTEGER NOT NULL,
    created  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE access_key (
    app_key  TEXT    PRIMARY KEY,
    secret   BLOB    NOT NULL,    -- sealed
    org      TEXT    NOT NULL REFERENCES organization (id),
    role     INTEGER NOT NULL,
    name     TEXT    NOT NULL,
    disabled INTEGER NOT NULL,
    created  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX access_key_org ON access_key (org);

CREATE TABLE model (
    no       INTEGER PRIMARY KEY, -- order of creation
    org      TEXT    NOT NULL,
    id       TEXT    NOT NULL,
    document TEXT    NOT NULL,    -- JSON
    created  INTEGER NOT NULL,
    updated  INTEGER NOT NULL,
    UNIQUE (org, id)
) STRICT;

CREATE TABLE product (
    no                 INTEGER PRIMARY KEY, -- order of creation
    key                TEXT    NOT NULL UNIQUE,
    org                TEXT    NOT NULL,
    name               TEXT    NOT NULL,    -- JSON
    secret             BLOB    NOT NULL,    -- sealed
    description        TEXT    NOT NULL,
    gateway            INTEGER NOT NULL,
    json               INTEGER NOT NULL,
    tags               TEXT    NOT NULL,    -- JSON
    model              TEXT    NOT NULL,
    dynamic_activation INTEGER NOT NULL,
    certificates       INTEGER NOT NULL,
    created            INTEGER NOT NULL,
    created_by         TEXT,
    updated            INTEGER NOT NULL,
    updated_by         TEXT,
    command_qos         INTEGER NOT NULL DEFAULT 1,
    former_secret       BLOB,              -- sealed; still good until former_secret_until
    former_secret_until INTEGER,
    gateway_registers   INTEGER NOT NULL DEFAULT 0 -- gateways may register devices
) STRICT;
CREATE INDEX product_org ON product (org, model);

CREATE TABLE device (
    no           INTEGER PRIMARY KEY,
    disabled     INTEGER NOT NULL,
    deleted      INTEGER NOT NULL,  -- 0, or the device's own number: its keys are free again
    activated    INTEGER,
    last_online  INTEGER,
    last_offline INTEGER,
    created      INTEGER NOT NULL,
    updated      INTEGER NOT NULL,
    org          TEXT    NOT NULL,
    product      TEXT    NOT NULL,
    key          TEXT    NOT NULL,
    asset        TEXT    NOT NULL,
    secret       BLOB    NOT NULL,  -- sealed
    timezone     TEXT    NOT NULL,
    description  TEXT    NOT NULL,
    name         TEXT    NOT NULL,  -- JSON
    attributes   TEXT    NOT NULL,  -- JSON
    tags         TEXT    NOT NULL,  -- JSON
    former_secret       BLOB,       -- sealed; still good until former_secret_until
    former_secret_until INTEGER,
    registered_by       INTEGER,    -- the gateway that registered it
    UNIQUE (product, key, deleted),
    UNIQUE (asset, deleted)
) STRICT;
CREATE INDEX device_org ON device (org) WHERE deleted = 0;

-- The members of a product in the order of their numbers; the last two columns let them be counted here.
CREATE INDEX device_member ON device (product, no, disabled, deleted);

-- What a device was before it was disabled, enabled or deleted: with it the members of a product job are known as they
-- were at its trigger.
CREATE TABLE device_change (
    no        INTEGER PRIMARY KEY, -- order of the changes
    commit_no INTEGER NOT NULL,
    device    INTEGER NOT NULL,
    disabled  INTEGER NOT NULL,
    deleted   INTEGER NOT NULL
) STRICT;

CREATE TABLE job (
    no             INTEGER PRIMARY KEY,
    org            TEXT    NOT NULL,
    state          INTEGER NOT NULL,
    total          INTEGER,           -- NULL before the trigger
    first_task     INTEGER,           -- NULL before any task number is allocated
    allocated      INTEGER NOT NULL,
    written        INTEGER NOT NULL,  -- rows of task; they follow each other without a gap from first_task on
    release        INTEGER NOT NULL,
    created        INTEGER NOT NULL,
    tasks_created  INTEGER NOT NULL,
    ttl            INTEGER NOT NULL,  -- ms
    reply_timeout  INTEGER NOT NULL,  -- ms
    retry_count    INTEGER,           -- NULL: retries are off
    retry_interval INTEGER,           -- ms
    cancel_mark    INTEGER NOT NULL,
    settled_mark   INTEGER NOT NULL,
    deleted        INTEGER NOT NULL,
    products       TEXT,              -- JSON; NULL for a list of devices
    trigger_commit INTEGER,
    trigger_change INTEGER,           -- the last device_change before the trigger
    watermark      INTEGER,
    cursor         INTEGER,
    single         INTEGER NOT NULL DEFAULT 0 -- a single command: one task, passed over by searches for jobs
) STRICT;
CREATE UNIQUE INDEX job_first_task ON job (first_task) WHERE first_task IS NOT NULL;

-- The ranges of an organization's tasks, without a look at the jobs themselves.
CREATE INDEX job_range ON job (org, first_task, written, tasks_created) WHERE deleted = 0 AND first_task IS NOT NULL;
CREATE INDEX job_at_work ON job (no) WHERE state <> 2 OR settled_mark < cancel_mark OR deleted = 1;

-- The long texts of a job, apart from the row that changes.
CREATE TABLE job_text (
    job     INTEGER PRIMARY KEY,
    command TEXT    NOT NULL, -- JSON
    name    TEXT    NOT NULL, -- JSON; also in text, here for searches
    text    TEXT    NOT NULL  -- JSON
) STRICT;

-- How many tasks of a job are in each state; c0 … c9 are the states' numbers. Shard 0 counts the whole job. Jobs of more
-- than 16,384 tasks also have shards 1, 2, … for each 2,048 of their tasks.
CREATE TABLE job_counter (
    job   INTEGER NOT NULL,
    shard INTEGER NOT NULL,
    c0    INTEGER NOT NULL,
    c1    INTEGER NOT NULL,
    c2    INTEGER NOT NULL,
    c3    INTEGER NOT NULL,
    c4    INTEGER NOT NULL,
    c5    INTEGER NOT NULL,
    c6    INTEGER NOT NULL,
    c7    INTEGER NOT NULL,
    c8    INTEGER NOT NULL,
    c9    INTEGER NOT NULL,
    PRIMARY KEY (job, shard)
) STRICT, WITHOUT ROWID;

-- One row per device of a job, narrow and changed in place.
CREATE TABLE task (
    id      INTEGER PRIMARY KEY,
    device  INTEGER NOT NULL,
    state   INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    intent  INTEGER, -- ms since the job's release
    handed  INTEGER, -- ms since the intent, without one since the release
    acked   INTEGER, -- as handed
    ended   INTEGER, -- as handed
    updated INTEGER, -- ms since the job's release; NULL: when the attempt ended
    due     INTEGER, -- ms since the job's release
    wake    INTEGER, -- a moment, for the index
    code    INTEGER, -- NULL: no result yet
    desc    TEXT,    -- NULL: "OK"
    output  TEXT,
    late    TEXT,    -- JSON: a success that came too late
    tally   INTEGER NOT NULL -- retry counts, cancel mark and flags, packed; 0 for most
) STRICT;

-- A step never changes this index; it serves what waits for a device, and the device's past.
CREATE INDEX task_device ON task (device);
CREATE INDEX task_wake ON task (wake) WHERE wake IS NOT NULL;

-- Attempts that the task's row cannot tell by itself, and late replies.
CREATE TABLE history (
    no      INTEGER PRIMARY KEY,
    task    INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    how     INTEGER NOT NULL,
    intent  INTEGER,
    handed  INTEGER,
    acked   INTEGER,
    ended   INTEGER,
    code    INTEGER NOT NULL,
    desc    TEXT    NOT NULL,
    output  TEXT,
    sent    INTEGER NOT NULL -- bit 0: sent; 1: output was dropped; 2: desc repeats an earlier attempt
) STRICT;
CREATE INDEX history_task ON history (task, attempt);

-- 5: a late reply, kept once per attempt.
CREATE UNIQUE INDEX history_late ON history (task, attempt) WHERE how = 5;

CREATE TABLE slot (
    device         INTEGER PRIMARY KEY,
    task           INTEGER NOT NULL,
    attempt        INTEGER NOT NULL,
    reply_deadline INTEGER NOT NULL,
    acked          INTEGER NOT NULL
) STRICT;

CREATE TABLE remembered (
    scope  TEXT    NOT NULL,
    key    TEXT    NOT NULL,
    digest BLOB    NOT NULL,
    answer TEXT    NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX remembered_at ON remembered (at);

-- Who did what; kept for good. The address is that of the request.
CREATE TABLE action (
    no         INTEGER PRIMARY KEY,
    commit_no  INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    org        TEXT    NOT NULL,
    verb       TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    app_key    TEXT,
    request_id TEXT    NOT NULL,
    address    TEXT
) STRICT;
CREATE INDEX action_subject ON action (org, subject);

-- FAILED, RSP_TIMEOUT, TTL_TIMEOUT. Queries have to repeat this very condition: for a list after IN, SQLite builds a
-- table at every change of a task.
CREATE INDEX task_rare ON task (state) WHERE state = 6 OR state = 8 OR state = 9;

-- Which gateway a device is under, for those that are under one.
CREATE TABLE sub_device (
    device  INTEGER PRIMARY KEY,
    gateway INTEGER NOT NULL
) STRICT;
CREATE INDEX sub_device_gateway ON sub_device (gateway);

-- The jobs at work in the order of their tasks: the first with waiting tasks is found without a look at all of them.
CREATE INDEX job_first_at_work ON job (first_task)
    WHERE first_task IS NOT NULL AND (state <> 2 OR settled_mark < cancel_mark OR deleted = 1);

-- Searches for jobs pass over single commands.
CREATE INDEX job_org ON job (org) WHERE deleted = 0 AND single = 0;

-- The latest value of each name that a device has reported, by kind.
CREATE TABLE reported (
    device INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (device, kind, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX device_registered_by ON device (registered_by) WHERE registered_by IS NOT NULL AND deleted = 0;

-- What was done in an organization, in order.
CREATE INDEX action_org ON action (org, at);

-- Signatures of calls that were used, so that none is carried out twice. The key begins with the moment that the caller
-- named, which is close to the present: rows come in nearly sorted, and those that are over lie together.
CREATE TABLE proof (
    at INTEGER NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (at, digest)
) STRICT, WITHOUT ROWID;
