"""Replies in the model's own format: 13 tokens of text, 26 of speech, in turn; at the end speech alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from speechzoo import Failure, ItemError, ReplyAsk, lm
from speechzoo.asks import ask_digest
from speechzoo.lm.batches import in_batches
from speechzoo.lm.causal import Heard
from speechzoo_glm_4_voice.language_model import GlmVoiceLM

TEXT_RUN, SPEECH_RUN = 13, 26


@dataclass(frozen=True)
class Interleaved:
    """A reply taken apart: ids of its text, codes of its speech, and whether either was cut."""

    text: list[int]
    codes: list[int]
    text_cut: bool
    speech_cut: bool


def taken_apart(ids: Sequence[int], model: GlmVoiceLM, max_tokens: int) -> Interleaved:
    """What stands before the end token, and before the text becomes longer than ``max_tokens``.

    Text that has ended is not cut, even if its speech is: more than 26 audio tokens in a row come after the
    last of it only.
    """
    text: list[int] = []
    codes: list[int] = []
    run = 0
    for token in ids:
        if token in model.end_ids:
            return Interleaved(text, codes, False, False)
        if token >= model.first_code:
            codes.append(token - model.first_code)
            run += 1
        elif len(text) == max_tokens:
            return Interleaved(text, codes, True, True)
        else:
            text.append(token)
            run = 0
    return Interleaved(text, codes, run <= SPEECH_RUN, True)


@torch.inference_mode()
def generate(
    model: GlmVoiceLM,
    asks: Sequence[ReplyAsk],
    token_budget: int,
    temperature: float,
    seed: int,
    max_speech_tokens: int = 0,
) -> list[Interleaved | Failure]:
    """Replies in the order of the asks. Failures are those of `speechzoo.lm.reply`.

    Args:
        model: the model.
        asks: the dialogues.
        token_budget: most tokens of one batch.
        temperature: 0 takes the likeliest token; above, tokens are drawn, one ask at a time.
        seed: of the draws.
        max_speech_tokens: of a reply that is to be spoken.
    """
    heard = lm.hear(model, (ask.dialogue for ask in asks))
    begun = [_begin(model, ask, heard, max_speech_tokens) for ask in asks]
    good = {index: one for index, one in enumerate(begun) if not isinstance(one, Failure)}

    def tokens(index: int) -> int:
        return len(good[index][0]) + good[index][1]

    def rows(batch: list[int]) -> list[list[int]]:
        # Torch takes 64 bits; adding the seed to the digest keeps different seeds different.
        state = (int(ask_digest(asks[batch[0]])[:15], 16) + seed) % 2**63 if temperature else 0
        prompts, limits = zip(*(good[index] for index in batch), strict=True)
        return lm.generate(model, prompts, limits, temperature, state)

    made: dict[int, Interleaved | Failure] = {
        i: one for i, one in enumerate(begun) if isinstance(one, Failure)
    }
    longest_first = sorted(good, key=tokens, reverse=True)
    budget = 0 if temperature else token_budget
    for index, ids in in_batches(longest_first, tokens, budget, model.token_room, rows):
        made[index] = (
            Failure("out_of_memory", f"{tokens(index)} tokens, the reply's included, do not fit alone")
            if ids is None
            else taken_apart(ids, model, asks[index].max_tokens)
        )
    return [made[index] for index in range(len(asks))]


def _begin(
    model: GlmVoiceLM, ask: ReplyAsk, heard: Heard, max_speech_tokens: int
) -> tuple[Tensor, int] | Failure:
    """The prompt, [tokens, hidden], and how many tokens may follow."""
    try:
        prompt = model.embed_context(ask.dialogue, True, heard)
    except ItemError as error:
        return Failure(error.reason, error.detail)
    # Speech comes with the text, and one token more of it shows that the text has ended.
    written = ask.max_tokens + SPEECH_RUN * -(-ask.max_tokens // TEXT_RUN) + 1
    room = model.max_positions - len(prompt)
    if room < written:
        return Failure(
            "too_long",
            f"{len(prompt)} prompt tokens and {written} for the reply, "
            f"{model.name} takes {model.max_positions}",
        )
    return prompt, min(max(written, ask.max_tokens + max_speech_tokens if ask.speech else 0), room)
