"""A made-up history, to try the pages and the bench on: `python -m db.sample`."""
