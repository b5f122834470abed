"""Reads the clips aloud: one voice, as varied as its settings allow."""

import random
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
import soundfile
import soxr
from numpy.typing import NDArray
from piper import PiperVoice, SynthesisConfig

from echox_tiny.cores import spread
from echox_tiny.folder import Clip, Folder
from echox_tiny.progress import Bar
from speechzoo.catalogue import open_catalogue

Samples = NDArray[np.float32]

RATE = 16_000
# 30 s, what Whisper takes, less the silence at both ends.
_LONGEST = 28 * RATE
# libsndfile's scale of Opus bit rates: 1.0 is 6 kbit/s. The benchmarks' clips have 0.96.
_COMPRESSION = 0.96


def speak(folder: Folder, limit: int, seed: int) -> None:
    """The first ``limit`` clips, those left out that are there already."""
    clips = list(folder.clips())[:limit]
    missing = [clip for clip in clips if not folder.sound(clip).is_file()]
    folder.speech.mkdir(parents=True, exist_ok=True)
    home = open_catalogue().service("piper-joe").folder
    if home is None:
        raise FileNotFoundError("run: speechzoo fetch piper-joe")
    with Bar("speech", len(clips), len(clips) - len(missing)) as bar:
        for _ in spread(partial(_Reader, folder, home, seed), missing):
            bar.advance(1)


class _Reader:
    """A voice that writes clips."""

    def __init__(self, folder: Folder, home: Path, seed: int) -> None:
        self._folder, self._seed = folder, seed
        self._voice = PiperVoice.load(home / "voice.onnx")
        # A process for each core: threads of theirs would fight for them.
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._voice.session = onnxruntime.InferenceSession(home / "voice.onnx", options)

    def __call__(self, clip: Clip) -> None:
        """Whole or not at all."""
        path = self._folder.sound(clip)
        part = path.with_suffix(".part")
        samples = read_aloud(self._voice, clip, self._seed)
        soundfile.write(part, samples, RATE, format="OGG", subtype="OPUS", compression_level=_COMPRESSION)
        part.replace(path)


def read_aloud(voice: PiperVoice, clip: Clip, seed: int) -> Samples:
    """Mono, [n] at 16 kHz in [-1, 1]: as high, fast, noisy and late as the clip's own dice say."""
    dice = random.Random(f"{seed} {clip.id}")
    pitch, speed = dice.uniform(0.9, 1.2), dice.uniform(0.85, 1.2)
    # Spoken slower and played faster by the pitch: formants rise with it, the tempo stays.
    style = SynthesisConfig(
        length_scale=pitch / speed, noise_scale=dice.uniform(0.0, 0.7), noise_w_scale=dice.uniform(0.0, 0.8)
    )
    pieces: list[Samples] = []
    for chunk in voice.synthesize(clip.spoken, style):
        pause = round(dice.uniform(0.1, 0.5) * chunk.sample_rate)
        pieces += [chunk.audio_float_array, np.zeros(pause, np.float32)]
    rate = voice.config.sample_rate
    spoken: Samples = soxr.resample(np.concatenate(pieces[:-1]), rate * pitch, RATE)[:_LONGEST]
    ends = [np.zeros(round(dice.uniform(0.0, 0.5) * RATE), np.float32) for _ in range(2)]
    samples: Samples = np.concatenate([ends[0], spoken, ends[1]]) * np.float32(dice.uniform(0.4, 1.0))
    if dice.random() < 0.5:
        samples += _noise(samples, dice.uniform(15.0, 40.0), dice.getrandbits(32))
    return np.clip(samples, -1.0, 1.0).astype(np.float32)


def _noise(samples: Samples, decibels: float, seed: int) -> Samples:
    """White noise, so far below the clip's root mean square."""
    level = np.sqrt(np.mean(samples**2)) * 10 ** (-decibels / 20)
    noise: Samples = (level * np.random.default_rng(seed).standard_normal(len(samples))).astype(np.float32)
    return noise
