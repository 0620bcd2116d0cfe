"""From a goal to a plan: what a model is asked, how its answer is read, how a plan is changed.

A new field of a plan is a field in `plan`, which reads it, and a line in `prompts`, which asks
for it.

Why it is as it is:

- A plan is read as models write them, where that leaves one reading. Ids of steps are followed,
  85 and "85 %" are the same, and a stray comma costs no second call; an 8 may be of ten or of a
  hundred, so it is asked for again.
"""
