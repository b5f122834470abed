"""Texts of prompts as clips, and why some of them cannot be spoken."""

import re
from collections.abc import Iterable
from dataclasses import replace
from importlib.metadata import version

from speechzoo import AudioClip, Failure
from speechzoo.loading import Component
from speechzoo.run.progress import Progress
from speechzoo.run.speak import speak
from speechzoo_synth.reading import read_aloud, unspeakable


def speak_texts(
    voice: Component, texts: Iterable[str], language: str, device: str, progress: Progress
) -> dict[str, AudioClip | Failure]:
    """A clip of each text as one reads it aloud, which tells what is said in it.

    Failures: ``unspeakable_formula``, ``unspeakable_code`` and so on, and those of the voice.

    Args:
        voice: that speaks.
        texts: as they stand in prompts.
        language: ISO 639-1.
        device: where the voice runs.
        progress: is told how far it is.
    """
    distinct = list(dict.fromkeys(texts))
    unfit = {text: _failure(text, reason) for text in distinct if (reason := unspeakable(text, language))}
    said = {text: read_aloud(text, language) for text in distinct if text not in unfit}
    clips = speak(voice, said.values(), device, progress) if said else {}
    spoken = {text: clips[own] for text, own in said.items()}
    return unfit | {
        text: replace(clip, language=language) if isinstance(clip, AudioClip) else clip
        for text, clip in spoken.items()
    }


def reader() -> str:
    """What turns texts into words to be said, and its version."""
    return ", ".join(f"{name} {version(name)}" for name in ("speechzoo-synth", "num2words"))


def _failure(text: str, reason: str) -> AudioClip | Failure:
    word = re.sub(r"\W+", "_", reason.lower())
    return Failure(f"unspeakable_{word}", f"{text[:200]!r} cannot be read aloud: {reason}")
