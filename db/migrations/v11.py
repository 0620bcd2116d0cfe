"""Whom each run asked, for a filter of runs: kept as calls come and go, whoever writes."""


def _put(row: str) -> str:
    return f"""
        INSERT INTO run_asked
        SELECT {row}.provider, number, {row}.model FROM run WHERE id = {row}.run_id
            ON CONFLICT DO NOTHING;
    """


def _drop(row: str) -> str:
    same = f"run_id = {row}.run_id AND provider = {row}.provider AND model = {row}.model"
    return f"""
        DELETE FROM run_asked
         WHERE number = (SELECT number FROM run WHERE id = {row}.run_id)
           AND provider = {row}.provider AND model = {row}.model
           AND NOT EXISTS (SELECT 1 FROM call WHERE {same});
    """


_DIFFERS = " OR ".join(f"OLD.{name} IS NOT NEW.{name}" for name in ("run_id", "provider", "model"))

STATEMENTS = (
    """
    CREATE TABLE run_asked (
        provider TEXT    NOT NULL,
        number   INTEGER NOT NULL,
        model    TEXT    NOT NULL,
        PRIMARY KEY (provider, number, model)
    ) WITHOUT ROWID
    """,
    """
    INSERT INTO run_asked
    SELECT DISTINCT call.provider, number, call.model FROM call JOIN run ON run.id = run_id
     ORDER BY 1, 2, 3
    """,
    f"CREATE TRIGGER asked_came AFTER INSERT ON call BEGIN {_put('NEW')} END",
    f"CREATE TRIGGER asked_went AFTER DELETE ON call BEGIN {_drop('OLD')} END",
    f"""
    CREATE TRIGGER asked_changed AFTER UPDATE ON call WHEN {_DIFFERS}
    BEGIN {_drop("OLD")} {_put("NEW")} END
    """,
    # Calls may be there before their run, and after it.
    """
    CREATE TRIGGER asked_run_came AFTER INSERT ON run
    BEGIN
        INSERT INTO run_asked
        SELECT DISTINCT provider, NEW.number, model FROM call WHERE run_id = NEW.id;
    END
    """,
    """
    CREATE TRIGGER asked_run_went AFTER DELETE ON run
    BEGIN
        DELETE FROM run_asked
         WHERE number = OLD.number
           AND provider IN (SELECT provider FROM call WHERE run_id = OLD.id);
    END
    """,
)
