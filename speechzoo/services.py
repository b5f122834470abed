"""What models and tasks use besides a model: ears and a mouth."""

from collections.abc import Sequence
from typing import Protocol

from speechzoo.asks import Failure
from speechzoo.audio import AudioClip


class Transcriber(Protocol):
    """Automatic speech recognition."""

    def transcribe(self, clips: Sequence[AudioClip]) -> Sequence[str | Failure]:
        """What is said in each clip, in order; a clip that cannot be read gives a `Failure`."""
        ...

    def close(self) -> None: ...


class Voice(Protocol):
    """Speech synthesis."""

    def speak(self, texts: Sequence[str]) -> Sequence[AudioClip | Failure]:
        """Each text as speech, in order; a text that cannot be spoken gives a `Failure`."""
        ...

    def close(self) -> None: ...
