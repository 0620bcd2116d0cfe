"""Runs while they happen: the engine that owns them, their steps, budgets and who may be asked.

What a button that helps with a failure does is in `remedies`; the button is named with its error
kind, in `core.values.outcomes`.

Why it is as it is:

- What is asked for is one frozen value from page and API to the history, and on to every run made
  again of it: a new option is one field, and none can be forgotten on the way.
- What has been done of a plan is read from its calls, not kept beside them: a stop, a failure and
  a kill all continue the same way, and no finished step is asked again.
- Each provider is given as much of earlier results as its own model can read. The longest give
  way first, an old one sooner than a new one, and whatever was cut says so.
- A limit ends a run politely. Nothing new is asked, what is under way is kept, and a higher limit
  goes on from there. With steps side by side, as many calls as run at once may cross it.
- A private run has BitNet as its only candidate, and is refused when BitNet's address is not on
  this computer, at its begin and whenever it goes on.
- An idempotency key that comes with another body is refused rather than answered with a run that
  was not asked for.
"""
