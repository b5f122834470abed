"""Replies of a causal language model to dialogues."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from speechzoo.asks import Failure, ReplyAnswer, ReplyAsk, ask_digest
from speechzoo.errors import ItemError
from speechzoo.lm.batches import in_batches, left_padding
from speechzoo.lm.causal import CausalLM, Heard
from speechzoo.lm.hearing import hear


@torch.inference_mode()
def reply(
    lm: CausalLM, asks: Sequence[ReplyAsk], token_budget: int, temperature: float = 0.0, seed: int = 0
) -> list[ReplyAnswer | Failure]:
    """Text replies in the order of the asks.

    Failures: ``too_long``, ``out_of_memory`` of a dialogue that does not fit alone, and those of clips.

    Args:
        lm: the model; it needs a chat template.
        asks: the dialogues.
        token_budget: most tokens of one batch, the reply's included; where it is more than the
            device's memory holds, it is halved until it is not.
        temperature: 0 takes the likeliest token; above, tokens are drawn with a random state made
            from ``seed`` and the ask, one ask at a time, so that no ask depends on its neighbours.
        seed: of the draws.
    """
    answers: dict[int, ReplyAnswer | Failure] = {}
    prompts: dict[int, Tensor] = {}
    heard = hear(lm, (ask.dialogue for ask in asks))
    for index, ask in enumerate(asks):
        prompt = _prompt(lm, ask, heard)
        if isinstance(prompt, Failure):
            answers[index] = prompt
        else:
            prompts[index] = prompt

    def tokens(index: int) -> int:
        return len(prompts[index]) + asks[index].max_tokens

    def rows(batch: list[int]) -> list[list[int]]:
        limits = [asks[index].max_tokens for index in batch]
        state = 0 if temperature == 0 else _random_state(seed, asks[batch[0]])
        return generate(lm, [prompts[index] for index in batch], limits, temperature, state)

    longest_first = sorted(prompts, key=tokens, reverse=True)
    budget = token_budget if temperature == 0 else 0
    for index, ids in in_batches(longest_first, tokens, budget, lm.token_room, rows):
        answers[index] = _does_not_fit(tokens(index)) if ids is None else _answer(lm, ids)
    return [answers[index] for index in range(len(asks))]


@torch.inference_mode()
def generate(
    lm: CausalLM, prompts: Sequence[Tensor], limits: Sequence[int], temperature: float = 0.0, state: int = 0
) -> list[list[int]]:
    """New tokens after each prompt, its end token included if one came before its limit.

    Args:
        lm: the model; nothing but its `logits` is asked.
        prompts: embeddings, each [tokens, hidden].
        limits: most tokens of each row, at least 1.
        temperature: 0 takes the likeliest token; above, tokens are drawn.
        state: of the draws.
    """
    rows: list[list[int]] = [[] for _ in prompts]
    mask, positions = left_padding([len(prompt) for prompt in prompts], lm.device)
    given = pad_sequence(list(prompts), batch_first=True, padding_side="left")
    draws = torch.Generator(lm.device).manual_seed(state)
    cache, running = None, set(range(len(rows)))
    while running:
        logits, cache = lm.logits(given, mask, positions, cache, last=1)
        chosen = _chosen(logits[:, -1].float(), temperature, draws)
        for row, token in enumerate(chosen.tolist()):
            if row in running:
                rows[row].append(token)
                if token in lm.end_ids or len(rows[row]) >= limits[row]:
                    running.remove(row)
        given = lm.embed(chosen[:, None])
        mask = None if mask is None else torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        positions = positions[:, -1:] + 1
    return rows


def _chosen(logits: Tensor, temperature: float, draws: torch.Generator) -> Tensor:
    """One token a row, [rows]."""
    if temperature == 0:
        return logits.argmax(-1)
    return torch.multinomial(torch.softmax(logits / temperature, -1), 1, generator=draws)[:, 0]


def _prompt(lm: CausalLM, ask: ReplyAsk, heard: Heard) -> Tensor | Failure:
    try:
        prompt = lm.embed_context(ask.dialogue, True, heard)
    except ItemError as error:
        return Failure(error.reason, error.detail)
    if len(prompt) + ask.max_tokens > lm.max_positions:
        return Failure(
            "too_long",
            f"{len(prompt)} prompt tokens and {ask.max_tokens} for the reply, "
            f"{lm.name} takes {lm.max_positions}",
        )
    return prompt


def _does_not_fit(tokens: int) -> Failure:
    return Failure("out_of_memory", f"{tokens} tokens, the reply's included, do not fit the memory alone")


def _random_state(seed: int, ask: ReplyAsk) -> int:
    # Torch takes 64 bits; adding the seed to the digest keeps different seeds different.
    return (int(ask_digest(ask)[:15], 16) + seed) % 2**63


def _answer(lm: CausalLM, ids: list[int]) -> ReplyAnswer:
    end = next((i for i, token in enumerate(ids) if token in lm.end_ids), None)
    text = lm.tokenizer.decode(ids[:end], skip_special_tokens=True)
    return ReplyAnswer(str(text).strip(), truncated=end is None)
