"""The classes behind the players' specs."""

import re
import time
from pathlib import Path

import numpy as np
from speechzoo import (
    AudioClip,
    Condition,
    DialogueAsk,
    Failure,
    Grade,
    Item,
    Judgement,
    Metric,
    ReplyAnswer,
    ReplyAsk,
    SetupError,
    user,
)
from speechzoo.asks import replies_of
from speechzoo.judging import Usage

A_WORD = 0.2
REPLY = re.compile(r"<reply (\w+)>\n(.*?)\n</reply \1>", re.DOTALL)


def tone(seconds, pitch=200.0, transcript=None):
    times = np.arange(int(16_000 * seconds)) / 16_000
    samples = 0.3 * np.sin(2 * np.pi * pitch * times)
    return AudioClip.from_samples(samples.astype(np.float32), 16_000, transcript=transcript)


class Player:
    def __init__(self, setup, *, words, says, silent):
        self._words, self._says, self._silent = words, says, silent

    def reply(self, asks):
        return [self._reply(ask) for ask in asks]

    def score(self, asks):
        raise NotImplementedError

    def close(self):
        pass

    def _reply(self, ask):
        last = ask.dialogue[-1]
        heard = last.text + " ".join(clip.transcript or "" for clip in last.clips)
        if self._silent and self._silent in heard:
            return Failure("refused", "it does not like that")
        count = self._words + sum(message.role == "user" for message in ask.dialogue) - 1
        clip = tone(A_WORD * count, 300.0 + 10 * self._words) if ask.speech else None
        return ReplyAnswer(" ".join([self._says] * count), clip)


class Ears:
    def __init__(self, setup):
        pass

    def transcribe(self, clips):
        return [" ".join(["word"] * round(clip.seconds / A_WORD)) for clip in clips]

    def close(self):
        pass


class _Judge:
    def __init__(self, setup, *, log, delay, fault, price, hears, longest_seconds):
        self._log, self._delay, self._fault, self._price = log, delay, fault, price
        self.hears = hears
        self.longest_seconds = longest_seconds or None

    def check(self):
        if self._fault == "no-key":
            raise SetupError("it has no key")

    def judge(self, asks):
        return [self._told(ask) for ask in asks]

    def close(self):
        pass

    def _told(self, ask):
        if self._log:
            with Path(self._log).open("a") as file:
                file.write(f"{ask.digest}\n")
        time.sleep(self._delay)
        if self._fault and int(ask.digest[:2], 16) % 3 == 0:
            return (
                Failure("unreachable", "nobody there")
                if self._fault == "unreachable"
                else Judgement(None, "hm")
            )
        usage = Usage(100, 10, self._price if self._price >= 0 else None)
        winner = self.winner(ask)
        return Judgement({"winner": winner, "reason": f"{winner}: {type(self).__name__}"}, "raw", usage)


class Longer(_Judge):
    """The longer replies win."""

    def winner(self, ask):
        first, second = map(_length, "".join(map(str, ask.material)).split("Dialogue with model B"))
        return "Model A" if first > second else "Model B" if second > first else "tie"


def _length(text):
    return sum(len(found[2]) for found in REPLY.finditer(text))


class AlwaysFirst(_Judge):
    def winner(self, ask):
        return "Model A"


class Moody(_Judge):
    """Longer replies win mostly; otherwise by the ask's digest, so that a repeat may turn out otherwise."""

    def winner(self, ask):
        lot = int(ask.digest[2:6], 16) % 10
        if lot < 3:
            return ["Model A", "Model B", "tie"][lot]
        return Longer.winner(self, ask)


class Chats:
    """Half of the dialogues are semantic, half ambient; each has two turns."""

    version = "1"
    conditions = (Condition.S2S, Condition.S2T, Condition.T2T)
    metrics = (Metric("satisfied"), Metric("reply_seconds", high=None))

    def __init__(self, setup, *, count, history, folder):
        self._count, self._folder = count, folder

    def items(self):
        return [self._item(number) for number in range(self._count)]

    def ask(self, item, condition):
        clips = item.data["turns"]
        return DialogueAsk(
            tuple(user(clip if condition.speech_in else clip.transcript) for clip in clips),
            speech=condition.speech_out,
        )

    def grade(self, item, condition, answer):
        replies = replies_of(answer)
        counts = [len((reply.text or "").split()) for reply in replies]
        turns = [
            {"seconds": A_WORD * count, "words_per_second": 5.0, "content_density": 1 / count}
            for count in counts
        ]
        values = {"satisfied": min(1.0, sum(counts) / 20), "reply_seconds": A_WORD * sum(counts)}
        return Grade(values, by_turn=turns)

    def _item(self, number):
        said = [f"question {number} of turn {turn}" for turn in (1, 2)]
        return Item(
            id=f"chat-{number}",
            data={
                "turns": [self._clip(number, turn, text) for turn, text in enumerate(said)],
                "transcriptions": [f"{text} [rain]" for text in said],
                "cues": [["rain"], ["rain"]],
                "arena_prompt": "",
            },
            attributes={"subset": "ambient" if number % 2 else "semantic"},
        )

    def _clip(self, number, turn, text):
        clip = tone(0.5, 200.0 + 20 * number + turn, text)
        if not self._folder:
            return clip
        path = Path(self._folder) / f"{number}-{turn}.flac"
        return AudioClip.from_file(path, transcript=text)


class Questions:
    version = "1"
    conditions = (Condition.S2S, Condition.T2T)
    metrics = (Metric("exact"),)

    def __init__(self, setup):
        pass

    def items(self):
        return [Item(f"q{number}", {"question": f"question {number}"}) for number in range(4)]

    def ask(self, item, condition):
        text = item.data["question"]
        return ReplyAsk(
            (user(tone(0.5, 300.0, text) if condition.speech_in else text),), speech=condition.speech_out
        )

    def grade(self, item, condition, answer):
        return Grade({"exact": 1.0})
