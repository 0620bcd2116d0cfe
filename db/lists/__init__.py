"""Rows by the page: filters, words, counts, and the export.

Why it is as it is:

- Words come into the index a moment after the answer, a tenth of a second or so, with all that
  ended meanwhile: for a single call the index would cost more than all the rest of its record.
  What is still to come is written down with the call, so a crash loses none.
- Words are indexed without keeping the texts a second time; scripts without spaces are indexed
  letter by letter, so any piece of a Chinese or Thai sentence is found. Ranking looks at the
  newest 300 hits: ranking every hit of a common word takes a second.
- Nothing is counted in advance. A filter is read newest first until a page is full; where few rows
  are wanted, an index leads to them; and nobody cares how many more than 10,000 there are.
"""
