"""Scoring the slow and obvious way: what `speechzoo.lm.scoring` is tested against."""

import torch

from speechzoo.asks import ContinuationScore, Failure, ScoreAnswer, ScoreAsk
from speechzoo.errors import ItemError
from speechzoo.lm.causal import CausalLM, audio_tokens
from speechzoo.lm.continuations import Ids, tokenizer_of
from speechzoo.lm.hearing import hear


@torch.inference_mode()
def score_plainly(lm: CausalLM, ask: ScoreAsk) -> ScoreAnswer | Failure:
    """One continuation at a time: whole sequence, no cache, no padding, logits everywhere."""
    ids = tokenizer_of(lm, ask.continuations)
    try:
        return ScoreAnswer(tuple(_continuation(lm, ask, ids(part)) for part in ask.continuations))
    except ItemError as error:
        return Failure(error.reason, error.detail)


def _continuation(lm: CausalLM, ask: ScoreAsk, ids: Ids) -> ContinuationScore:
    heard = hear(lm, [ask.context])
    context = lm.embed_context(ask.context, ask.chat, heard)
    sequence = torch.cat([context, lm.embed(torch.tensor(ids, dtype=torch.long, device=lm.device))])[None]
    positions = torch.arange(sequence.shape[1], device=lm.device)[None]
    logits, _ = lm.logits(sequence, torch.ones_like(positions), positions, None)
    total = 0.0
    for index, token in enumerate(ids):
        total += torch.log_softmax(logits[0, len(context) + index - 1].float(), -1)[token].item()
    return ContinuationScore(total, len(ids), audio_tokens(ask.context, heard))
