"""Does a checkpoint hear, and how little of it has to be shipped?"""

from pathlib import Path
from statistics import fmean

import click
import torch
from safetensors.torch import save_file
from speechzoo_echox import assembly

from echox_tiny import pairs
from echox_tiny.training import Training

HEARS = 15.0
"""Points between its own and another clip's sound, from which on a checkpoint is said to hear."""


def tell(training: Training, step: int) -> None:
    """Whether the checkpoint hears the held-out clips, all of them."""
    training.read(training.folder.root / "steps", step)
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


def ship(training: Training, step: int, folder: Path) -> None:
    """What was trained, in bfloat16, the head with its labels' rows alone: assembly.py joins the rest."""
    training.read(training.folder.root / "steps", step)
    audio = {f"model.{name}": own.cpu().bfloat16() for name, own in training.adapter.state_dict().items()}
    path = folder / assembly.TRAINED
    folder.mkdir(parents=True, exist_ok=True)
    save_file({**audio, assembly.TOKENS: torch.tensor(training.tokens)}, path, metadata={"format": "pt"})
    click.echo(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
