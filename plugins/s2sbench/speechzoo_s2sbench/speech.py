"""Continuations as speech: the data's recordings, or a voice's, made once and kept on disk."""

import hashlib
from functools import cached_property
from pathlib import Path
from typing import cast

from speechzoo import AudioClip, Failure, ItemError, Setup, Voice
from speechzoo.run.files import write_whole
from speechzoo.weights import cache_folder

from speechzoo_s2sbench.protocol import Language

# In both languages, so that a voice of either has something to say.
SAMPLE = "The quick brown fox has 2 tails. 天地玄黄，宇宙洪荒。"


class Speaker:
    """Speaks continuations with the task's part ``voice``; a text spoken once is read from the cache.

    The cache knows a voice by how it says one sentence, not by its name: another speed, other files
    under the same name or a newer synthesizer sound otherwise and must not be mixed with it. That costs one
    sentence a process. A voice that never says a thing twice in the same way gets a cache of its own each
    time: its clips are never another's, and never reused.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup

    def speak(self, text: str, language: Language) -> AudioClip:
        """The text as speech; the language is what the clip tells, not what the voice is told.

        Raises:
            ItemError: the voice cannot say it.
        """
        file = self._folder / f"{hashlib.sha256(text.encode()).hexdigest()}.audio"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, self._spoken(text).encoded())
        return AudioClip.from_file(file, transcript=text, language=language)

    @cached_property
    def _voice(self) -> Voice:
        return cast(Voice, self._setup.part("voice"))

    @cached_property
    def _folder(self) -> Path:
        return cache_folder() / "speech" / self._spoken(SAMPLE).digest[:32]

    def _spoken(self, text: str) -> AudioClip:
        (clip,) = self._voice.speak([text])
        if isinstance(clip, Failure):
            raise ItemError(clip.reason, clip.detail)
        return clip
