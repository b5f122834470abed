"""Does a checkpoint hear, and how little of it has to be shipped?"""

import hashlib
from pathlib import Path
from statistics import fmean
from typing import cast

import click
import yaml
from safetensors.torch import save_file
from speechzoo_echox import assembly

from echox_tiny import ctc, pairs
from echox_tiny.training import LLM, Training
from speechzoo import Capability
from speechzoo.catalogue import open_catalogue
from speechzoo.registry import ModelEntry, PathSource, WheelSource

_WEIGHTS = "weights"
HEARS = 15.0
"""Points between its own and another clip's sound, from which on a checkpoint is said to hear."""


def tell(training: Training, step: int, lora: bool) -> None:
    """Whether the checkpoint hears the held-out clips, all of them."""
    training.read(step, lora)
    heard = training.listen(training.held_out)
    click.echo(f"{'token_error':24} {100 * ctc.token_error(training, heard):5.1f} %")
    preferred = pairs.preferences(training, heard)
    for name, right in preferred.items():
        click.echo(f"{name:24} {100 * fmean(right):5.1f} %")
    more, p = pairs.hearing(preferred)
    interval = f"{100 * more.low:.1f} to {100 * more.high:.1f}"
    click.echo(
        f"own sound above another's: {100 * more.value:.1f} points ({interval}), "
        f"p = {p:.2g}, {len(training.held_out)} clips"
    )
    enough = 100 * more.value >= HEARS and more.low > 0
    click.echo(
        "it hears" if enough else f"it is said to hear from {HEARS:.0f} points on, and an interval above 0"
    )


def ship(training: Training, step: int, lora: bool, folder: Path) -> None:
    """What was trained, in bfloat16, and a registry file that joins it with SmolLM2 and Whisper."""
    training.read(step, lora)
    audio = {f"model.{name}": own for name, own in training.adapter.state_dict().items()}
    del audio[assembly.HEAD]
    tensors = {
        name: own.cpu().bfloat16().contiguous() for name, own in {**audio, **training.learned()}.items()
    }
    tensors |= {assembly.PLACES: training.places, assembly.SPELLED: training.spelled}
    path = folder / _WEIGHTS / assembly.TRAINED
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, metadata={"format": "pt"})
    models = {"echox-tiny": _entry(path).model_dump(mode="json", exclude_defaults=True)}
    # A set comes in any order.
    models["echox-tiny"]["capabilities"].sort()
    registry = folder / "registry.yaml"
    registry.write_text(yaml.safe_dump({"models": models}, sort_keys=False, width=110), encoding="utf-8")
    click.echo(f"{path}: {path.stat().st_size / 1e6:.1f} MB\n{registry}")


def _entry(trained: Path) -> ModelEntry:
    registry = open_catalogue().registry
    (llm,) = registry.models[LLM].sources
    (whisper,) = cast(tuple[WheelSource], registry.services["whisper-tiny"].sources)
    encoder = {"model.bin": whisper.files["model.bin"]}
    brought = {trained.name: hashlib.sha256(trained.read_bytes()).hexdigest()}
    return ModelEntry(
        summary="SmolLM2 135M behind Whisper tiny, in EchoX's architecture; scores, does not speak",
        adapter="echox",
        package="speechzoo-echox",
        licence="Apache-2.0, MIT",
        base=LLM,
        dtype="float32",
        # Chats and speech are in formats that SmolLM2 was never trained in.
        capabilities=frozenset(
            {
                Capability.TEXT_IN,
                Capability.AUDIO_IN,
                Capability.SCORE_UNDER_TEXT,
                Capability.SCORE_UNDER_AUDIO,
            }
        ),
        sources=(
            llm.model_copy(update={"into": "llm"}),
            whisper.model_copy(update={"into": "whisper", "files": encoder}),
            PathSource(path=_WEIGHTS, files=brought),
        ),
    )
