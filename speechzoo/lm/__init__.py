"""Language models of the Hugging Face kind, for adapters: scoring and generation done once for all.

The only part of speechzoo that imports torch. An adapter wraps its model in a `CausalLM`, which for
a speech LLM adds the one method that turns a clip into embeddings, and calls `score` and `reply`.
"""

from speechzoo.lm.causal import CausalLM
from speechzoo.lm.decoding import reply
from speechzoo.lm.device import default_token_budget, torch_device, torch_dtype
from speechzoo.lm.plain import score_plainly
from speechzoo.lm.scoring import score

__all__ = [
    "CausalLM",
    "default_token_budget",
    "reply",
    "score",
    "score_plainly",
    "torch_device",
    "torch_dtype",
]
