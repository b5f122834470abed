"""Turns quantised GGUF weights into a plain checkpoint, once, so that loading takes a second."""

from pathlib import Path

import torch

from speechzoo.lm.loading import load_model, load_tokenizer
from speechzoo.setup import Setup

_GGUF = "model.gguf"


def convert(folder: Path) -> None:
    """Replaces ``model.gguf`` by config, bfloat16 safetensors and tokenizer; leaves other folders alone."""
    if not (folder / _GGUF).exists():
        return
    setup = Setup(folder.name, folder)
    tokenizer = load_tokenizer(folder, setup, gguf_file=_GGUF)
    loaded = load_model(folder, setup, gguf_file=_GGUF)
    # A model that knows it came from quantised weights refuses to be saved.
    settings = loaded.config.to_dict()
    settings.pop("quantization_config", None)
    plain = type(loaded)(type(loaded.config)(**{**settings, "dtype": "bfloat16"}))
    plain.load_state_dict(loaded.state_dict())
    plain.to(dtype=torch.bfloat16)  # type: ignore[call-arg]
    plain.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / _GGUF).unlink()
