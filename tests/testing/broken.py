"""Adapters broken on purpose, each in one way that has been seen in real ones."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import ClassVar

import numpy as np
import torch

from speechzoo import AudioClip, ContinuationScore, Failure, ReplyAnswer, ScoreAnswer, ScoreAsk, lm
from speechzoo.asks import with_clips
from speechzoo.dialogue import Part, clips_of, raw
from speechzoo.errors import ItemError
from tests.testing.adapters import TinyAdapter, TinySpeechLM, spoken


class AudioDropped(TinyAdapter):
    """Every clip becomes the same placeholder, as when features are not handed to the model."""

    class LM(TinySpeechLM):
        def embed_audio(self, waves):
            return [self.embed_text("<audio>") for _ in waves]


class AudioDetected(TinyAdapter):
    """Clips are told from silence and from nothing, whatever is said in them."""

    class LM(TinySpeechLM):
        def embed_audio(self, waves):
            return [self.embed_text("speech" if wave.any() else "silence") for wave in waves]


class LengthHeard(TinyAdapter):
    """Placeholders for as many frames as the clip has: it is heard how long somebody speaks."""

    class LM(TinySpeechLM):
        def embed_audio(self, waves):
            return [torch.ones(len(wave) // 3200, 32) for wave in waves]


class OneReply(TinyAdapter):
    """Weights that say the same whatever they are given."""

    def reply(self, asks):
        return [replace(one, text="eee", clip=spoken("eee")) for one in super().reply(asks)]


class LengthHeardAndDrawn(LengthHeard):
    """The same, and replies are drawn with a random state made of the clip's own hash."""

    temperature = 1.0


