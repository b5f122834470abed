"""Voxtral."""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor
from transformers import VoxtralForConditionalGeneration

from speechzoo.audio import Samples
from speechzoo.dialogue import Dialogue, Part
from speechzoo.errors import ItemError
from speechzoo_hf_speech.native import NativeLM, SpeechLLM


class VoxtralLM(NativeLM):
    """Windows of 30 s, the last filled up with silence that is heard as well."""

    model_class = VoxtralForConditionalGeneration
    audio_token = "[AUDIO]"
    before = "[BEGIN_AUDIO]"
    windows = 20
    # Where mistral-common is installed, its own tokenizer takes control tokens in a text for letters.
    tokenizer_options: ClassVar[Mapping[str, Any]] = {"mistral_format": False}

    def features(self, wave: Samples) -> Mapping[str, Tensor]:
        """One log-mel spectrogram of the whole clip, cut into windows: [windows, mel, frames]."""
        made = self.extractor(
            wave,
            sampling_rate=self.rate,
            padding="longest",
            truncation=False,
            pad_to_multiple_of=self.extractor.n_samples,
            return_tensors="pt",
        )
        frames = self.extractor.nb_max_frames
        mel = made.input_features.reshape(self.extractor.feature_size, -1, frames)
        return {"input_features": mel.transpose(0, 1)}

    def chat_parts(self, dialogue: Dialogue) -> list[Part]:
        """The instruct format of mistral-common, which has no chat template."""
        parts: list[Part] = ["<s>"]
        for message in dialogue:
            if message.role == "system":
                raise ItemError("system_prompt", f"{self.name} was made without system prompts")
            if message.role == "user":
                parts += ["[INST]", *message.parts, "[/INST]"]
            else:
                parts += [*message.parts, "</s>"]
        return parts


class Voxtral(SpeechLLM):
    """Voxtral as a model."""

    lm_class = VoxtralLM
