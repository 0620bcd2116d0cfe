"""A ternary model of 0.4 MB that recites: enough to try a real engine without a download.

To a prompt that ends in "?" the `llama` one says SENTENCE and ends; to one that ends in "~" it
says "~" until it is stopped. The `bitnet` one has no output layer of its own and repeats the
prompt's last letter.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import gguf
import numpy as np

SENTENCE = "Weigh anchor at dawn."

_WIDTH = 256  # the block size of ternary types
_WORDS = ["Weigh", "Ġanchor", "Ġat", "Ġdawn"]
_END = "<end>"
_TERNARY = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
_TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"


def write_tiny_gguf(
    path: Path, *, architecture: str = "llama", kind: str = "TQ2_0", context: int = 512
) -> Path:
    """`kind` is a ternary type, TQ1_0 or TQ2_0; `context` is in tokens."""
    rng = np.random.default_rng(0)
    tokens = [*_byte_tokens(), *_WORDS, "ĠĠ", _END]
    writer = gguf.GGUFWriter(path, architecture)
    _describe(writer, tokens, context)

    # Random directions in 256 dimensions are all but orthogonal, and the layers add next to
    # nothing: what comes after a token is the row of the output layer that points its way.
    embedding = rng.standard_normal((len(tokens), _WIDTH)).astype(np.float32)
    writer.add_tensor("token_embd.weight", embedding.astype(np.float16))
    writer.add_tensor("output_norm.weight", np.ones(_WIDTH, np.float32))
    if architecture == "llama":
        output = np.zeros_like(embedding)
        for token, following in [*pairwise(["?", *_WORDS, ".", _END]), ("~", "~")]:
            output[tokens.index(following)] += embedding[tokens.index(token)]
        writer.add_tensor("output.weight", output.astype(np.float16))
    ternary = gguf.GGMLQuantizationType[kind]
    for part in _TERNARY:
        weights = rng.integers(-1, 2, (_WIDTH, _WIDTH)).astype(np.float32) * 1e-3
        packed = gguf.quantize(weights, ternary)
        writer.add_tensor(f"blk.0.{part}.weight", packed, raw_dtype=ternary)
    for part in ("attn", "ffn", *(("attn_sub", "ffn_sub") if architecture == "bitnet" else ())):
        writer.add_tensor(f"blk.0.{part}_norm.weight", np.ones(_WIDTH, np.float32))

    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _describe(writer: gguf.GGUFWriter, tokens: list[str], context: int) -> None:
    end = tokens.index(_END)
    writer.add_context_length(context)
    writer.add_embedding_length(_WIDTH)
    writer.add_feed_forward_length(_WIDTH)
    writer.add_block_count(1)
    writer.add_head_count(4)
    writer.add_head_count_kv(4)
    writer.add_rope_dimension_count(_WIDTH // 4)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.NORMAL] * end + [gguf.TokenType.CONTROL])
    writer.add_token_merges(["Ġ Ġ"])  # the engine insists on one
    writer.add_bos_token_id(end)
    writer.add_eos_token_id(end)
    writer.add_add_bos_token(False)
    writer.add_chat_template(_TEMPLATE)


def _byte_tokens() -> list[str]:
    """GPT-2's letter for each byte: itself where it can be seen, else one from 256 on."""
    visible = {*range(33, 127), *range(161, 173), *range(174, 256)}
    unseen = [byte for byte in range(256) if byte not in visible]
    return [chr(byte if byte in visible else 256 + unseen.index(byte)) for byte in range(256)]
