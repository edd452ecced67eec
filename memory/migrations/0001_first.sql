-- Chats are named by the text of their ChatKey, "channel:account:chat". Times are seconds since the epoch, UTC.

CREATE TABLE counters (
    name TEXT NOT NULL PRIMARY KEY,
    value REAL NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

INSERT INTO counters (name) VALUES
    ('boots'), ('turns'), ('sessions_total'), ('sessions_expired'), ('sessions_ended'), ('sessions_seconds'),
    ('quarantined'), ('scrub'), ('indexed');

-- Hashes of (channel, account, external id): they outlive the messages and name nobody.
CREATE TABLE seen (
    hash BLOB NOT NULL PRIMARY KEY,
    at REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX seen_at ON seen (at);

-- Unfinished and parked messages only: a commit deletes what it answered. AUTOINCREMENT, because a turn is
-- named by its first seq and outbox parts refer to it.
CREATE TABLE inbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    chat TEXT NOT NULL,
    received_at REAL NOT NULL,
    ready_at REAL NOT NULL,
    merges INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    lease INTEGER,
    parked_turn INTEGER,
    parked_at REAL,
    error TEXT NOT NULL DEFAULT '',
    body BLOB NOT NULL
) STRICT;

CREATE INDEX inbox_chat ON inbox (chat) WHERE parked_turn IS NULL;
CREATE INDEX inbox_parked ON inbox (parked_turn) WHERE parked_turn IS NOT NULL;

CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    chat TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at REAL NOT NULL,
    due_at REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    doubts INTEGER NOT NULL DEFAULT 0,
    plain INTEGER NOT NULL DEFAULT 0,
    boot INTEGER,
    settled_at REAL,
    turn_id INTEGER,
    part_no INTEGER NOT NULL DEFAULT 0,
    reply_to TEXT NOT NULL DEFAULT '',
    platform_id TEXT NOT NULL DEFAULT '',
    error TEXT NOT NULL DEFAULT '',
    body BLOB NOT NULL,
    attachment BLOB,
    UNIQUE (turn_id, part_no)
) STRICT;

CREATE INDEX outbox_chat ON outbox (chat);
CREATE INDEX outbox_state ON outbox (state) WHERE state <> 'sent';
CREATE INDEX outbox_settled ON outbox (settled_at) WHERE settled_at IS NOT NULL;

CREATE TABLE sessions (
    chat TEXT NOT NULL PRIMARY KEY,
    created_at REAL NOT NULL,
    last_activity REAL NOT NULL,
    messages INTEGER NOT NULL,
    documents INTEGER NOT NULL,
    tool_calls INTEGER NOT NULL,
    language TEXT,
    choices TEXT NOT NULL DEFAULT '[]',
    rest TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_idle ON sessions (last_activity);

CREATE TABLE checkpoints (
    thread_id TEXT NOT NULL,
    checkpoint_ns TEXT NOT NULL,
    checkpoint_id TEXT NOT NULL,
    parent_checkpoint_id TEXT,
    run_id TEXT,
    type TEXT NOT NULL,
    checkpoint BLOB NOT NULL,
    metadata BLOB NOT NULL,
    PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id)
) STRICT;

CREATE INDEX checkpoints_run ON checkpoints (run_id) WHERE run_id IS NOT NULL;

CREATE TABLE checkpoint_writes (
    thread_id TEXT NOT NULL,
    checkpoint_ns TEXT NOT NULL,
    checkpoint_id TEXT NOT NULL,
    task_id TEXT NOT NULL,
    idx INTEGER NOT NULL,
    channel TEXT NOT NULL,
    type TEXT NOT NULL,
    value BLOB NOT NULL,
    task_path TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, task_id, idx)
) STRICT;

CREATE TABLE profiles (
    chat TEXT NOT NULL PRIMARY KEY,
    language TEXT,
    phone TEXT,
    first_seen REAL NOT NULL,
    last_inbound_at REAL NOT NULL,
    reachable INTEGER NOT NULL,
    blocked INTEGER NOT NULL,
    sealed INTEGER NOT NULL,
    handoff_until REAL NOT NULL,
    extra TEXT
) STRICT, WITHOUT ROWID;

-- `open_reason` is what puts the question on the editors' list; closing the question clears it.
CREATE TABLE exchanges (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    chat TEXT NOT NULL,
    at REAL NOT NULL,
    session_started_at REAL NOT NULL,
    question TEXT NOT NULL,
    answer TEXT NOT NULL,
    language TEXT NOT NULL,
    origin TEXT NOT NULL,
    passage_ids TEXT NOT NULL DEFAULT '[]',
    answered INTEGER NOT NULL,
    rating INTEGER,
    open_reason TEXT
) STRICT;

CREATE INDEX exchanges_chat ON exchanges (chat);
CREATE INDEX exchanges_at ON exchanges (at);
CREATE INDEX exchanges_open ON exchanges (open_reason) WHERE open_reason IS NOT NULL;

-- Filled in batches up to the exchange named by the counter 'indexed': within a turn's transaction it would cost
-- as much as a quarter of the rest.
CREATE VIRTUAL TABLE exchanges_text USING fts5 (
    question, answer, content = 'exchanges', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2'
);

CREATE TRIGGER exchanges_text_delete AFTER DELETE ON exchanges
WHEN old.id <= (SELECT value FROM counters WHERE name = 'indexed') BEGIN
    INSERT INTO exchanges_text (exchanges_text, rowid, question, answer)
    VALUES ('delete', old.id, old.question, old.answer);
END;

CREATE TABLE facts (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    channel TEXT NOT NULL,
    language TEXT NOT NULL,
    origin TEXT NOT NULL,
    topic TEXT NOT NULL,
    answered INTEGER NOT NULL,
    messages INTEGER NOT NULL,
    queue_ms REAL NOT NULL,
    retrieval_ms REAL NOT NULL,
    model_ms REAL NOT NULL,
    total_ms REAL NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL
) STRICT;

CREATE INDEX facts_at ON facts (at);

CREATE TABLE notes (
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    expires_at REAL,
    PRIMARY KEY (namespace, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX notes_expiry ON notes (expires_at) WHERE expires_at IS NOT NULL;

-- Rows that could not be read back, for a person to look at.
CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    chat TEXT NOT NULL,
    at REAL NOT NULL,
    error TEXT NOT NULL,
    body BLOB NOT NULL
) STRICT;

CREATE INDEX quarantine_chat ON quarantine (chat);
