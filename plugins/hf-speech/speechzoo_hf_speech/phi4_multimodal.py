"""Phi-4-multimodal."""

import math
from collections.abc import Mapping
from typing import Any, Self

import torch
from torch import Tensor
from transformers import Phi4MultimodalFeatureExtractor, Phi4MultimodalForCausalLM

from speechzoo import Setup
from speechzoo.audio import Samples
from speechzoo_hf_speech.lora import LoraSpeechLLM
from speechzoo_hf_speech.native import NativeLM


class Phi4MultimodalLM(NativeLM):
    """Clips of any length; the speech LoRA is in the folder's ``speech-lora``."""

    model_class = Phi4MultimodalForCausalLM
    extractor_class = Phi4MultimodalFeatureExtractor

    @classmethod
    def load(cls, setup: Setup) -> Self:
        loaded, folder = super().load(setup), setup.files() / "speech-lora"
        if folder.exists():
            loaded.model.load_adapter(str(folder))
        return loaded

    @property
    def max_positions(self) -> int:
        """Beyond them all positions of a batch would be turned by other angles, cached ones excepted."""
        return int(self.model.config.original_max_position_embeddings)

    def longest(self) -> float:
        return math.inf

    def features(self, wave: Samples) -> Mapping[str, Tensor]:
        """A log-mel spectrogram, [1, frames, bands], and how many tokens it becomes, [1]."""
        made = self.extractor(wave, sampling_rate=self.rate, return_tensors="pt")
        return {name: made[name] for name in ("audio_input_features", "audio_embed_sizes")}

    def embed_clip(self, **features: Tensor) -> Tensor:
        model: Any = self.model.model
        merge = model.embed_tokens_extend
        tokens = int(features["audio_embed_sizes"])
        places = torch.full((1, tokens), merge.audio_token_id, device=self.device)
        heard: Tensor = merge(places, self.embed(places), **features)[0]
        return heard


class Phi4Multimodal(LoraSpeechLLM):
    """Phi-4-multimodal as a model."""

    lm_class = Phi4MultimodalLM
