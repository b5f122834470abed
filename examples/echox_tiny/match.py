"""Second training: what is heard as a token is given to the LLM as that token's vector."""

import torch
from speechzoo_echox.audio_adapter import first_of_runs
from torch import Tensor

from echox_tiny import ctc
from echox_tiny.adapter import frames_of
from echox_tiny.features import Features
from echox_tiny.labels import BLANK
from echox_tiny.training import Training, run

RATE = 5e-4
_BATCH = 16


def train(training: Training, first: int, steps: int, every: int) -> None:
    """Goes on from the last step of the first training; steps are counted on.

    Args:
        training: data and model.
        first: the step of CTC that is gone on from.
        steps: of this training.
        every: steps from checkpoint to checkpoint.
    """
    folder = training.folder.root / "steps"
    training.read(folder, first)

    def losses(step: int) -> dict[str, Tensor]:
        training.adapter.train()
        batch = training.batch(step, _BATCH)
        return {"match": distance(training, batch), "ctc": ctc.losses(training, batch)["ctc"]}

    def save(step: int) -> dict[str, float]:
        training.adapter.eval()
        training.write(folder, step)
        with torch.inference_mode():
            return {
                "held_out_token_error": ctc.token_error(training, training.held_out),
                "held_out_match": float(distance(training, training.held_out)),
            }

    log = training.folder.root / "match.jsonl"
    run("match", log, first, first + steps, every, RATE, [training.adapter], losses, save)


def distance(training: Training, batch: list[Features]) -> Tensor:
    """Squared distance of what the LLM is given from the vectors of the tokens that were heard.

    In units of the mean squared distance of those tokens' vectors from their mean, so that 1 is what the mean
    itself would have. Blanks have no token that they should be.
    """
    adapter = training.adapter
    table: Tensor = training.llm.get_input_embeddings()(training.spelled.to(training.device))
    clips = [own.frames.to(training.device) for own in batch]
    given, wanted = [], []
    for frames, clip in zip(frames_of(adapter, clips), clips, strict=True):
        labels = adapter.labels(frames[: len(clip)])
        kept = first_of_runs(labels)
        heard = labels[kept] != BLANK
        given.append(adapter.lbm(frames[: len(clip)][kept])[heard])
        wanted.append(table[labels[kept][heard]])
    unit = (table - table.mean(dim=0)).square().sum(dim=-1).mean()
    return (torch.cat(given) - torch.cat(wanted)).square().sum(dim=-1).mean() / unit
