"""Speech synthesis with Piper."""

from collections.abc import Sequence

import numpy as np
import piper

from speechzoo import AudioClip, Failure, Setup


class PiperVoice:
    """A Piper voice, on the CPU; equal text gives equal samples."""

    def __init__(self, setup: Setup, speed: float = 1.0) -> None:
        self._voice = piper.PiperVoice.load(setup.files() / "voice.onnx")
        self._style = piper.SynthesisConfig(
            length_scale=self._voice.config.length_scale / speed,
            noise_scale=0.0,
            noise_w_scale=0.0,
        )

    def speak(self, texts: Sequence[str]) -> list[AudioClip | Failure]:
        return [self._speak(text) for text in texts]

    def _speak(self, text: str) -> AudioClip | Failure:
        if not any(character.isalnum() for character in text):
            return Failure("nothing_to_say", f"{text!r} has no letter or digit")
        sentences = [chunk.audio_float_array for chunk in self._voice.synthesize(text, self._style)]
        if not sentences:
            return Failure("nothing_to_say", f"the voice finds nothing to pronounce in {text!r}")
        return AudioClip.from_samples(np.concatenate(sentences), self._voice.config.sample_rate, text)

    def close(self) -> None:
        """Nothing is held but memory."""
