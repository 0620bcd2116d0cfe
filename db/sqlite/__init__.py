"""The SQLite file: who writes, who reads, and what happens when the disk says no.

Why it is as it is:

- A file is a history of ours if it says so: by a number in its header, by our tables where an
  earlier version made it, or, damaged beyond that, by the lock beside it. Only such a file is
  ever set aside as damaged; anything else that `DATABASE_URL` names is refused and stays as it
  is. An empty file is as good as none. The lock is on the file itself, by whatever link it is
  opened.
- One thread writes. No loop waits for a lock or an fsync.
- The log is worked into the file when nobody waits for it, by the writer's thread between two
  commits, not by whichever commit makes it long.
- Many records share a commit. While more than four calls are under way the writer waits until no
  new record has come for half a millisecond, at most five. Alone, a call waits for nobody.
"""
