"""Last training: after the clip the LLM should expect what it expects after the text."""

from itertools import cycle
from statistics import fmean

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence
from transformers import LlamaForCausalLM

from echox_tiny import ctc, pairs
from echox_tiny.adapter import vectors_of
from echox_tiny.features import Features
from echox_tiny.match import BEFORE
from echox_tiny.training import Training, run

RATE = 3e-4
_BATCH = 4
_CTC_SHARE = 0.3


def train(training: Training, first: int, steps: int, every: int, lora: bool) -> None:
    """Goes on from a checkpoint of `match`; steps are counted on.

    Args:
        training: data and model.
        first: the step of `match` that is gone on from.
        steps: of this training.
        every: steps from checkpoint to checkpoint.
        lora: Whisper and the LLM learn, too, as they did there.
    """
    training.read(first, lora)

    def losses(step: int) -> dict[str, Tensor]:
        batch = training.encoded(training.batch(step, _BATCH))
        frames = training.frames(batch)
        heard = _CTC_SHARE * ctc.losses(training, batch, frames)["ctc"]
        return {"kl": divergence(training, batch, frames), "ctc": heard}

    def save(step: int) -> dict[str, float]:
        training.write(step)
        with torch.inference_mode():
            watched = training.encoded(training.watched)
            divergent = float(divergence(training, watched, training.frames(watched)))
        return {
            "held_out_token_error": ctc.token_error(training, training.watched),
            "held_out_kl": divergent,
            **{name: fmean(right) for name, right in pairs.preferences(training, training.watched).items()},
        }

    name = training.stage("distil")
    run(name, training.log(name), first, first + steps, every, RATE, training.modules, losses, save)


def divergence(training: Training, batch: list[Features], frames: Tensor) -> Tensor:
    """Kullback-Leibler divergence of the student's next tokens from the teacher's, a token of the rests.

    The teacher is the LLM without what it learned, after the clip's text; the student hears the clip instead.
    """
    embed = training.llm.get_input_embeddings()
    rests = [embed(training.ids(own.clip.rest)) for own in batch]
    with torch.no_grad(), training.as_it_was():
        read = [embed(training.ids(own.clip.spoken)) for own in batch]
        taught = next_tokens(training.llm, read, rests).softmax(-1)
    vectors = (
        vectors_of(training.adapter, row[: len(own.frames)]) for row, own in zip(frames, batch, strict=True)
    )
    heard = [
        torch.cat([embed(training.ids(before)), own])
        for before, own in zip(cycle(BEFORE), vectors, strict=False)
    ]
    told = next_tokens(training.llm, heard, rests).log_softmax(-1)
    return functional.kl_div(told, taught, reduction="batchmean")


def next_tokens(llm: LlamaForCausalLM, contexts: list[Tensor], rests: list[Tensor]) -> Tensor:
    """Logits of all tokens of all rests, [tokens, vocabulary] in float32, each rest after its context."""
    rows = [torch.cat([context, rest]) for context, rest in zip(contexts, rests, strict=True)]
    given = pad_sequence(rows, batch_first=True)
    # Padding stands behind: no token that counts looks at it.
    states = llm.model(inputs_embeds=given, use_cache=False).last_hidden_state
    own = [
        states[row, len(context) - 1 : len(context) + len(rest) - 1]
        for row, (context, rest) in enumerate(zip(contexts, rests, strict=True))
    ]
    logits: Tensor = llm.lm_head(torch.cat(own)).float()
    return logits
