"""Log-likelihoods of texts: the model's two streams, forced along the text in place of what it would write.

At every step Kimi-Audio reads a token of text and one of audio, and predicts the next of each. While it
writes text alone, the audio stream holds blanks; so it does here. What is summed are the text stream's
predictions.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from speechzoo import ContinuationScore, Failure, ItemError, ScoreAnswer, ScoreAsk
from speechzoo_kimi_audio.messages import Message, messages, plain


@torch.inference_mode()
def score(
    model: Any, ask: ScoreAsk, predict: Callable[[Any, Any, list[int]], Tensor]
) -> ScoreAnswer | Failure:
    """The clips of the context are encoded once, all else is computed anew for each continuation.

    Args:
        model: a ``KimiAudio`` of the authors' package.
        ask: in a chat, continuations begin the assistant's message; otherwise they follow the context's
            parts, with no role and no end of a message between. An empty context is the beginning
            of an assistant's message.
        predict: `in_one_pass` or `step_by_step`.
    """
    try:
        with messages(ask.context) as told:
            prompt = _prompt(model.prompt_manager, told, ask.chat)
        ids = [_ids(model, part) for part in ask.continuations]
    except ItemError as error:
        return Failure(error.reason, error.detail)
    heard = int(prompt.to_tensor()[2].sum())
    return ScoreAnswer(tuple(_summed(predict(model, prompt, one), one, heard) for one in ids))


def in_one_pass(model: Any, prompt: Any, ids: list[int]) -> Tensor:
    """Logits of the text stream where each of the ids is predicted, [ids, text tokens]."""
    audio, text, heard = prompt.to_tensor()
    # The last token of a continuation predicts nothing that is scored, so it is not fed in.
    blanks = [model.extra_tokens.kimia_text_blank] * (len(ids) - 1)
    logits, _ = _forward(
        model,
        (_with(audio, blanks), _with(text, ids[:-1]), _with(heard, [False] * len(blanks))),
        prompt.continuous_feature,
    )
    return logits[-len(ids) :]


def step_by_step(model: Any, prompt: Any, ids: list[int]) -> Tensor:
    """The same as the authors' loop computes them: token by token, with what it keeps of those before."""
    blank = torch.tensor([[model.extra_tokens.kimia_text_blank]])
    streams, start, past, found = prompt.to_tensor(), 0, None, []
    for token in ids:
        logits, past = _forward(model, streams, None if start else prompt.continuous_feature, start, past)
        found.append(logits[-1])
        start += streams[0].shape[1]
        streams = (blank, torch.tensor([[token]]), None)
    return torch.stack(found)


def _forward(
    model: Any,
    streams: tuple[Tensor, Tensor, Tensor | None],
    features: list[Tensor] | None,
    start: int = 0,
    past: Any = None,
) -> tuple[Tensor, Any]:
    device = next(model.alm.parameters()).device
    audio, text, heard = streams
    _, logits, past = model.alm.forward(
        input_ids=audio.to(device),
        text_input_ids=text.to(device),
        whisper_input_feature=None if features is None else [one.to(device) for one in features],
        is_continuous_mask=None if heard is None else heard.to(device),
        position_ids=torch.arange(start, start + audio.shape[1], device=device)[None],
        past_key_values=past,
        return_dict=False,
    )
    return logits[0], past


def _prompt(manager: Any, told: list[Message], chat: bool) -> Any:
    if chat and told:
        return manager.get_prompt(told, output_type="text")
    if not told:
        return manager.tokenize_message({"role": "assistant", "message_type": None})
    first, *others = (
        manager.tokenize_message(one, tokenize_role=False, extract_whisper_feature=True, output_type="text")
        for one in told
    )
    for other in others:
        first.merge(other)
    return first


def _ids(model: Any, part: object) -> list[int]:
    if not isinstance(part, str):
        raise ItemError("speech_not_scored", "Kimi-Audio scores texts only")
    ids: list[int] = model.prompt_manager.text_tokenizer.encode(plain(part), bos=False, eos=False)
    if not ids:
        raise ItemError("empty_continuation", f"no token in the continuation {part!r}")
    return ids


def _summed(logits: Tensor, ids: list[int], heard: int) -> ContinuationScore:
    wanted = torch.tensor(ids, device=logits.device)[:, None]
    each = logits.float().log_softmax(-1).gather(-1, wanted)
    return ContinuationScore(float(each.double().sum()), len(ids), heard)


def _with(row: Tensor, more: list[int] | list[bool]) -> Tensor:
    return torch.cat([row, torch.tensor([more], dtype=row.dtype)], dim=1)