class _ShiftedAdapter(TinyAdapter):
    """Scores read from the logits of another place."""

    shift = 0

    def score(self, asks):
        answers = []
        for ask in asks:
            try:
                scores = [self._shifted(ask, text) for text in ask.continuations]
                answers.append(ScoreAnswer(tuple(scores)))
            except ItemError as error:
                answers.append(Failure(error.reason, error.detail))
        return answers

    score_plainly = None

    @torch.inference_mode()
    def _shifted(self, ask: ScoreAsk, text: Part) -> ContinuationScore:
        context = self.lm.embed_context(ask.context, ask.chat, lm.hear(self.lm, [ask.context]))
        part = self.lm.ids(text) if isinstance(text, str) else self.lm.audio_ids([text.samples(16_000)])[0]
        ids = torch.tensor(part, dtype=torch.long)
        sequence = torch.cat([context, self.lm.embed(ids)])[None]
        positions = torch.arange(sequence.shape[1])[None]
        logits, _ = self.lm.logits(sequence, torch.ones_like(positions), positions, None)
        start = len(context) - 1 + self.shift
        told = torch.log_softmax(logits[0, max(0, start) : start + len(ids)].float(), -1)
        return ContinuationScore(float(self._total(told, ids[-len(told) :])), len(ids))

    def _total(self, told: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        return told.gather(-1, ids[:, None]).sum()


class LogitsTooLate(_ShiftedAdapter):
    """Each token is scored by the logits that it has already gone into."""

    shift = 1


class LogitsTooEarly(_ShiftedAdapter):
    """Labels shifted by the caller, and again by the model."""

    shift = -1


class FirstTokenDropped(_ShiftedAdapter):
    """The loss of Hugging Face on the continuation alone: its first token has no label."""

    def _total(self, told, ids):
        return super()._total(told[1:], ids[1:])


class NotNormalised(_ShiftedAdapter):
    """Logits below the largest one, without the softmax."""

    def _total(self, told, ids):
        return super()._total(told - told.max(-1, keepdim=True).values, ids)


class _ChangedScores(TinyAdapter):
    """Scores that are right, and then changed."""

    def score(self, asks):
        return [
            replace(answer, scores=tuple(map(self.changed, answer.scores)))
            if isinstance(answer, ScoreAnswer)
            else answer
            for answer in super().score(asks)
        ]


class Means(_ChangedScores):
    """The loss as Hugging Face gives it."""

    score_plainly = None

    def changed(self, score):
        return replace(score, log_likelihood=score.log_likelihood / score.tokens)


class Bits(_ChangedScores):
    """Logarithms to the base 2: every identity holds, only a second computation can tell."""

    def changed(self, score):
        return replace(score, log_likelihood=score.log_likelihood / np.log(2.0))


class StateKept(TinyAdapter):
    """The first clip of a call stays, and goes before the next call's contexts."""

    kept = None

    def score(self, asks):
        before, clips = self.kept, [clip for ask in asks for clip in clips_of(ask.context)]
        self.kept = clips[0] if clips else before
        if before is not None:
            asks = [replace(ask, context=(*raw(before), *ask.context)) for ask in asks]
        return super().score(asks)


class MaskKept(TinyAdapter):
    """A text-only call starts where the last call with audio ended, as in EchoX."""

    class LM(TinySpeechLM):
        offset = 0

        def logits(self, embeddings, mask, positions, cache, last=0):
            # Only distances count: a shift of all positions would not show.
            far = torch.where(positions > 3, positions + self.offset, positions)
            return super().logits(embeddings, mask, far, cache, last)

    def score(self, asks):
        clips = [clip for ask in asks for clip in clips_of(ask.context)]
        if clips:
            self.lm.offset = 0
        answers = super().score(asks)
        self.lm.offset = 40 if clips else self.lm.offset
        return answers


class PaddingSideWrong(TinyAdapter):
    """Rows are padded on the left, the mask is made as if they were padded on the right."""

    class LM(TinySpeechLM):
        def logits(self, embeddings, mask, positions, cache, last=0):
            right = mask if mask is None else mask.flip(1)
            return super().logits(embeddings, right, positions, cache, last)

    score_plainly = None


class BatchReversed(TinyAdapter):
    """Sorted by length for speed, and not put back."""

    def score(self, asks):
        return super().score(asks)[::-1]


class RepliesReversed(TinyAdapter):
    """The same of replies."""

    def reply(self, asks):
        return super().reply(asks)[::-1]


class ContinuationsSorted(TinyAdapter):
    """The continuations of one ask, sorted and not put back."""

    def score(self, asks):
        return super().score(
            [replace(ask, continuations=tuple(sorted(ask.continuations, key=str))) for ask in asks]
        )

    score_plainly = None


class SeedIgnored(TinyAdapter):
    """Replies are drawn from a random state of the process."""

    temperature = 1.0
    calls = count()

    def __init__(self, seed):
        super().__init__(next(self.calls))


class NanForTheBatch(TinyAdapter):
    """One clip that cannot be read makes NaN of everything computed with it."""

    def score(self, asks):
        answers = super().score(asks)
        if not any(isinstance(answer, Failure) for answer in answers):
            return answers
        nan = [tuple(ContinuationScore(float("nan"), 1) for _ in ask.continuations) for ask in asks]
        return [ScoreAnswer(scores) for scores in nan]


class BadClipSkipped(TinyAdapter):
    """A clip that cannot be read is left out, and the rest of the ask is answered."""

    def score(self, asks):
        return super().score([replace(ask, context=raw(*map(self._there, self._parts(ask)))) for ask in asks])

    def _parts(self, ask):
        return [part for message in ask.context for part in message.parts]

    def _there(self, part):
        try:
            return part if isinstance(part, str) or part.header else ""
        except ItemError:
            return ""


class CutAtTheWindow(TinyAdapter):
    """A feature extractor with a window of 10 s."""

    class LM(TinySpeechLM):
        max_clip_seconds = float("inf")

        def embed_audio(self, waves):
            return super().embed_audio([wave[: 10 * self.rate] for wave in waves])


class RateIgnored(TinyAdapter):
    """Samples go in at whatever rate they have."""

    def score(self, asks):
        def as_it_is(clip):
            return AudioClip.from_samples(clip.samples(), 16_000)

        try:
            return super().score([with_clips(ask, as_it_is) for ask in asks])
        except ItemError:
            if len(asks) == 1:
                raise
            return [answer for ask in asks for answer in self.score_alone(ask)]

    def score_alone(self, ask):
        try:
            return self.score([ask])
        except ItemError as error:
            return [Failure(error.reason, error.detail)]


class ShortClipLost(TinyAdapter):
    """A clip too short for one audio token is no clip: the rest is answered."""

    def score(self, asks):
        return super().score([with_clips(ask, self._if_long_enough) for ask in asks])

    score_plainly = None

    def _if_long_enough(self, clip):
        try:
            return clip if clip.seconds >= 0.2 else ""
        except ItemError:
            return clip


class ContextCut(TinyAdapter):
    """Only the last 150 tokens of a context are kept."""

    class LM(TinySpeechLM):
        def embed_context(self, dialogue, chat, heard):
            return super().embed_context(dialogue, chat, heard)[-150:]


class HistoryDropped(TinyAdapter):
    """The last turn is all that is read."""

    def reply(self, asks):
        return super().reply([replace(ask, dialogue=ask.dialogue[-1:]) for ask in asks])


class CannotSpeak(TinyAdapter):
    """Speech is declared and refused."""

    def reply(self, asks):
        answers = super().reply([replace(ask, speech=False) for ask in asks])
        return [
            Failure("not_supported") if ask.speech else one for ask, one in zip(asks, answers, strict=True)
        ]


class RateOfSpeechVaries(TinyAdapter):
    """The rate is taken for another one when the reply is short."""

    def reply(self, asks: Sequence):
        answers = []
        for ask, one in zip(asks, super().reply(asks), strict=True):
            if isinstance(one, ReplyAnswer) and one.clip is not None:
                one = replace(one, clip=spoken(one.text, 24_000 if "box" in str(ask.dialogue) else 16_000))
            answers.append(one)
        return answers


class ChunkLost(TinyAdapter):
    """The last chunk is never flushed."""

    def stream(self, ask):
        yield from list(super().stream(ask))[:-1]


class SpokenEndingsAlike(TinyAdapter):
    """A clip to be scored becomes the same tokens whatever is in it."""

    class LM(TinySpeechLM):
        def audio_ids(self, waves):
            return [[2, 3, 4] for _ in waves]


class NotFreed(TinyAdapter):
    """Something else still holds the weights."""

    held: ClassVar[list] = []

    def close(self):
        self.held.append(self.lm.model)
        super().close()
