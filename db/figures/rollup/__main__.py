"""The command that builds a history's rollups anew from its calls."""

from __future__ import annotations

import argparse
import os
from contextlib import closing
from pathlib import Path

from db.figures.rollup import rebuild
from db.sqlite import files


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m db.figures.rollup",
        description="Build a history's rollups anew from its calls.",
    )
    parser.add_argument("database", type=Path)
    path = parser.parse_args().database
    if not path.is_file():
        parser.error(f"there is no file {path}")
    lock = files.hold(path)
    with closing(files.connect(path, busy_timeout=5.0)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        rebuild(connection)
        connection.execute("COMMIT")
    os.close(lock)


if __name__ == "__main__":
    main()
