"""simonw's `llm` with the same calls in its log: run by its own interpreter, told what to time.

Reads one JSON list a line: a number of rounds and the arguments of `llm logs list`. Answers with
the seconds that each round took, in this process: without the start of the command itself.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path

MOST = 20.0  # seconds for one figure, once there are three rounds


def made(path: Path, calls: str) -> None:
    """Its log, as versions before the current one wrote it; `logs list` reads both."""
    import sqlite_utils
    from llm.migrations import migrate

    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    migrate(sqlite_utils.Database(part))
    connection = sqlite3.connect(part, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA journal_mode = MEMORY")
    connection.execute("ATTACH ? AS ours", (calls,))
    connection.execute("BEGIN")
    connection.execute(
        "INSERT INTO conversations (id, name, model) VALUES ('c', 'Plans', 'several')"
    )
    connection.execute("""
        INSERT INTO responses (id, model, prompt, system, response, conversation_id, duration_ms,
                               datetime_utc, input_tokens, output_tokens, options_json)
        SELECT printf('01%024d', id), model, request ->> '$[1].content',
               request ->> '$[0].content', coalesce(response, message), 'c', latency_ms,
               strftime('%Y-%m-%dT%H:%M:%f+00:00', started_at, 'unixepoch'), input_tokens,
               output_tokens, '{}'
          FROM ours.call JOIN ours.call_text ON call_id = ours.call.id
         WHERE ours.call.status <> 'running'
         ORDER BY ours.call.id
    """)
    connection.execute("COMMIT")
    connection.close()
    part.rename(path)


def timed(rounds: int, arguments: list[str], now: Callable[[], float]) -> list[float]:
    from click.testing import CliRunner
    from llm.cli import cli

    runner, took, began = CliRunner(), [], now()
    while len(took) < rounds and (len(took) < 3 or now() - began < MOST):
        start = now()
        done = runner.invoke(cli, ["logs", "list", *arguments])
        took.append(now() - start)
        if done.exit_code:
            raise SystemExit(f"llm logs list {arguments}: {done.output[:200]} {done.exception}")
    return took


def main() -> None:
    path, calls = Path(sys.argv[1]), sys.argv[2]
    if not path.exists():
        made(path, calls)
    now = time.thread_time if "cpu" in sys.argv[3:] else time.perf_counter
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        rounds, arguments = json.loads(line)
        took = timed(rounds, [*arguments, "-d", str(path), "--json"], now)
        print(json.dumps(took), flush=True)


if __name__ == "__main__":
    main()
