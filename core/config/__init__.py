"""Settings: the environment and `.env`, the limits, what was chosen and changed.

A new setting is a row in `settings`; one that a person may limit in the console is a row in
`limits`.

Why it is as it is:

- What looks like a key is asked about before a goal is sent, and refused over HTTP (422) and in
  an edited plan: neither a provider nor the history ever has it. Manyways's own keys need no
  question; they are replaced. A script that means no key writes it in another way, for a switch
  to let keys through would be set once and forgotten.
- A number that is set cannot be cleared by accident. Browsers hand over an emptied field and one
  full of letters alike, so neither changes anything; a limit is removed by its button. An attempt
  longer than its run is refused in the console, and shortened and named in the environment.
- `.env` is read as it was meant: what other programs write (`NAME: value`, `set NAME=`,
  `$env:NAME =`) counts, and what cannot be read loses its own line and is named with it.
  Placeholders such as `your-key-here` are no keys; `unused` and `none`, which local servers take,
  are.
- A key or an address that changed between two starts is noted as a digest of four bytes, so that
  charts can mark it and nobody can read it.
"""
