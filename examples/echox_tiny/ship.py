"""Does a checkpoint hear, and how little of it has to be shipped?"""

from pathlib import Path
from statistics import fmean

import click
from safetensors.torch import save_file
from speechzoo_echox import assembly
from torch import Tensor

from echox_tiny import distil, pairs
from echox_tiny.training import Training, restore, trainable

HEARS = 15.0
"""Points between its own and another clip's sound, from which on a checkpoint is said to hear."""


def tell(training: Training, step: int, rank: int) -> None:
    """Whether the checkpoint hears the held-out clips, all of them."""
    _read(training, step, rank)
    preferred = pairs.preferences(training, training.held_out)
    for name, right in preferred.items():
        click.echo(f"{name:24} {100 * fmean(right):5.1f} %")
    more, p = pairs.hearing(preferred)
    interval = f"{100 * more.low:.1f} to {100 * more.high:.1f}"
    click.echo(
        f"own sound above another's: {100 * more.value:.1f} points ({interval}), "
        f"p = {p:.2g}, {len(training.held_out)} clips"
    )
    click.echo("it hears" if 100 * more.value >= HEARS and more.low > 0 else "it does not hear")


def ship(training: Training, step: int, rank: int, folder: Path) -> None:
    """What was trained, in bfloat16: assembly.py joins the rest."""
    learned = _read(training, step, rank)
    audio = {f"model.{name}": own for name, own in training.adapter.state_dict().items()}
    del audio[assembly.HEAD]
    tensors = {name: own.cpu().bfloat16().contiguous() for name, own in {**audio, **learned}.items()}
    tensors |= {assembly.PLACES: training.places, assembly.SPELLED: training.spelled}
    path = folder / assembly.TRAINED
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, metadata={"format": "pt"})
    click.echo(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


def _read(training: Training, step: int, rank: int) -> dict[str, Tensor]:
    """Puts a checkpoint's weights in place; what its LLM has learned, by the names of `assembly.LOW_RANK`."""
    root = training.folder.root
    if not rank:
        training.read(root / "steps", step)
        return {}
    parameters = [*trainable(training.adapter), *trainable(distil.with_lora(training.llm, rank))]
    if (last := restore(root / "lora.pt", parameters)["step"]) != step:
        raise click.ClickException(f"what the LLM learned is kept of the last step alone, {last}")
    return {f"{assembly.LOW_RANK}{name}": own for name, own in distil.low_rank(training.llm).items()}
