"""What the history says, as charts and strips.

A new chart is a function in `charts`; its query belongs into `db.figures`, its panel into
`core.ui.performance`.

Why it is as it is:

- Charts are written in Vega-Lite rather than Altair. One Altair chart costs about 30 ms of
  Python, more than all of a page's charts cost without it.
- 24 hours are to the minute; more than a day is whole local days, today included, so that a day
  begins at the viewer's midnight. A mark that stands on few calls, or on part of its time, is
  hollow.
"""
