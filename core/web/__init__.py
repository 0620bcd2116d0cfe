"""HTTP: the API for scripts, the guard before everything, sign-in, and a run as a document.

A new route is a function in `api`, a new check of every request a step in `guard`.

Why it is as it is:

- Without a password a request that a proxy has passed on is refused, also on this computer: it may
  come from anywhere. `/healthz` answers by any name, so that a liveness check by address works; a
  stranger learns the status and no more.
- Three exports and one copy of the history are made at once; whoever comes then gets 503 with
  `Retry-After`, so that no client can fill the memory or the disk.
- `HEAD` is `GET` without the body. A stream whose provider is silent carries a comment every 10 s,
  so that nothing in between takes it for dead.
- What a model writes is shown by rebuilding the few parts of Markdown that cannot act: on a page,
  in what is downloaded, and in what is copied. An image is a link, a link stands beside its
  address, and a tag is text. A tool that it names is shown as advice; nothing is run or fetched.
- The server runs on uvloop. Without it a connection that is kept answers 40 ms late: the server
  holds the rest of an answer back until its head is acknowledged. A first visit fetches sixty
  files.
- The interface's description is a plain page. The usual one loads scripts from elsewhere.
"""
