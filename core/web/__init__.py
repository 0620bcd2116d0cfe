"""HTTP: the API for scripts, the guard before everything, sign-in, and a run as a document."""
