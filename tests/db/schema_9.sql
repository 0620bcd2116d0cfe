-- What version 9 of the schema looked like, with three of its eighteen triggers.

CREATE TABLE call (id INTEGER NOT NULL PRIMARY KEY, run_id TEXT, ordinal INTEGER NOT NULL, step
    INTEGER, provider TEXT NOT NULL, model TEXT NOT NULL, strategy TEXT NOT NULL, status TEXT NOT
    NULL, error_kind TEXT, http_status INTEGER, message TEXT, started_at REAL NOT NULL, latency_ms
    REAL, ttft_ms REAL, input_tokens INTEGER, output_tokens INTEGER, cached_tokens INTEGER,
    cost_usd REAL, simulated BOOLEAN NOT NULL, config TEXT NOT NULL, retry_after REAL, request_id
    TEXT, drilled BOOLEAN NOT NULL DEFAULT 0);
CREATE INDEX call_of_run ON call (run_id, ordinal);
CREATE INDEX call_by_provider ON call (simulated, provider);
CREATE INDEX call_outcome ON call (started_at, simulated, provider, status, latency_ms) WHERE
    status <> 'running';
CREATE TABLE call_text (call_id INTEGER NOT NULL PRIMARY KEY, request TEXT NOT NULL, response
    TEXT);
