"""What models and tasks use besides a model: ears, a mouth and a judge."""

from collections.abc import Sequence
from typing import Protocol

from speechzoo.asks import Failure
from speechzoo.audio import AudioClip
from speechzoo.judging import JudgeAsk, Judgement


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


class Judge(Protocol):
    """Fills in forms about what it reads or hears; a person's or a model's opinion, never a fact.

    Attributes:
        hears: it may be given clips; another is given transcripts.
        longest_seconds: of all clips of one ask together; None if there is no limit.
    """

    hears: bool
    longest_seconds: float | None

    def judge(self, asks: Sequence[JudgeAsk]) -> Sequence[Judgement | Failure]:
        """A judgement for each ask, in order; a `Failure` where the judge could not be reached.

        An answer that is no valid form is asked for again as often as the judge is set to; then it comes as
        a `Judgement` without answer. A judge may raise `ItemError` for an ask that it cannot be given.
        """
        ...

    def close(self) -> None: ...
