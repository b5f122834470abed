"""Ears, a text LLM and a mouth in a row."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from time import perf_counter
from typing import TypeVar, cast

from speechzoo import (
    AudioClip,
    Failure,
    ItemError,
    Model,
    ReplyAnswer,
    ReplyAsk,
    ScoreAnswer,
    ScoreAsk,
    Setup,
    Transcriber,
    Voice,
)
from speechzoo.asks import dialogue_of, with_clips
from speechzoo.dialogue import clips_of, clips_of_others

AskT = TypeVar("AskT", ScoreAsk, ReplyAsk)
AnswerT = TypeVar("AnswerT", ScoreAnswer, ReplyAnswer)
Transcripts = dict[AudioClip, str | Failure]


class Cascade:
    """Replaces every clip of an ask by its transcript, lets a text LLM answer, and speaks the answer.

    Timings: seconds of ``transcribe``, ``think`` and ``speak``; what a batch shares is divided
    equally over the asks that needed it.

    The transcriber and the LLM are loaded at once, so that what is wrong with them shows before the
    first ask; the voice is loaded for the first reply to be spoken.

    Raises:
        SetupError: the transcriber or the LLM cannot be loaded.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._transcriber = cast(Transcriber, setup.part("transcriber"))
        self._llm = cast(Model, setup.part("llm"))

    @cached_property
    def _voice(self) -> Voice:
        return cast(Voice, self._setup.part("voice"))

    def score(self, asks: Sequence[ScoreAsk]) -> list[ScoreAnswer | Failure]:
        return self._answer(asks, self._llm.score)

    def reply(self, asks: Sequence[ReplyAsk]) -> list[ReplyAnswer | Failure]:
        answers = self._answer(asks, self._llm.reply)
        wanted = {
            index: answer
            for index, (ask, answer) in enumerate(zip(asks, answers, strict=True))
            if ask.speech and isinstance(answer, ReplyAnswer)
        }
        if wanted:
            for index, spoken in zip(wanted, self._speak(list(wanted.values())), strict=True):
                answers[index] = spoken
        return answers

    def close(self) -> None:
        self._transcriber.close()
        self._llm.close()
        if "_voice" in vars(self):
            self._voice.close()

    def _answer(
        self, asks: Sequence[AskT], think: Callable[[list[AskT]], Sequence[AnswerT | Failure]]
    ) -> list[AnswerT | Failure]:
        transcripts, transcribing = self._transcribe(asks)
        answers: dict[int, AnswerT | Failure] = {}
        in_words: dict[int, AskT] = {}
        for index, ask in enumerate(asks):
            if failure := _failure(ask, transcripts):
                answers[index] = failure
            else:
                in_words[index] = _in_words(ask, transcripts)
        start = perf_counter()
        thought = think(list(in_words.values())) if in_words else []
        thinking = (perf_counter() - start) / max(1, len(in_words))
        for index, answer in zip(in_words, thought, strict=True):
            answers[index] = _with_hearing(answer, asks[index], transcripts, transcribing, thinking)
        return [answers[index] for index in range(len(asks))]

    def _transcribe(self, asks: Sequence[AskT]) -> tuple[Transcripts, float]:
        """Transcripts, each distinct clip heard once, and the seconds for each ask with a clip."""
        start = perf_counter()
        transcripts: Transcripts = {}
        equal: dict[str, list[AudioClip]] = defaultdict(list)
        hearing = [clips for ask in asks if (clips := clips_of(dialogue_of(ask)))]
        for clip in (clip for clips in hearing for clip in clips):
            try:
                equal[clip.digest].append(clip)
            except ItemError as error:
                transcripts[clip] = Failure(error.reason, error.detail)
        if equal:
            texts = self._transcriber.transcribe([same[0] for same in equal.values()])
            for same, text in zip(equal.values(), texts, strict=True):
                transcripts.update(dict.fromkeys(same, text))
        return transcripts, (perf_counter() - start) / max(1, len(hearing))

    def _speak(self, answers: list[ReplyAnswer]) -> list[ReplyAnswer | Failure]:
        start = perf_counter()
        clips = self._voice.speak([answer.text or "" for answer in answers])
        seconds = (perf_counter() - start) / len(answers)
        return [
            clip
            if isinstance(clip, Failure)
            else replace(answer, clip=clip, timings={**answer.timings, "speak": seconds})
            for answer, clip in zip(answers, clips, strict=True)
        ]


def _failure(ask: AskT, transcripts: Transcripts) -> Failure | None:
    """Why the ask cannot be put into words, if any of its clips could not be transcribed."""
    found = (transcripts[clip] for clip in clips_of(dialogue_of(ask)))
    return next((text for text in found if isinstance(text, Failure)), None)


def _in_words(ask: AskT, transcripts: Transcripts) -> AskT:
    return cast(AskT, with_clips(ask, lambda clip: cast(str, transcripts[clip])))


def _with_hearing(
    answer: AnswerT | Failure, ask: AskT, transcripts: Transcripts, transcribing: float, thinking: float
) -> AnswerT | Failure:
    """The answer, with what was heard and how long it took."""
    if isinstance(answer, Failure):
        return answer
    clips = clips_of_others(dialogue_of(ask))
    if not clips:
        return replace(answer, timings={"think": thinking})
    return replace(
        answer,
        heard=" ".join(str(transcripts[clip]) for clip in clips),
        timings={"transcribe": transcribing, "think": thinking},
    )
