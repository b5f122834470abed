"""Qwen2-Audio."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import Qwen2AudioForConditionalGeneration, Qwen2AudioProcessor

from speechzoo_hf_speech.native import BodyLM, SpeechLLM


class Qwen2AudioLM(BodyLM):
    """One window of 30 s a clip."""

    model_class = Qwen2AudioForConditionalGeneration
    audio_token = "<|AUDIO|>"
    before = "<|audio_bos|>"
    after = "<|audio_eos|>"

    @classmethod
    def chat_template(cls, folder: Path) -> str:
        """The processor's: its class brings one for checkpoints that have none."""
        return str(Qwen2AudioProcessor.from_pretrained(folder, local_files_only=True).chat_template)

    def embed_clip(self, **features: Tensor) -> Tensor:
        mel, mask = features["input_features"], features["input_features_mask"]
        model: Any = self.model.model
        tower = model.audio_tower
        frames, tokens = tower._get_feat_extract_output_lengths(mask.sum(-1))
        real = torch.arange(mel.shape[-1] // 2, device=self.device) < frames[:, None]
        states = tower(mel, attention_mask=real[:, None, None]).last_hidden_state
        heard: Tensor = model.multi_modal_projector(states)[0, : int(tokens)]
        return heard


class Qwen2Audio(SpeechLLM):
    """Qwen2-Audio as a model."""

    lm_class = Qwen2AudioLM
