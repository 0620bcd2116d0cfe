"""Rows by the page: filters, words, counts, and the export."""
