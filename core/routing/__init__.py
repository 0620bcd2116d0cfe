"""Who is asked, in which order, and what happens when one fails.

A new strategy is a function and a row in `strategies`.

Why it is as it is:

- Who was passed over is written down when it is decided, with the intent of the run's next call
  and without a commit of its own: from the calls alone it could not be told later. A run keeps,
  for its plan and for each step, the order, how it came about, and who was not asked and why, in
  about 150 bytes. Whoever was asked after all was not passed over; of runs that an earlier
  version recorded nothing is claimed.
- A strategy answers with the whole order, once. Asking "who is next?" after each failure gets the
  same name again; with one provider failing a fifth of its calls, one user in six would see it.
- When only resting providers are left, a run waits rather than fails if another run's request is
  about to show whether one is back, if a vendor wants to be asked again, by its own word, within
  a fair share of time, or, for 5 s and half of the time left at most, if a provider that answered
  within the last minute may then be asked again. It never waits for a cooldown: a minute into a
  full outage the answer is quick.
- A provider that fails in a run and answers another one meanwhile is asked once more, when nobody
  else is left. Otherwise a run can fail by bad luck alone: while seven providers each failed a
  fifth of their calls, now and then one of 500 users was turned away; in 300 trials since, nobody
  was. It takes an answer to somebody else, so a provider that is down gets no more requests.
- Everyone gets a share of the time. An attempt may take 45 s, but never so long that those still
  to come are left with less than a twelfth of a run's time each. So six providers that hang do
  not use up the two minutes in which the seventh would have answered. Silence is held against a
  provider only if it had at least that share: a caller's own short deadline blames nobody.
- What is learnt of a provider belongs to its address, model and key. The history keeps a digest
  of the three; with a new key a circuit that the old one had opened is closed.
- A value that a provider refuses is left out for that value alone. It may refuse a temperature of
  1.5 and take 0.3, so a request with other values is sent whole again.
- Only two that object to the same thing in the request end a run: both find it too long, or both
  name the same field. Whatever else a vendor says with a 4xx is about itself, and another may
  well answer.
- No rest outlasts its length by our own clock. At the start, attempts that a clock since set back
  has left in the future count as of now, in the order of their ids.
- A fire drill's attempts are recorded and shown, and count nowhere. They never reach a vendor, so
  they are the only rows of `call` without a request behind them; `drilled` marks them.
- An answer that was cut off at the length limit is no plan, and asking the same provider to mend
  it would be cut off again: the next provider is asked.
- Whom a walk asks next is a function of a value. Order, circuits and outcomes go in; whom to ask
  and for how long, until when to wait, or why to give up comes out. The run drives it in real
  time and the preview in none, so the page cannot promise an order that the run does not keep;
  where chance decides, it says so. The tests hold it against the rules written a second time,
  from these words, in thousands of drawn schedules: `python -m tests.routing.model` draws a
  million.
"""
