"""What everything speaks in: calls, runs, what each error means, a row a provider, words.

A new provider is a row in `registry`, a new error kind and what a person can do about it a row in
`outcomes`, a new status a row in `statuses`.

Why it is as it is:

- A success rate is of the calls that say something of the provider, by the table above, on
  Performance, on the cards and in `/autonomous/status` alike.
- One row, one request. Each repeat without a rejected parameter and the request that asks for a
  plan to be mended are calls of their own in the history.
- A secret that could be a word rewrites no text. With the password "research" every goal and
  every plan about research would be spoilt, and tell who reads it what the password is. Such a
  one is hidden where it stands as a credential in what machines say, a vendor's complaint or a
  log, and a password of that kind is named at the start. Stored JSON is redacted text by text.
- Text that arrives in pieces waits only where a key could begin, so that a key cut in two is
  hidden like a whole one, and nothing else comes later for it.
- What a model thinks aloud is no part of its answer, in whichever marks it thinks: it is not a
  step's result, not told to later steps and not exported. It is kept with its call, and an answer
  of thinking alone is none.
- Run ids are UUIDs of version 7, in the order of time: an index of them grows at its end, so a
  group of new calls writes half as many pages.
"""
