"""The classes behind the parrot's specs. PARROT_LOG names a file that every text is appended to."""

import os
import time
from pathlib import Path

import numpy as np
from speechzoo import AudioClip, Failure

RATE = 16_000
LEAST = 3_200


class Parrot:
    """Each character is a sample; ``mumbled`` comes out wrong at full speed, ``gibberish`` always."""

    def __init__(self, setup, *, speed=1.0):
        self._speed = speed

    def speak(self, texts):
        return [self._speak(text) for text in texts]

    def _speak(self, text):
        time.sleep(float(os.environ.get("PARROT_DELAY", "0")))
        if log := os.environ.get("PARROT_LOG"):
            with Path(log).open("a") as file:
                file.write(f"{self._speed} {text}\n")
        if "poison" in text and not os.environ.get("PARROT_ANTIDOTE"):
            return Failure("unspeakable", "the voice refuses")
        wrong = {"gibberish"} | ({"mumbled"} if self._speed >= 1 else set())
        said = " ".join("hum" if word.strip(".,?!") in wrong else word for word in text.split())
        # Two and a half words a wrong one, so that longer texts are no better off.
        said = said.replace("hum", "hum hum hum hum")
        samples = np.zeros(max(LEAST, len(said)), np.float32)
        samples[: len(said)] = [ord(character) / 256 for character in said]
        return AudioClip.from_samples(samples, RATE, text)

    def close(self):
        pass


class Ears:
    def __init__(self, setup):
        pass

    def transcribe(self, clips):
        return [self._hear(clip) for clip in clips]

    def _hear(self, clip):
        if log := os.environ.get("PARROT_HEARD"):
            with Path(log).open("a") as file:
                file.write(f"{clip.language} {clip.digest}\n")
        exact = clip.samples() * 256
        values = np.round(exact).astype(int)
        if os.environ.get("PARROT_DEAF_TO_NOISE") and not np.allclose(exact, values, atol=0.02):
            return Failure("unclear", "the line is bad")
        text = "".join(chr(value) if 32 <= value < 127 else "" for value in values)
        return Failure("unclear", "the ears hurt") if "deafening" in text else text

    def close(self):
        pass
