"""The classes behind the toy's specs."""

import os
from pathlib import Path

import numpy as np
from speechzoo import (
    AudioClip,
    Condition,
    ContinuationScore,
    DialogueAsk,
    Failure,
    Item,
    Metric,
    ReplyAnswer,
    ReplyAsk,
    ScoreAnswer,
    ScoreAsk,
    raw,
    user,
)
from speechzoo.asks import MultiScoreAsk, dialogue_of
from speechzoo.dialogue import clips_of

COLOURS = {"sky": "blue", "grass": "green", "snow": "white", "coal": "black", "blood": "red"}
RATE = 16_000


def tone(text):
    times = np.arange(RATE // 4) / RATE
    samples = 0.3 * np.sin(2 * np.pi * (200 + sum(map(ord, text)) % 2000) * times)
    return AudioClip.from_samples(samples.astype(np.float32), RATE, transcript=text)


class ToyVoice:
    def __init__(self, setup):
        pass

    def speak(self, texts):
        return [tone(text) for text in texts]

    def close(self):
        pass


class ToyEars:
    """Hears every clip as this one word; clips are tones."""

    def __init__(self, setup):
        pass

    def transcribe(self, clips):
        return ["blau" if clip.language == "de" else "blue" for clip in clips]

    def close(self):
        pass


class Toy:
    """Finds the colour of the thing it read or heard of last likelier than any other word."""

    def __init__(self, setup, *, log, deaf, fault, exit_after):
        self._log, self._deaf, self._fault, self._left = log, deaf, fault, exit_after

    def score(self, asks):
        return [self._answer(ask, self._score) for ask in asks]

    def reply(self, asks):
        return [self._answer(ask, self._reply) for ask in asks]

    def close(self):
        pass

    def _answer(self, ask, answer):
        seen = self._seen(ask)
        if self._log:
            with Path(self._log).open("a") as file:
                file.write(f"{seen!r}\n")
        self._left -= 1
        if self._left == 0:
            os._exit(9)
        if self._fault and "poison" in seen:
            return Failure(self._fault, "there was poison")
        return answer(ask, seen)

    def _seen(self, ask):
        heard = "" if self._deaf else None
        parts = [p for message in dialogue_of(ask) for p in message.parts]
        said = [
            p if isinstance(p, str) else heard if heard is not None else f"<{p.transcript}>" for p in parts
        ]
        return "".join(said)

    def _score(self, ask, seen):
        wanted = self._colour(seen)
        scores = [
            ContinuationScore(-len(c) / 10 - (0 if wanted and wanted in c else 5), max(1, len(c.split())))
            for c in ask.continuations
        ]
        return ScoreAnswer(tuple(scores), heard=seen if clips_of(dialogue_of(ask)) else None)

    def _reply(self, ask, seen):
        text = f"{self._colour(seen) or 'no idea'}\nand so on"
        return ReplyAnswer(text, tone(text) if ask.speech else None, truncated="long" in seen)

    def _colour(self, seen):
        known = [(seen.rfind(thing), colour) for thing, colour in COLOURS.items() if thing in seen]
        return max(known)[1] if known else None


class Chatter:
    """Asks for what lm-eval has no form for."""

    version = "1"
    conditions = (Condition.T2T, Condition.S2T)
    metrics = (Metric("accuracy"),)

    def __init__(self, setup, *, kind):
        self._kind = kind

    def items(self):
        return [Item(name, {}) for name in ("one", "three")]

    def ask(self, item, condition):
        if self._kind == "lengths":
            return ReplyAsk(raw("count"), max_tokens=len(item.id))
        if self._kind == "dialogue":
            return DialogueAsk((user("hello"), user("and now?")))
        if self._kind == "clips":
            return ScoreAsk(raw("hello"), (tone("one"), tone("two")))
        return MultiScoreAsk(tuple(ScoreAsk(raw(text), ("end",)) for text in ("one", "two")))
