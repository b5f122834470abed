"""Qwen3-Omni."""

from transformers import Qwen3OmniMoeForConditionalGeneration

from speechzoo_hf_speech.omni import Omni, OmniLM


class Qwen3OmniLM(OmniLM):
    """Clips of up to 600 s."""

    model_class = Qwen3OmniMoeForConditionalGeneration
    audio_token = "<|audio_pad|>"
    before = "<|audio_start|>"
    after = "<|audio_end|>"

    def longest(self) -> float:
        return 600.0


class Qwen3Omni(Omni):
    """Qwen3-Omni as a model."""

    lm_class = Qwen3OmniLM

    @property
    def speakers(self) -> list[str]:
        return sorted(self.model.config.talker_config.speaker_id)
