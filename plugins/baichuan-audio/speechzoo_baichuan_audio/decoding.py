"""Replies that are drawn, or in which repeating is made rarer, as in the authors' demos."""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor
from transformers import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from speechzoo import lm


@dataclass(frozen=True)
class Choice:
    """How the next token is chosen; all as in the ``generate`` of transformers, in its order.

    Attributes:
        temperature: 0 takes the likeliest token.
        top_k: of drawn tokens, how many may be drawn; 0 all.
        top_p: of drawn tokens, how much probability those have that may be drawn.
        repetition_penalty: by how much tokens of prompt and reply are rarer; 1 not at all.
    """

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    repetition_penalty: float = 1.0

    @property
    def greedy(self) -> bool:
        return self.temperature == 0 and self.repetition_penalty == 1

    def steps(self) -> LogitsProcessorList:
        steps = LogitsProcessorList()
        if self.repetition_penalty != 1:
            steps.append(RepetitionPenaltyLogitsProcessor(self.repetition_penalty))
        if self.temperature:
            steps.append(TemperatureLogitsWarper(self.temperature))
            if self.top_k:
                steps.append(TopKLogitsWarper(self.top_k))
            if self.top_p < 1:
                steps.append(TopPLogitsWarper(self.top_p))
        return steps


@torch.inference_mode()
def generate(
    model: lm.CausalLM, prompt: Tensor, ids: list[int], limit: int, choice: Choice, state: int
) -> list[int]:
    """New tokens after a prompt, its end token included if one came before the limit.

    Args:
        model: nothing but its `embed`, `logits` and `end_ids` are asked.
        prompt: embeddings, [tokens, hidden].
        ids: the prompt's tokens, which count as said before.
        limit: most tokens, at least 1.
        choice: how they are chosen.
        state: of the draws; equal states draw equal tokens.
    """
    draws = torch.Generator(model.device).manual_seed(state)
    said = torch.tensor([ids], device=model.device)
    positions = torch.arange(len(prompt), device=model.device)[None]
    given, cache, steps = prompt[None], None, choice.steps()
    made: list[int] = []
    while len(made) < limit and (not made or made[-1] not in model.end_ids):
        logits, cache = model.logits(given, None, positions, cache, last=1)
        scores = steps(cast(torch.LongTensor, said), cast(torch.FloatTensor, logits[:, -1].float()))
        if choice.temperature:
            token = torch.multinomial(torch.softmax(scores, -1), 1, generator=draws)
        else:
            token = scores.argmax(-1, keepdim=True)
        made.append(int(token))
        said = torch.cat([said, token], dim=1)
        given, positions = model.embed(token), positions[:, -1:] + 1
    return made
