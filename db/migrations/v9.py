"""Calls that were not answered, for lists: in their order, with what a filter asks of them."""

STATEMENTS = (
    "DROP INDEX call_by_error",
    """
    CREATE INDEX call_unanswered ON call (id, provider, status, error_kind)
     WHERE status <> 'ok' AND status <> 'running'
    """,
)
