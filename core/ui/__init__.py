"""The pages.

A new page is a file in the folder of its name and a line in `main`; what several pages draw is in
`components`.

Why it is as it is:

- The plan's diagram, the attempts and the list of the order are small components of our own:
  their text is text, so it can be selected, read aloud, and read on a phone.
- What was just chosen wins over an older address. The pages look for news by themselves, and a
  look that was asked for a moment before a click still carries the address from before it.
- Streamlit is made to deliver what a part of a page has drawn before another part's turn begins
  (`core/ui/streamlit_patch.py`). Left alone, it drops what is still on its way: under load about
  one draw in 150 was lost, so that a click on a chart showed nothing; in 1,500 draws since, none.
  It uses private names of Streamlit 1.67, and leaves any other version as it is, with a warning
  in the log.
"""
