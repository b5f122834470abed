"""First training: the adapter learns which token is said when."""

import torch
from torch import Tensor
from torch.nn import functional

from echox_tiny.adapter import Kept
from echox_tiny.features import Features
from echox_tiny.labels import BLANK
from echox_tiny.training import Training, run

RATE = 1e-3
_BATCH = 16
# The frames' labels, known from the alignment, start it. Then CTC alone, for which a frame that cannot tell
# may be blank: with the alignment to the end, a fifth more letters were wrong.
_ALIGNED = 0.25
_CTC_SHARE = 0.3


def train(training: Training, steps: int, every: int) -> None:
    """Checkpoints ``steps/step-N``, and a line of the log for each."""

    def losses_of(step: int) -> dict[str, Tensor]:
        batch = training.encoded(training.batch(step, _BATCH))
        own = losses(training, batch, training.frames(batch))
        if step > _ALIGNED * steps:
            return {"ctc": own["ctc"]}
        return {"frames": own["frames"], "ctc": _CTC_SHARE * own["ctc"]}

    def save(step: int) -> dict[str, float]:
        training.write(step)
        return {"held_out_token_error": token_error(training, training.listen(training.watched))}

    run("ctc", training.log("ctc"), 0, steps, every, RATE, training.hearing, losses_of, save)


def losses(training: Training, batch: list[Features], frames: Tensor) -> dict[str, Tensor]:
    """Cross-entropy of the frames' labels, and CTC's of the text, both per label.

    Args:
        training: data and model.
        batch: the clips, encoded.
        frames: the adapter's, [clips, longest, hidden].
    """
    told = [training.labels.of_frames(own) for own in batch]
    scores = functional.log_softmax(training.adapter.audio_feature_head(frames), dim=-1)
    lengths = torch.tensor([len(own.frames) for own in batch])
    of_frames = torch.cat([labels for _, labels in told]).to(training.device)
    flat = torch.cat([row[:length] for row, length in zip(scores, lengths, strict=True)])
    ctc = functional.ctc_loss(
        scores.transpose(0, 1),
        torch.cat([labels for labels, _ in told]).to(training.device),
        lengths,
        torch.tensor([len(labels) for labels, _ in told]),
        blank=BLANK,
        zero_infinity=True,
    )
    return {"frames": functional.nll_loss(flat, of_frames), "ctc": ctc}


def token_error(training: Training, clips: list[Kept]) -> float:
    """Edits per token of what the adapter hears, all clips together."""
    wrong = there = 0
    for own in clips:
        said = training.labels.of_text(own.clip.spoken)
        wrong += distance([label for label in own.labels.tolist() if label != BLANK], said)
        there += len(said)
    return wrong / there


def distance(one: list[int], other: list[int]) -> int:
    """Levenshtein's: insertions, deletions and substitutions that make one of the other."""
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, right in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (left != right))
    return row[-1]
