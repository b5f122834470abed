"""Qwen2.5-Omni."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from torch import Tensor
from transformers import Qwen2_5OmniForConditionalGeneration

from speechzoo import Setup, system
from speechzoo.audio import Samples
from speechzoo.dialogue import Dialogue, Part
from speechzoo.errors import SetupError
from speechzoo_hf_speech.omni import Omni, OmniLM

SYSTEM = (
    "You are Qwen, a virtual human developed by the Qwen Team, Alibaba Group, capable of perceiving auditory "
    "and visual inputs, as well as generating text and speech."
)
"""Its authors demand it wherever speech is wanted; here text replies have it too, to be comparable."""


class Qwen25OmniLM(OmniLM):
    """Clips of up to 300 s."""

    model_class = Qwen2_5OmniForConditionalGeneration
    audio_token = "<|AUDIO|>"
    before = "<|audio_bos|>"
    after = "<|audio_eos|>"

    @classmethod
    def load(cls, setup: Setup) -> Self:
        if not (setup.files() / "spk_dict.pt").is_file():
            raise SetupError(f"{setup.name}: {setup.files()} lacks spk_dict.pt, the speakers")
        return super().load(setup)

    def features(self, wave: Samples) -> Mapping[str, Tensor]:
        """A log-mel spectrogram, [1, mel, frames], and that all frames are real, [1, frames]."""
        # Its processor pads with 300 s of silence, which the last frames look into a little.
        made = super().features(np.pad(wave, (0, self.extractor.n_fft)))
        frames = -(-len(wave) // self.extractor.hop_length)
        return {name: one[..., :frames] for name, one in made.items()}

    def chat_parts(self, dialogue: Dialogue) -> list[Part]:
        opened = any(message.role == "system" for message in dialogue)
        return super().chat_parts(dialogue if opened else (system(SYSTEM), *dialogue))


class Qwen25Omni(Omni):
    """Qwen2.5-Omni as a model."""

    lm_class = Qwen25OmniLM

    @property
    def speakers(self) -> list[str]:
        return sorted(self.model.speaker_map)

    def options(self) -> dict[str, Any]:
        talker = self.model.talker
        # The default of transformers are ids of the published checkpoints.
        return {"talker_eos_token_id": [talker.codec_pad_token, talker.codec_eos_token]}
