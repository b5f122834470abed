"""Scoring the slow and obvious way: what `speechzoo.lm.scoring` is tested against."""

import torch

from speechzoo.asks import ContinuationScore, ScoreAnswer, ScoreAsk
from speechzoo.lm.causal import CausalLM
from speechzoo.lm.hearing import hear


@torch.inference_mode()
def score_plainly(lm: CausalLM, ask: ScoreAsk) -> ScoreAnswer:
    """One continuation at a time: whole sequence, no cache, no padding, logits everywhere."""
    return ScoreAnswer(tuple(_continuation(lm, ask, text) for text in ask.continuations))


def _continuation(lm: CausalLM, ask: ScoreAsk, text: str) -> ContinuationScore:
    context = lm.embed_context(ask.context, ask.chat, hear(lm, [ask.context]))
    ids = torch.tensor(lm.ids(text), device=lm.device)
    sequence = torch.cat([context, lm.embed(ids)])[None]
    positions = torch.arange(sequence.shape[1], device=lm.device)[None]
    logits, _ = lm.logits(sequence, torch.ones_like(positions), positions, None)
    total = 0.0
    for index, token in enumerate(ids.tolist()):
        total += torch.log_softmax(logits[0, len(context) + index - 1].float(), -1)[token].item()
    return ContinuationScore(total, len(ids))
