"""How many there are by stretch alone: a page without filters adds up a number a stretch."""


def _stretches(table: str) -> tuple[str, ...]:
    return (
        f"""
        CREATE TABLE {table}_stretch (
            stretch INTEGER NOT NULL PRIMARY KEY,
            first   REAL    NOT NULL,
            last    REAL    NOT NULL,
            number  INTEGER NOT NULL
        )
        """,
        f"""
        INSERT INTO {table}_stretch
        SELECT stretch, min(first), max(last), sum(number) FROM {table}_tally GROUP BY stretch
        """,
        f"""
        CREATE TRIGGER {table}_stretch_began AFTER INSERT ON {table}_tally
        BEGIN
            INSERT INTO {table}_stretch (stretch, number, first, last)
            VALUES (NEW.stretch, NEW.number, NEW.first, NEW.last)
            ON CONFLICT DO UPDATE SET number = number + excluded.number,
                                      first = min(first, excluded.first),
                                      last = max(last, excluded.last);
        END
        """,
        f"""
        CREATE TRIGGER {table}_stretch_changed AFTER UPDATE ON {table}_tally
        BEGIN
            UPDATE {table}_stretch
               SET number = number + NEW.number - OLD.number,
                   first = min(first, NEW.first),
                   last = max(last, NEW.last)
             WHERE stretch = NEW.stretch;
        END
        """,
    )


STATEMENTS = (*_stretches("call"), *_stretches("run"))
