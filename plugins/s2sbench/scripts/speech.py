"""Speaks texts in two voices with Piper and lists what was made; used by both plugins' make_mini.py.

Needs ``piper-tts`` (GPL-3.0, hence no dependency of the plugins) and a voice file, such as the one of
speechzoo's service ``piper-joe``. Synthesis is without noise (both noise scales 0), so equal texts
give equal samples; the OGG container carries a random serial number, so the files' bytes differ from
one making to the next, and the manifest's hashes are of the files that are shipped.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from piper import PiperVoice, SynthesisConfig

Samples = NDArray[np.float32]

RATE = 16_000
# 1.0 is the lowest of libsndfile's bit rates for Opus (6 kbit/s), 0.0 the highest (256 kbit/s).
COMPRESSION = 0.96
# Spoken slower and played faster by this factor: pitch and formants rise, the tempo stays.
VOICES = {"joe": 1.0, "joe-high": 1.12}


class Speaker:
    """Piper's ``joe`` in the two settings of `VOICES`."""

    def __init__(self, voice_file: Path) -> None:
        self._piper = PiperVoice.load(voice_file)

    def speak(self, text: str, voice: str) -> Samples:
        """Mono samples at 16 kHz, shape [n]."""
        raised = VOICES[voice]
        settings = SynthesisConfig(length_scale=raised, noise_scale=0.0, noise_w_scale=0.0)
        chunks = list(self._piper.synthesize(text, settings))
        pause = np.zeros(round(0.3 * chunks[0].sample_rate), np.float32)
        pieces = [piece for chunk in chunks for piece in (chunk.audio_float_array, pause)]
        samples = np.concatenate(pieces[:-1])
        resampled: Samples = soxr.resample(samples, chunks[0].sample_rate * raised, RATE)
        return np.clip(resampled, -1.0, 1.0)


def write_clip(file: Path, samples: Samples) -> None:
    """Opus in an OGG container, about 2 kB a second."""
    file.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(file, samples, RATE, format="OGG", subtype="OPUS", compression_level=COMPRESSION)


def write_rows(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    file.write_text("".join(lines), encoding="utf-8")


def write_manifest(folder: Path, script: str, counts: Mapping[str, int]) -> str:
    """Lists every file of the folder with its SHA-256; returns the SHA-256 of the list itself."""
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "manifest.json")
    manifest = {
        "licence": "CC0-1.0",
        "script": script,
        "synthesis": "Piper en_US joe medium, noise scales 0, Opus at 16 kHz",
        "voices": {name: f"pitch and formants times {raised}" for name, raised in VOICES.items()},
        "counts": dict(counts),
        "files": {path.relative_to(folder).as_posix(): _sha256(path) for path in paths},
    }
    file = folder / "manifest.json"
    file.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return _sha256(file)


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
