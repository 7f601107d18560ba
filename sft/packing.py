"""Attention over packed rows by torch's own FlashAttention, so that packing needs no package.

A packed row holds several examples, one after the other; each sees itself alone. Registered with
transformers as "packed". Everything here may be changed.
"""

from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward


def packed_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    cu_seq_lens_q: Tensor | None = None,
    max_length_q: int | None = None,
    scaling: float | None = None,
    **more: Any,
) -> tuple[Tensor, None]:
    """Return causal attention (1, tokens, heads, channels), each example by itself."""
    if cu_seq_lens_q is None:  # not packed: a single prompt, or rows of one length
        plain: tuple[Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **more
        )
        return plain
    q, k, v = (x[0].transpose(0, 1) for x in (query, key, value))  # (tokens, heads, channels)
    attend = flash if q.is_cuda else one_by_one
    return attend(q, k, v, cu_seq_lens_q, max_length_q, scaling).unsqueeze(0), None


def flash(q: Tensor, k: Tensor, v: Tensor, ends: Tensor, longest: Any, scale: Any) -> Tensor:
    """Return it by one kernel, in bfloat16 whatever the norms before it made of float32 weights."""
    q, k, v = (x.bfloat16() for x in (q, k, v))
    call = torch.ops.aten._flash_attention_forward
    ends = ends.to(q.device)
    y: Tensor = call(q, k, v, ends, ends, longest, longest, 0.0, True, False, scale=scale)[0]
    return y


def one_by_one(q: Tensor, k: Tensor, v: Tensor, ends: Tensor, longest: Any, scale: Any) -> Tensor:
    """Return it by a loop over the examples: what the kernel is to compute."""
    parts = []
    for first, last in pairwise(ends.tolist()):
        one = (x[first:last].transpose(0, 1) for x in (q, k, v))
        y = F.scaled_dot_product_attention(*one, is_causal=True, scale=scale, enable_gqa=True)
        parts.append(y.transpose(0, 1))
    return torch.cat(parts)


AttentionInterface.register("packed", packed_attention)
AttentionMaskInterface.register("packed", lambda *_, **__: None)  # where each ends says it all
