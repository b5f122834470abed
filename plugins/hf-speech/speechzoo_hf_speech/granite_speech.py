"""Granite-Speech."""

import math
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor
from transformers import GraniteSpeechForConditionalGeneration
from transformers.audio_utils import mel_filter_bank

from speechzoo import Setup
from speechzoo.audio import Samples
from speechzoo.errors import SetupError
from speechzoo_hf_speech.lora import LoraSpeechLLM
from speechzoo_hf_speech.native import NativeLM


class GraniteSpeechLM(NativeLM):
    """Clips of any length; its extractor is written anew, as that of transformers needs torchaudio."""

    model_class = GraniteSpeechForConditionalGeneration

    @classmethod
    def load(cls, setup: Setup) -> Self:
        loaded = super().load(setup)
        config: Any = loaded.model.config
        if config.has_lora_adapter and not loaded.model._hf_peft_config_loaded:
            raise SetupError(f"{setup.name}: {setup.files()} lacks its LoRA (adapter_config.json)")
        return loaded

    @classmethod
    def load_extractor(cls, folder: Path) -> None:
        """None: the folder's settings are those of all Granite-Speech checkpoints."""

    def longest(self) -> float:
        return math.inf

    @cached_property
    def filters(self) -> Tensor:
        """From a power spectrum to mel bands, [257, bands]."""
        config: Any = self.model.config
        # The encoder takes two frames at a time.
        bands = config.encoder_config.input_dim // 2
        return torch.from_numpy(
            mel_filter_bank(257, bands, 0, self.rate / 2, self.rate, mel_scale="htk")
        ).float()

    def features(self, wave: Samples) -> Mapping[str, Tensor]:
        """Log10 of mel bands within 8 decades of the loudest, two frames a row: [1, rows, 2 * bands]."""
        window = torch.hann_window(400)
        spectrum = torch.stft(torch.from_numpy(wave), 512, 160, 400, window, return_complex=True)
        mel = (spectrum.abs().square().T @ self.filters).clamp(min=1e-10).log10()
        mel = torch.maximum(mel, mel.max() - 8) / 4 + 1
        return {"input_features": mel[: len(mel) // 2 * 2].reshape(1, len(mel) // 2, -1)}

    def embed_clip(self, **features: Tensor) -> Tensor:
        return super().embed_clip(**features)[0]


class GraniteSpeech(LoraSpeechLLM):
    """Granite-Speech as a model."""

    lm_class = GraniteSpeechLM
