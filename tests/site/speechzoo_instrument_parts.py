"""The classes behind the instrument's specs."""

import hashlib
import os
import random
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from speechzoo import (
    AudioClip,
    Condition,
    ContinuationScore,
    Failure,
    Grade,
    Item,
    ItemError,
    Metric,
    ReplyAnswer,
    ReplyAsk,
    ScoreAnswer,
    ScoreAsk,
    raw,
    user,
)
from speechzoo.asks import MultiScoreAsk, ask_digest, dialogue_of
from speechzoo.dialogue import clips_of, parts_of
from speechzoo.jsonl import read_jsonl


def number_from(text):
    """A number in [0, 1) that depends on the text alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") / 2**32


def key_of(part):
    """A text as it is, a clip by what is in it."""
    return part if isinstance(part, str) else part.digest[:12]


def moved(answer, nats):
    """A score whose continuations are all as much less likely but the last; a reply that says so."""
    if isinstance(answer, ReplyAnswer):
        return replace(answer, text=f"{answer.text}, or {nats:.4f}") if nats > 1e-4 else answer
    *others, last = answer.scores
    less = [replace(one, log_likelihood=one.log_likelihood - nats * one.tokens) for one in others]
    return replace(answer, scores=(*less, last))


# What befalls every answer of a batch of so many asks, for some faults.
CHANGES = {
    "leaks": lambda answer, asks: moved(answer, 4.0 if asks > 20 else 0.0),
    "rounds": lambda answer, asks: moved(answer, 1e-6 * asks),
    "drifts": lambda answer, asks: moved(answer, random.SystemRandom().uniform(0.01, 4)),
}


class InstrumentModel:
    def __init__(self, setup, *, log, delay, fault, bias):
        self._log, self._delay, self._fault, self._bias = log, delay, fault, bias
        self._seed = setup.seed

    def score(self, asks):
        return self._all(asks, self._score)

    def reply(self, asks):
        return self._all(asks, self._reply)

    def close(self):
        pass

    def _all(self, asks, answer):
        answers = []
        for ask in asks:
            seen = self._see(ask)
            if "poison" in seen:
                self._fail(len(asks))
            answers.append(answer(ask, seen))
        if self._fault in CHANGES:
            answers = [CHANGES[self._fault](one, len(asks)) for one in answers]
        if self._fault == "drop" and any("poison" in self._see(ask, log=False) for ask in asks):
            return answers[:-1]
        return answers

    def _see(self, ask, log=True):
        seen = "".join(map(key_of, parts_of(dialogue_of(ask))))
        if log and self._log:
            with Path(self._log).open("a") as file:
                file.write(f"{ask_digest(ask)} {seen}\n")
        time.sleep(self._delay if log else 0)
        return seen

    def _fail(self, batch):
        if self._fault == "raise":
            raise ValueError("the model raised")
        if self._fault == "item":
            raise ItemError("bad_item", "the model refused")
        if self._fault == "memory":
            raise MemoryError("too much at once")
        if self._fault == "memory-in-batches" and batch > 1:
            raise MemoryError("too much at once")
        if self._fault == "exit":
            os._exit(7)
        if self._fault == "hang":
            time.sleep(1000)

    def _score(self, ask, seen):
        scores = []
        for continuation in ask.continuations:
            key = key_of(continuation)
            value = -5 * number_from(seen + key) - self._bias
            if self._fault == "nan" and "poison" in seen:
                value = float("nan")
            scores.append(ContinuationScore(value, max(1, len(key.split()))))
        if self._fault == "few" and "poison" in seen:
            scores = scores[:-1]
        heard = "a tone" if clips_of(dialogue_of(ask)) else None
        return ScoreAnswer(tuple(scores), heard=heard)

    def _reply(self, ask, seen):
        text = f"the answer is {number_from(seen):.3f}"
        clip = tone(number_from(text)) if ask.speech else None
        return ReplyAnswer(text, clip, truncated="cut" in seen)


def tone(pitch, seconds=0.3):
    times = np.arange(int(16_000 * seconds)) / 16_000
    samples = 0.3 * np.sin(2 * np.pi * (200 + 400 * pitch) * times)
    return AudioClip.from_samples(samples.astype(np.float32), 16_000, transcript="a tone")


class Ears:
    def __init__(self, setup, *, log, fault):
        self._log, self._fault = log, fault

    def transcribe(self, clips):
        texts = []
        for clip in clips:
            if self._log:
                with Path(self._log).open("a") as file:
                    file.write(f"{clip.digest}\n")
            hard = number_from(clip.digest) < 0.3
            if hard and self._fault == "raise":
                raise ValueError("the transcriber raised")
            if hard and self._fault == "fail":
                texts.append(Failure("unclear", "nothing was understood"))
            else:
                texts.append(clip.transcript if not hard else "a bone")
        return texts

    def close(self):
        pass


class Arithmetic:
    version = "1"
    conditions = (Condition.T2T, Condition.S2T, Condition.S2S)
    metrics = (Metric("accuracy", chance=0.5),)

    def __init__(self, setup, *, count, poison, penalty, wording, note=""):
        self.notes = (note,) if note else ()
        self._count, self._poison, self._penalty, self._wording = count, poison, penalty, wording

    def items(self):
        for i in range(self._count):
            poison = " poison" if i == self._poison else ""
            yield Item(f"sum-{i}", {"text": f"{i} and {i}{poison}"}, {"size": "big" if i > 9 else "small"})

    def ask(self, item, condition):
        text = f"{item.data['text']} {self._wording}"
        if condition.speech_out:
            return ReplyAsk((user(text),), speech=True)
        context = raw(text, tone(number_from(text))) if condition.speech_in else raw(text)
        return ScoreAsk(context, (" right", " wrong"))

    def grade(self, item, condition, answer):
        if isinstance(answer, ReplyAnswer):
            return Grade({"accuracy": float(len(answer.text) > 3)}, details={"text": answer.text})
        if not isinstance(answer, ScoreAnswer):
            return Failure("wrong_answer_shape")
        right, wrong = (score.mean_nll for score in answer.scores)
        return Grade({"accuracy": float(right < wrong) - self._penalty}, details={"margin": wrong - right})


class Recordings:
    """Rows of id, text, ends and audio: one recording, or one for each end."""

    version = "1"
    conditions = (Condition.T2T, Condition.S2T)
    metrics = (Metric("accuracy", chance=0.5),)
    notes = ("made for tests",)

    def __init__(self, setup, *, folder):
        self._rows = read_jsonl(Path(folder) / "rows.jsonl")
        self._folder = Path(folder)

    def items(self):
        for row in self._rows:
            attributes = {"subset": row.values["subset"]} if "subset" in row.values else {}
            yield Item(row.values["id"], {**row.values}, attributes)

    def ask(self, item, condition):
        text, audio, ends = (item.data[key] for key in ("text", "audio", "ends"))
        if not condition.speech_in:
            return ScoreAsk(raw(text), tuple(ends))
        clips = [
            AudioClip.from_file(self._folder / name, transcript=text)
            for name in (audio if isinstance(audio, list) else [audio])
        ]
        if len(clips) == 1:
            return ScoreAsk(raw(clips[0]), tuple(ends))
        return MultiScoreAsk(
            tuple(ScoreAsk(raw(clip), (end,)) for clip, end in zip(clips, ends, strict=True))
        )

    def grade(self, item, condition, answer):
        right, *wrong = (score.mean_nll for score in answer.scores)
        return Grade({"accuracy": float(right < min(wrong))})
