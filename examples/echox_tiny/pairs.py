"""Does it hear? Is the right ending preferred over another clip's, and only after its own clip?"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from echox_tiny import distil
from echox_tiny.adapter import Kept
from echox_tiny.training import Training
from speechzoo.stats import Estimate, mcnemar, paired_difference

READ, HEARD, ANOTHERS = "right_after_text", "right_after_sound", "right_after_anothers"


@torch.inference_mode()
def preferences(training: Training, clips: list[Kept]) -> dict[str, list[bool]]:
    """Whether each clip's own ending has a lower loss per token than the next clip's.

    After its text, after its sound, and after the sound of the clip after the next: what is preferred there
    is preferred for other reasons than what was heard.
    """
    embed = training.llm.get_input_embeddings()

    read = [embed(training.ids(own.clip.spoken)) for own in clips]
    heard = [training.adapter.lbm(own.frames) for own in clips]

    def preferred(contexts: list[Tensor], shift: int) -> list[bool]:
        right = []
        for place, own in enumerate(clips):
            given = contexts[(place + shift) % len(clips)]
            ends = [own.clip.rest, clips[(place + 1) % len(clips)].clip.rest]
            losses = [_loss(training, given, end) for end in ends]
            right.append(losses[0] < losses[1])
        return right

    return {
        READ: preferred(read, 0),
        HEARD: preferred(heard, 0),
        ANOTHERS: preferred(heard, 2),
    }


def hearing(preferred: Mapping[str, list[bool]]) -> tuple[Estimate, float]:
    """How much more often the right ending is preferred after its own sound than after another's.

    With a 95 % interval, and the p of McNemar's exact test.
    """
    pairs = list(zip(preferred[HEARD], preferred[ANOTHERS], strict=True))
    both, own, others = pairs.count((True, True)), pairs.count((True, False)), pairs.count((False, True))
    return paired_difference(own, others, both, len(pairs)), mcnemar(others, own)


def _loss(training: Training, context: Tensor, end: str) -> float:
    ids = training.ids(end)
    given = torch.cat([context, training.llm.get_input_embeddings()(ids)])
    places = [(0, len(context) - 1 + place) for place in range(len(ids))]
    return float(functional.cross_entropy(distil.next_tokens(training.llm, [given], places), ids))
