"""Parsers of what vendors send: answers, and failures with their error kinds; one for all.

Why it is as it is:

- A failure is what its words say, then what its status says. An empty account is a 400 at one
  vendor and a 429 at another, and an outage can be a 400. A 404 that is not in a vendor's own
  form comes from something else at that address, so it says to check the address, not the model.
"""
