"""What everything speaks in: calls, runs, what each error means, a row a provider, words."""
