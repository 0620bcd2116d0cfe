"""What the history says, as charts and strips.

A new chart is a function in `charts`; its query belongs into `db.figures`, its panel into
`core.ui.performance`.

Why it is as it is:

- Altair makes each chart once, without data (`templates`), and a draw fills it in. To make one
  costs about 30 ms of Python, more than to fill in all of a page's.
- 24 hours are to the minute; more than a day is whole local days, today included, so that a day
  begins at the viewer's midnight. A mark that stands on few calls, or on part of its time, is
  hollow.
"""
