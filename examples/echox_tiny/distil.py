"""Last training: in the clip and after it, the LLM should expect what it expects of the text."""

from itertools import cycle
from statistics import fmean

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence
from transformers import LlamaForCausalLM

from echox_tiny import pairs
from echox_tiny.adapter import Kept
from echox_tiny.match import BEFORE, aligned
from echox_tiny.training import Training, run

RATE = 6e-4
_BATCH = 8


def train(training: Training, first: int, steps: int, every: int, lora: bool) -> None:
    """Goes on from a checkpoint of `match`; steps are counted on.

    Args:
        training: data and model.
        first: the step of `match` that is gone on from.
        steps: of this training.
        every: steps from checkpoint to checkpoint.
        lora: the LLM's lower layers learn, too, as they did there.
    """
    training.read(first, lora)

    def losses(step: int) -> dict[str, Tensor]:
        return {"kl": divergence(training, training.listen(training.batch(step, _BATCH)))}

    def save(step: int) -> dict[str, float]:
        training.write(step)
        watched = training.listen(training.watched)
        with torch.inference_mode():
            divergent = float(divergence(training, watched))
        preferred = pairs.preferences(training, watched)
        return {"held_out_kl": divergent, **{name: fmean(right) for name, right in preferred.items()}}

    name = training.stage("distil")
    run(name, training.log(name), first, first + steps, every, RATE, training.reading, losses, save)


def divergence(training: Training, batch: list[Kept]) -> Tensor:
    """Kullback-Leibler divergence of the student's next tokens from the teacher's, in nats a token.

    The teacher is the LLM without what it learned, reading the clip's text and the rest; the student hears
    the clip instead. Of the clip, each of the LLM's tokens counts where it is heard to end.
    """
    embed = training.llm.get_input_embeddings()
    read, heard, taught, told = [], [], [], []
    for row, (own, before) in enumerate(zip(batch, cycle(BEFORE), strict=False)):
        first, text, rest = (training.ids(part) for part in (before, own.clip.spoken, own.clip.rest))
        read.append(embed(torch.cat([first, text, rest])))
        heard.append(torch.cat([embed(first), training.adapter.lbm(own.frames), embed(rest)]))
        ends_of = aligned(training.labels, own.clip.spoken, own.labels.tolist())
        # What comes after the last token is the rest's first.
        there = [(place, token) for place, token in ends_of if token < len(text) - 1]
        # The last of what is heard and the rest, but for its last token, after which nothing is known.
        ends = range(-1, len(rest) - 1)
        taught += [(row, len(first) + token) for _, token in there]
        told += [(row, len(first) + place) for place, _ in there]
        taught += [(row, len(first) + len(text) + end) for end in ends]
        told += [(row, len(first) + len(own.frames) + end) for end in ends]
    with torch.no_grad(), training.as_it_was():
        teacher = next_tokens(training.llm, read, taught).softmax(-1)
    student = next_tokens(training.llm, heard, told).log_softmax(-1)
    return functional.kl_div(student, teacher, reduction="batchmean")


def next_tokens(llm: LlamaForCausalLM, given: list[Tensor], places: list[tuple[int, int]]) -> Tensor:
    """Logits of what comes next, [places, vocabulary] in float32.

    Args:
        llm: asked.
        given: vectors, [n, hidden] each.
        places: which of the ``given``, and where in it.
    """
    # Padding stands behind: no token that counts looks at it.
    states = llm.model(inputs_embeds=pad_sequence(given, batch_first=True), use_cache=False).last_hidden_state
    rows, columns = torch.tensor(places, device=states.device).T
    logits: Tensor = llm.lm_head(states[rows, columns]).float()
    return logits
