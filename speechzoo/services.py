"""What models and tasks use besides a model: ears, a mouth and a judge."""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeGuard

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

    def judge(self, asks: Sequence[JudgeAsk]) -> Iterable[Judgement | Failure]:
        """A judgement for each ask, in order; a `Failure` where the judge could not be reached.

        Each is kept as it comes: a judge that is paid should yield rather than return a list. An answer that
        is no valid form is asked for again as often as the judge is set to; then it comes as a `Judgement`
        without answer. A judge may raise `ItemError` for an ask that it cannot be given.
        """
        ...

    def close(self) -> None: ...


class CheckedJudge(Judge, Protocol):
    """A judge that is cheap to make, such as one behind a server, and can say whether it will judge.

    It is made, checked and closed before any model is asked.
    """

    def check(self) -> None:
        """Raises `SetupError` if nothing can be judged: no such server or model, a wrong key."""
        ...


def is_checked(judge: Judge | type[Judge]) -> TypeGuard[CheckedJudge]:
    """Whether the judge, or one that is made of this class, can be checked."""
    return hasattr(judge, "check")