CREATE TABLE setting (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE change (id INTEGER NOT NULL PRIMARY KEY, key TEXT NOT NULL, old TEXT, new TEXT,
    changed_at REAL NOT NULL);
CREATE INDEX change_of_key ON change (key);
CREATE TABLE call_rollup (simulated BOOLEAN NOT NULL, span INTEGER NOT NULL, start INTEGER NOT
    NULL, provider TEXT NOT NULL, model TEXT NOT NULL, calls INTEGER NOT NULL, ok INTEGER NOT
    NULL, failed INTEGER NOT NULL, rated INTEGER NOT NULL, latency_ms REAL NOT NULL, input_tokens
    INTEGER NOT NULL, output_tokens INTEGER NOT NULL, told_tokens INTEGER NOT NULL, told_ms REAL
    NOT NULL, cost_usd REAL NOT NULL, priced INTEGER NOT NULL, unpriced INTEGER NOT NULL, plans
    INTEGER NOT NULL, invalid_plans INTEGER NOT NULL, plan_cost_usd REAL NOT NULL, plans_unpriced
    INTEGER NOT NULL, outcomes TEXT NOT NULL, latencies TEXT NOT NULL, ttfts TEXT NOT NULL,
    PRIMARY KEY (simulated, span, start, provider, model)) WITHOUT ROWID;
CREATE TABLE run_rollup (simulated BOOLEAN NOT NULL, span INTEGER NOT NULL, start INTEGER NOT
    NULL, runs INTEGER NOT NULL, completed INTEGER NOT NULL, failed INTEGER NOT NULL, cancelled
    INTEGER NOT NULL, saved INTEGER NOT NULL, PRIMARY KEY (simulated, span, start)) WITHOUT ROWID;
CREATE TABLE run (number INTEGER NOT NULL PRIMARY KEY, id TEXT NOT NULL UNIQUE, goal TEXT NOT
    NULL, status TEXT NOT NULL, strategy TEXT NOT NULL, provider TEXT, model TEXT, started_at REAL
    NOT NULL, finished_at REAL, source TEXT NOT NULL, simulated BOOLEAN NOT NULL, error_kind TEXT,
    error TEXT, plan TEXT, options TEXT NOT NULL, idempotency_key TEXT, request_digest TEXT NOT
    NULL, execution TEXT);
CREATE INDEX run_newest ON run (started_at, id);
CREATE UNIQUE INDEX run_by_key ON run (idempotency_key);
CREATE INDEX run_unfinished ON run (id) WHERE status = 'running';
CREATE INDEX call_unfinished ON call (id) WHERE status = 'running';
CREATE TABLE call_tally (stretch INTEGER NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL,
    strategy TEXT NOT NULL, status TEXT NOT NULL, error_kind TEXT NOT NULL, simulated BOOLEAN NOT
    NULL, number INTEGER NOT NULL, first REAL NOT NULL, last REAL NOT NULL, PRIMARY KEY (stretch,
    provider, model, strategy, status, error_kind, simulated)) WITHOUT ROWID;
CREATE TRIGGER call_came AFTER INSERT ON call WHEN NEW.status <> 'running' BEGIN INSERT INTO
    call_tally (stretch, provider, model, strategy, status, error_kind, simulated, number, first,
    last) VALUES (NEW.id >> 12, coalesce(NEW.provider, ''), coalesce(NEW.model, ''),
    coalesce(NEW.strategy, ''), coalesce(NEW.status, ''), coalesce(NEW.error_kind, ''),
    coalesce(NEW.simulated, ''), 1, NEW.started_at, NEW.started_at) ON CONFLICT DO UPDATE SET
    number = number + 1, first = min(first, excluded.first), last = max(last, excluded.last); END;
CREATE TRIGGER call_went AFTER DELETE ON call WHEN OLD.status <> 'running' BEGIN INSERT INTO
    call_tally (stretch, provider, model, strategy, status, error_kind, simulated, number, first,
    last) VALUES (OLD.id >> 12, coalesce(OLD.provider, ''), coalesce(OLD.model, ''),
    coalesce(OLD.strategy, ''), coalesce(OLD.status, ''), coalesce(OLD.error_kind, ''),
    coalesce(OLD.simulated, ''), -1, OLD.started_at, OLD.started_at) ON CONFLICT DO UPDATE SET
    number = number + -1, first = min(first, excluded.first), last = max(last, excluded.last);
    END;
CREATE VIRTUAL TABLE call_words USING fts5(asked, answered, content = '', columnsize = 0,
    tokenize = "unicode61 remove_diacritics 0 categories 'L* N* Co Mn Mc'");
CREATE VIRTUAL TABLE run_words USING fts5(goal, plan, content = '', columnsize = 0,
    tokenize = "unicode61 remove_diacritics 0 categories 'L* N* Co Mn Mc'");
CREATE TABLE unindexed (source TEXT NOT NULL PRIMARY KEY, below INTEGER NOT NULL);
CREATE TABLE run_tally (stretch INTEGER NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL,
    strategy TEXT NOT NULL, status TEXT NOT NULL, error_kind TEXT NOT NULL, simulated BOOLEAN NOT
    NULL, number INTEGER NOT NULL, first REAL NOT NULL, last REAL NOT NULL, PRIMARY KEY (stretch,
    provider, model, strategy, status, error_kind, simulated)) WITHOUT ROWID;
CREATE TRIGGER run_came AFTER INSERT ON run WHEN NEW.status <> 'running' BEGIN INSERT INTO
    run_tally (stretch, provider, model, strategy, status, error_kind, simulated, number, first,
    last) VALUES (NEW.number >> 10, coalesce(NEW.provider, ''), coalesce(NEW.model, ''),
    coalesce(NEW.strategy, ''), coalesce(NEW.status, ''), coalesce(NEW.error_kind, ''),
    coalesce(NEW.simulated, ''), 1, NEW.started_at, NEW.started_at) ON CONFLICT DO UPDATE SET
    number = number + 1, first = min(first, excluded.first), last = max(last, excluded.last); END;
CREATE TABLE to_index (source TEXT NOT NULL, key INTEGER NOT NULL, PRIMARY KEY (source, key))
    WITHOUT ROWID;
CREATE INDEX call_drilled ON call (id) WHERE drilled;
CREATE INDEX call_failed ON call (run_id) WHERE status = 'failed' AND NOT drilled;
CREATE TABLE call_total (provider TEXT NOT NULL, model TEXT NOT NULL, strategy TEXT NOT NULL,
    status TEXT NOT NULL, error_kind TEXT NOT NULL, simulated BOOLEAN NOT NULL, number INTEGER NOT
    NULL, PRIMARY KEY (provider, model, strategy, status, error_kind, simulated)) WITHOUT ROWID;
CREATE TABLE run_total (provider TEXT NOT NULL, model TEXT NOT NULL, strategy TEXT NOT NULL,
    status TEXT NOT NULL, error_kind TEXT NOT NULL, simulated BOOLEAN NOT NULL, number INTEGER NOT
    NULL, PRIMARY KEY (provider, model, strategy, status, error_kind, simulated)) WITHOUT ROWID;
CREATE INDEX run_said ON run (number, id) WHERE goal <> '';
CREATE TABLE call_stretch (stretch INTEGER NOT NULL PRIMARY KEY, first REAL NOT NULL, last REAL
    NOT NULL, number INTEGER NOT NULL);
CREATE TABLE run_stretch (stretch INTEGER NOT NULL PRIMARY KEY, first REAL NOT NULL, last REAL NOT
    NULL, number INTEGER NOT NULL);
CREATE INDEX call_unanswered ON call (id, provider, status, error_kind) WHERE status <> 'ok' AND
    status <> 'running';
