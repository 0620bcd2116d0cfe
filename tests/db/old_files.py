"""Files as versions 9 to 11 of the schema left them, with two runs and what they asked."""

import sqlite3
from contextlib import closing
from pathlib import Path

SCHEMA_9 = Path(__file__).with_name("schema_9.sql").read_text(encoding="utf-8")
TO_10 = "ALTER TABLE run ADD COLUMN decisions TEXT;"
TO_11 = """
CREATE TABLE run_asked (
    provider TEXT NOT NULL, number INTEGER NOT NULL, model TEXT NOT NULL,
    PRIMARY KEY (provider, number, model)
) WITHOUT ROWID;
CREATE TRIGGER asked_came AFTER INSERT ON call BEGIN
    INSERT INTO run_asked SELECT NEW.provider, number, NEW.model FROM run WHERE id = NEW.run_id
        ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER asked_run_went AFTER DELETE ON run BEGIN
    DELETE FROM run_asked
     WHERE number = OLD.number AND provider IN (SELECT provider FROM call WHERE run_id = OLD.id);
END;
"""
ROWS = """
INSERT INTO run (id, goal, status, strategy, provider, model, started_at, finished_at, source,
                 simulated, options, request_digest)
VALUES ('old', 'An old goal', 'completed', 'random', 'openai', 'm', 1790000000.0, 1790000002.0,
        'ui', FALSE, '{}', ''),
       ('cut', 'Cut off', 'running', 'random', NULL, NULL, 1790001000.0, NULL,
        'ui', FALSE, '{}', '');
INSERT INTO call (id, run_id, ordinal, provider, model, strategy, status, error_kind, started_at,
                  latency_ms, cost_usd, simulated, config)
VALUES (1, 'old', 0, 'kimi', 'k', 'random', 'failed', 'timeout', 1790000000.0, 9.0, NULL, FALSE,
        ''),
       (2, 'old', 1, 'openai', 'm', 'random', 'ok', NULL, 1790000001.0, 100.0, 0.5, FALSE, ''),
       (3, 'cut', 0, 'openai', 'm', 'random', 'running', NULL, 1790001000.0, NULL, NULL, FALSE, '');
INSERT INTO call_text VALUES (1, '[{"role": "user", "content": "tea"}]', NULL),
                             (2, '[{"role": "user", "content": "tea"}]', 'a pot of tea');
INSERT INTO setting VALUES ('strategy', '"random"');
INSERT INTO change VALUES (1, 'strategy', NULL, '"random"', 1790000000.0);
INSERT INTO call_words (rowid, asked, answered) VALUES (1, 'tea', ''), (2, 'tea', 'a pot of tea');
INSERT INTO run_words (rowid, goal, plan) VALUES (1, 'an old goal', '');
INSERT INTO run_rollup VALUES (0, 900, 1789999200, 1, 1, 0, 0, 1);
INSERT INTO call_rollup
VALUES (0, 900, 1789999200, 'kimi', 'k', 1, 0, 1, 1, 0.0, 0, 0, 0, 0.0, 0.0, 0, 0, 0, 0, 0.0, 0,
        '', '', ''),
       (0, 900, 1789999200, 'openai', 'm', 1, 1, 0, 1, 100.0, 0, 0, 0, 0.0, 0.5, 1, 0, 1, 0, 0.5, 0,
        '', '', '');
"""


def old_file(path: Path, version: int) -> Path:
    """In write-ahead mode as they are; of a version before 9 it has the number alone."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        for number, steps in ((9, SCHEMA_9), (10, TO_10), (11, TO_11)):
            if number <= max(9, version):
                connection.executescript(steps)
        connection.executescript(ROWS)
        connection.execute(f"PRAGMA user_version = {version}")
    return path
