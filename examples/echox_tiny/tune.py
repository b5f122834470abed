"""CTC again, through Whisper: its encoder learns to tell the adapter which token is said when."""

from torch import Tensor

from echox_tiny import ctc
from echox_tiny.training import Training, run

RATE = 1e-3
_BATCH = 16


def train(training: Training, first: int, steps: int, every: int, rank: int) -> None:
    """Checkpoints ``lora/step-N``, and a line of the log for each.

    Args:
        training: data and model.
        first: the step of CTC that is gone on from.
        steps: of this training.
        every: steps from checkpoint to checkpoint.
        rank: of LoRA on Whisper, and on the LLM's lower layers, which learn from `match` on.
    """
    training.read(first)
    training.add_lora(rank)

    def losses(step: int) -> dict[str, Tensor]:
        batch = training.encoded(training.batch(step, _BATCH))
        frames = training.frames(batch)
        return {"ctc": ctc.losses(training, batch, frames)["ctc"]}

    def save(step: int) -> dict[str, float]:
        training.write(step)
        return {"held_out_token_error": ctc.token_error(training, training.listen(training.watched))}

    run("tune", training.log("tune"), first, first + steps, every, RATE, training.hearing, losses, save)
