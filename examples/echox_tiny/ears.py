"""Whisper's encoder, where it is trained, too: computed anew for every batch."""

from collections.abc import Sequence
from typing import cast

import numpy as np
import soundfile
import torch
from peft import PeftModel
from speechzoo_echox import converted_whisper
from torch import Tensor, nn
from transformers import WhisperConfig, WhisperFeatureExtractor
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from echox_tiny.folder import Clip, Folder
from echox_tiny.speech import RATE
from echox_tiny.windows import WINDOW, pack, split

LAYERS = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")
"""Those of the encoder that learn."""


class Ears(nn.Module):
    """Clips to pairs of frames.

    EchoX's adapter looks at one pair of frames at a time. What a frame has to know of its neighbours, to be
    the token that sounds in it, the encoder has to tell it; Whisper's own leaves that to its decoder.

    Args:
        folder: holds the clips and Whisper tiny.
        encoder: Whisper's, with LoRA.
    """

    def __init__(self, folder: Folder, encoder: PeftModel) -> None:
        super().__init__()
        self.encoder = encoder
        self._folder = folder
        self._extractor = WhisperFeatureExtractor.from_pretrained(folder.whisper, local_files_only=True)

    def forward(self, clips: Sequence[Clip]) -> list[Tensor]:
        """Of each clip, [n, 768]."""
        windows = [
            [soundfile.read(self._folder.sound(clip), dtype="float32")[0] for clip in window]
            for window in pack(self._folder, clips)
        ]
        whole = [np.concatenate(window)[:WINDOW] for window in windows]
        # The bands are computed by torch, too, and in bfloat16 they would be others.
        with torch.autocast("cpu", enabled=False):
            bands = self._extractor(whole, sampling_rate=RATE, return_tensors="pt").input_features
        states = self.encoder(bands.to(self.encoder.device)).last_hidden_state
        return [
            frames
            for window, encoded in zip(windows, states, strict=True)
            for frames in split(encoded, [len(sound) for sound in window])
        ]


def whisper_encoder(folder: Folder, device: torch.device) -> WhisperEncoder:
    """Whisper tiny's own, frozen."""
    encoder = WhisperEncoder(WhisperConfig.from_pretrained(folder.whisper, local_files_only=True))
    encoder.load_state_dict(converted_whisper.read(folder.whisper))
    frozen: nn.Module = encoder
    return cast(WhisperEncoder, frozen.to(device).requires_grad_(False).eval())
