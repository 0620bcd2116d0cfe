"""Everything that knows SQL: the store behind the ports of `core.values.ports`."""
