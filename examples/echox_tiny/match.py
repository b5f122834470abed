"""Training after CTC: the LLM's lower layers make of what is heard what they make of the text."""

from collections.abc import Iterator, Sequence
from copy import copy
from difflib import SequenceMatcher
from itertools import cycle
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers import LlamaModel
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from echox_tiny.adapter import Kept
from echox_tiny.labels import BLANK, Labels
from echox_tiny.training import LOWER, Training, run

RATE = 1e-3
_BATCH = 16
# Every second clip comes after the words that S2SBench puts before speech: it has to be heard there, too.
BEFORE = ("", "Below is a segment of alternating speech and text content: ")


def train(training: Training, first: int, steps: int, every: int, lora: bool) -> None:
    """Goes on from a checkpoint of CTC; steps are counted on.

    What is heard stays as it is: a training for the LLM's sake makes the labels worse.

    Args:
        training: data and model.
        first: the step that is gone on from.
        steps: of this training.
        every: steps from checkpoint to checkpoint.
        lora: go on from `tune`; the LLM's lower layers learn, too.
    """
    training.read(first, lora)

    def losses(step: int) -> dict[str, Tensor]:
        return distances(training, training.listen(training.batch(step, _BATCH)))

    def save(step: int) -> dict[str, float]:
        training.write(step)
        watched = training.listen(training.watched)
        with torch.inference_mode():
            far = distances(training, watched)
        return {f"held_out_{name}": float(own) for name, own in far.items()}

    name = training.stage("match")
    run(name, training.log(name), first, first + steps, every, RATE, training.reading, losses, save)


def distances(training: Training, batch: list[Kept]) -> dict[str, Tensor]:
    """Mean squared distances from what the LLM as it was makes of the text, in units of its mean square.

    ``heard``: each vector of a clip should come to the token that was the last to end, be it heard right or
    wrong. So a blank, or the first pieces of a token that is spelled in several, says again what was said
    last. The LLM does not mind that from here on; what it makes of a blank by itself, a word between any
    two, it minds much.

    ``read``, if the LLM learns: the text itself, which is to stay what it was.

    Args:
        training: data and model.
        batch: what is kept of clips.
    """
    lower = lower_layers(training.llm.model)
    embed = training.llm.get_input_embeddings()
    texts, heard, places = [], [], []
    for row, (own, before) in enumerate(zip(batch, cycle(BEFORE), strict=False)):
        first = training.ids(before)
        texts.append(torch.cat([first, training.ids(own.clip.spoken)]))
        heard.append(torch.cat([embed(first), training.adapter.lbm(own.frames)]))
        said = last_said(training.labels, own.clip.spoken, own.labels.tolist())
        places += [(row, len(first) + place, len(first) + token) for place, token in enumerate(said)]
    read = pad_sequence([embed(ids) for ids in texts], batch_first=True)
    with torch.no_grad(), training.as_it_was():
        wanted = lower(inputs_embeds=read, use_cache=False).last_hidden_state
    # The first of all tokens is where attention rests that has nothing to look at; it is no word.
    rows, ours, theirs = torch.tensor([place for place in places if place[2] > 0], device=training.device).T
    unit = wanted[rows, theirs].square().mean()
    made = lower(inputs_embeds=pad_sequence(heard, batch_first=True), use_cache=False).last_hidden_state
    far = {"heard": (made[rows, ours] - wanted[rows, theirs]).square().mean() / unit}
    if training.lora is not None:
        reread = lower(inputs_embeds=read, use_cache=False).last_hidden_state
        far["read"] = (reread[rows, theirs] - wanted[rows, theirs]).square().mean() / unit
    return far


def lower_layers(llm: LlamaModel) -> LlamaModel:
    """The first `LOWER` layers as a model; its norm is the one that the next layer begins with."""
    lower = copy(llm)
    # The copy shares all with the LLM but which modules are its own.
    lower._modules = dict(llm._modules)
    lower.layers = nn.ModuleList(llm.layers[:LOWER])
    lower.norm = cast(LlamaRMSNorm, llm.layers[LOWER].input_layernorm)
    return lower


def last_said(labels: Labels, text: str, heard: Sequence[int]) -> list[int]:
    """For each place of what is heard, which of the LLM's tokens of the text ended last; -1 before the first.

    Args:
        labels: of CTC.
        text: that is said.
        heard: labels of the kept frames, blanks among them.
    """
    ends = dict(aligned(labels, text, heard))
    last = -1
    said = []
    for place in range(len(heard)):
        last = ends.get(place, last)
        said.append(last)
    return said


def aligned(labels: Labels, text: str, heard: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Which place of what is heard stands where which of the LLM's tokens of the text ends.

    By the longest common runs of what is heard and what is said; between two of them in order.

    Args:
        labels: of CTC.
        text: that is said.
        heard: labels of the kept frames, blanks among them.
    """
    said = [(labels.label(token), end) for token, _, end in labels.spell(text)]
    offsets = labels.tokenizer.encode(text, add_special_tokens=False).offsets
    tokens = {end: place for place, (_, end) in enumerate(offsets)}
    places = [place for place, label in enumerate(heard) if label != BLANK]
    sounding = [heard[place] for place in places]
    matcher = SequenceMatcher(None, sounding, [label for label, _ in said], autojunk=False)
    for _, start, end, first, last in matcher.get_opcodes():
        for place, (_, letter) in zip(places[start:end], said[first:last], strict=False):
            if letter in tokens:
                yield place, tokens[letter]
