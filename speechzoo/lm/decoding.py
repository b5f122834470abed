"""Replies of a causal language model to dialogues."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from speechzoo.asks import Failure, ReplyAnswer, ReplyAsk, ask_digest
from speechzoo.errors import ItemError
from speechzoo.lm.causal import CausalLM
from speechzoo.lm.scoring import left_padding, packed


@torch.inference_mode()
def reply(
    lm: CausalLM, asks: Sequence[ReplyAsk], token_budget: int, temperature: float = 0.0, seed: int = 0
) -> list[ReplyAnswer | Failure]:
    """Text replies in the order of the asks.

    Failures: ``too_long``, and what `CausalLM.embed_clip` raises as `ItemError`.

    Args:
        lm: the model; it needs a chat template.
        asks: the dialogues.
        token_budget: most tokens of one batch, the reply's included.
        temperature: 0 takes the likeliest token; above, tokens are drawn with a random state made
            from ``seed`` and the ask, one ask at a time, so that no ask depends on its neighbours.
        seed: of the draws.
    """
    answers: dict[int, ReplyAnswer | Failure] = {}
    prompts: dict[int, Tensor] = {}
    for index, ask in enumerate(asks):
        prompt = _prompt(lm, ask)
        if isinstance(prompt, Failure):
            answers[index] = prompt
        else:
            prompts[index] = prompt

    def tokens(index: int) -> int:
        return len(prompts[index]) + asks[index].max_tokens

    longest_first = sorted(prompts, key=tokens, reverse=True)
    for batch in packed(longest_first, tokens, token_budget if temperature == 0 else 0):
        limits = [asks[index].max_tokens for index in batch]
        state = 0 if temperature == 0 else _random_state(seed, asks[batch[0]])
        rows = _generate(lm, [prompts[index] for index in batch], max(limits), temperature, state)
        for index, row, limit in zip(batch, rows, limits, strict=True):
            answers[index] = _answer(lm, row[:limit])
    return [answers[index] for index in range(len(asks))]


def _prompt(lm: CausalLM, ask: ReplyAsk) -> Tensor | Failure:
    try:
        prompt = lm.embed_context(ask.dialogue, chat=True)
    except ItemError as error:
        return Failure(error.reason, error.detail)
    if len(prompt) + ask.max_tokens > lm.max_positions:
        return Failure(
            "too_long",
            f"{len(prompt)} prompt tokens and {ask.max_tokens} for the reply, "
            f"{lm.name} takes {lm.max_positions}",
        )
    return prompt


def _random_state(seed: int, ask: ReplyAsk) -> int:
    # Torch takes 64 bits; adding the seed to the digest keeps different seeds different.
    return (int(ask_digest(ask)[:15], 16) + seed) % 2**63


def _generate(
    lm: CausalLM, prompts: list[Tensor], max_tokens: int, temperature: float, state: int
) -> list[list[int]]:
    """New tokens after each prompt; rows that ended early are filled up with an end token."""
    mask, _ = left_padding(torch.tensor([len(prompt) for prompt in prompts], device=lm.device))
    sampling = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {}
    gpus = [lm.device] if lm.device.type == "cuda" else []
    with torch.random.fork_rng(gpus):
        torch.manual_seed(state)
        made: Tensor = lm.model.generate(  # type: ignore[operator]
            inputs_embeds=pad_sequence(prompts, batch_first=True, padding_side="left"),
            attention_mask=mask,
            max_new_tokens=max_tokens,
            **sampling,
        )
    return made.tolist()


def _answer(lm: CausalLM, ids: list[int]) -> ReplyAnswer:
    end = next((i for i, token in enumerate(ids) if token in lm.end_ids), None)
    text = lm.tokenizer.decode(ids[:end], skip_special_tokens=True)
    return ReplyAnswer(str(text).strip(), truncated=end is None)
