"""Speech synthesis with Piper."""

from collections.abc import Sequence

import numpy as np
import piper
import soxr
from numpy.typing import NDArray

from speechzoo import AudioClip, Failure, Setup, SetupError


class PiperVoice:
    """A Piper voice, on the CPU; equal text gives equal samples.

    Its files are its own, or those of the part ``voice``: so the same voice can be another speaker, higher
    or slower, under a name of its own and without files of its own.

    Args:
        setup: with files or the part ``voice``.
        speed: of the speech.
        pitch: factor of pitch and formants at the same speed: what is spoken slower by it is played faster.

    Raises:
        SetupError: a factor is not above 0, or the part is no Piper voice.
    """

    def __init__(self, setup: Setup, speed: float = 1.0, pitch: float = 1.0) -> None:
        if speed <= 0 or pitch <= 0:
            raise SetupError(
                f"{setup.name}: speed and pitch are factors above 0, not {speed:g} and {pitch:g}"
            )
        self._voice = _borrowed(setup) if "voice" in setup.parts else _own(setup)
        self._pitch = pitch
        self._style = piper.SynthesisConfig(
            length_scale=self._voice.config.length_scale * pitch / speed,
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
        return AudioClip.from_samples(
            self._at_pitch(np.concatenate(sentences)), self._voice.config.sample_rate, text
        )

    def _at_pitch(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._pitch == 1.0:
            return samples
        rate = self._voice.config.sample_rate
        raised: NDArray[np.float32] = soxr.resample(samples, rate * self._pitch, rate)
        return raised

    def close(self) -> None:
        """Nothing is held but memory."""


def _own(setup: Setup) -> piper.PiperVoice:
    return piper.PiperVoice.load(setup.files() / "voice.onnx")


def _borrowed(setup: Setup) -> piper.PiperVoice:
    voice = setup.part("voice")
    if not isinstance(voice, PiperVoice):
        raise SetupError(f"{setup.name}: the part voice is a {type(voice).__name__}, no Piper voice")
    return voice._voice
