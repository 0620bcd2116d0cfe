"""Everything that knows SQL: the store behind the ports of `core.values.ports`.

A new figure is a query in `db.figures`, a new filter of a list a condition in
`db.lists.conditions`, a new column a field in `db.schema`.

Why it is as it is:

- One process per history. A second one is told so and does not start: two would each have a
  circuit of their own and ask a dead provider twice as often.
"""
