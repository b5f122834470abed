"""Language models of the Hugging Face kind, for adapters: loading, scoring and generation once for all.

The only part of speechzoo that imports torch. An adapter wraps its model in a `CausalLM`, which for
a speech LLM adds the one method that turns clips into embeddings, and calls `score` and `reply`. One
that speaks gets the tokens of its reply from `generate`.
"""

from speechzoo.lm.causal import CausalLM
from speechzoo.lm.decoding import generate, reply
from speechzoo.lm.device import default_token_budget, torch_device, torch_dtype
from speechzoo.lm.hearing import hear
from speechzoo.lm.loading import load_model, load_tokenizer
from speechzoo.lm.memory import require_memory, weight_files
from speechzoo.lm.plain import score_plainly
from speechzoo.lm.scoring import score

__all__ = [
    "CausalLM",
    "default_token_budget",
    "generate",
    "hear",
    "load_model",
    "load_tokenizer",
    "reply",
    "require_memory",
    "score",
    "score_plainly",
    "torch_device",
    "torch_dtype",
    "weight_files",
]
