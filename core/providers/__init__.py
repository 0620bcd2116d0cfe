"""Who can be asked: the vendors' SDKs behind one protocol, and what their failures mean.

A new provider that speaks OpenAI's format needs nothing here. One with a format of its own is a
class beside `anthropic` and `google` and its line in `connect`. What tells a new error kind is a
rule in `answers.meanings`.

Why it is as it is:

- The openai and anthropic SDKs are handed plain JSON, and hand over what came, through their own
  `post()`. Their `create()` first sorts every parameter by type, which costs more than all of our
  routing, and their models lose an error that comes in another shape than the vendor's own:
  inside a 200, as text, as a whole body where a stream was asked for. A long stream takes less
  than half the work.
- Only a finish that is known to be good makes an answer. A model that stopped for any other
  reason, or at the last token that it was allowed, has not finished, whatever it calls that.
- Bodies are not compressed. Answers are small; asking for plain bytes saves work on each call.
"""

from core.providers.connect import connect

__all__ = ["connect"]
