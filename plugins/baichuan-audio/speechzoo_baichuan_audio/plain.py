"""Scoring as the authors' own benchmark does: their processor's strings and their whole forward pass.

Slow: nothing is shared or cached. What `speechzoo.lm.score` gives is held against it.
"""

from typing import Any

import torch
from torch import Tensor

from speechzoo import ContinuationScore, Failure, ScoreAnswer, ScoreAsk
from speechzoo.dialogue import Part, clips_of, parts_of
from speechzoo.errors import ItemError, SetupError
from speechzoo_baichuan_audio.language_model import BaichuanLM
from speechzoo_baichuan_audio.tags import CHUNK_END, CHUNK_START

_NOT_SCORED = -100


@torch.inference_mode()
def score(lm: BaichuanLM, ask: ScoreAsk) -> ScoreAnswer | Failure:
    """One continuation at a time, with labels made here: the published processor makes none."""
    try:
        return ScoreAnswer(tuple(_continuation(lm, ask, part) for part in ask.continuations))
    except ItemError as error:
        return Failure(error.reason, error.detail)


def _continuation(lm: BaichuanLM, ask: ScoreAsk, continuation: Part) -> ContinuationScore:
    if not isinstance(continuation, str):
        raise ItemError("speech_not_scored", f"{lm.name} scores texts only")
    ids = lm.ids(continuation)
    context = lm.chat_parts(ask.context) if ask.chat else list(parts_of(ask.context))
    parts = [_chunk(lm, part) if isinstance(part, str) else part.samples(lm.rate) for part in context]
    opening = [] if parts else [lm.tokenizer.bos_token or lm.tokenizer.eos_token]
    made = lm.processed([*opening, *parts, _chunk(lm, continuation)])
    labels = _labels(lm, made, ids, continuation)
    model: Any = lm.model
    logits = model(**_inputs(lm, made), use_cache=False, return_dict=True).logits
    scored = labels[:, 1:] >= 0
    likely = torch.log_softmax(logits[:, :-1][scored].float(), -1)
    each = likely.gather(-1, labels[:, 1:][scored][:, None])
    steps = 0 if made.bridge_length is None else int(made.bridge_length.sum())
    return ContinuationScore(float(each.double().sum()), len(ids), steps + 2 * len(clips_of(ask.context)))


def _chunk(lm: BaichuanLM, text: str) -> str:
    """A text that the processor tokenizes by itself: no token reaches over its ends."""
    lm.tags.refuse(text)
    return CHUNK_START + text + CHUNK_END


def _labels(lm: BaichuanLM, made: Any, ids: list[int], continuation: str) -> Tensor:
    """The continuation's tokens at the tail, which left padding keeps in one line; nothing before them."""
    tail = made.input_ids[:, -len(ids) :]
    if not ids or tail.tolist() != [ids]:
        raise ItemError(
            "other_tokens", f"the processor makes other tokens than the tokenizer of {continuation!r}"
        )
    labels = torch.full_like(made.input_ids, _NOT_SCORED)
    labels[:, -len(ids) :] = tail
    theirs = getattr(made, "labels", None)
    if theirs is not None and not torch.equal(theirs[:, -len(ids) :], tail):
        raise SetupError(f"{lm.name}: the processor's own labels do not end with {continuation!r}")
    return labels.to(lm.device)


def _inputs(lm: BaichuanLM, made: Any) -> dict[str, Tensor]:
    mask = made.attention_mask
    tensors = {
        "input_ids": made.input_ids,
        "attention_mask": mask,
        "position_ids": (mask.cumsum(-1) - 1).clamp(min=0),
        "audios": made.audios,
        "encoder_length": made.encoder_length,
        "bridge_length": made.bridge_length,
    }
    return {name: one.to(lm.device) for name, one in tensors.items() if one is not None}
