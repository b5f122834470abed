"""Does it hear? Is the right ending preferred over another clip's, and only after its own clip?"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from echox_tiny import distil
from echox_tiny.adapter import frames_of, vectors_of
from echox_tiny.features import Features
from echox_tiny.training import Training

CLIPS = 48
"""So many are enough to watch a training; all of the held-out ones decide."""


@torch.inference_mode()
def preferences(training: Training, clips: list[Features]) -> dict[str, float]:
    """How often, 0 to 1, the clip's own ending has a lower loss per token than the next clip's.

    After its text, after its sound, and after the sound of the clip after the next: what is preferred there
    is preferred for other reasons than what was heard.
    """
    embed = training.llm.get_input_embeddings()

    def read(own: Features) -> Tensor:
        vectors: Tensor = embed(training.ids(own.clip.spoken))
        return vectors

    def hear(own: Features) -> Tensor:
        return vectors_of(training.adapter, frames_of(training.adapter, [own.frames.to(training.device)])[0])

    def preferred(context: Callable[[Features], Tensor], shift: int) -> float:
        right = 0
        for place, own in enumerate(clips):
            given = context(clips[(place + shift) % len(clips)])
            ends = [own.clip.rest, clips[(place + 1) % len(clips)].clip.rest]
            losses = [_loss(training, given, end) for end in ends]
            right += losses[0] < losses[1]
        return right / len(clips)

    return {
        "right_after_text": preferred(read, 0),
        "right_after_sound": preferred(hear, 0),
        "right_after_anothers": preferred(hear, 2),
    }


def _loss(training: Training, context: Tensor, end: str) -> float:
    ids = training.ids(end)
    logits = distil.next_tokens(training.llm, [context], [training.llm.get_input_embeddings()(ids)])
    return float(functional.cross_entropy(logits, ids))
