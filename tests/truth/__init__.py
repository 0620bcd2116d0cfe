"""The truth audit: what pages, files and answers say, against figures worked out from the rows."""
