"""The checks of transcribers and voices: good ones pass, broken ones are caught by name."""

import itertools

import numpy as np
import pytest

from speechzoo import AudioClip, Failure, ItemError
from speechzoo.testing import SERVICE_CHECKS, ServiceUnderTest, examine


class Ears:
    """Hears how long and how loud a clip is."""

    def transcribe(self, clips):
        return [self.hear(clip) for clip in clips]

    def hear(self, clip):
        try:
            samples = clip.samples(16_000)
        except ItemError as error:
            return Failure(error.reason, error.detail)
        return f"{len(samples)} samples of {np.abs(samples).mean():.4f}"

    def close(self): ...


class Mouth:
    """A tone of its own for each letter."""

    rate = 16_000

    def speak(self, texts):
        return [
            self.say(text) if any(map(str.isalnum, text)) else Failure("nothing_to_say") for text in texts
        ]

    def say(self, text):
        tones = [np.sin(np.arange(800) * ord(letter) / 300) for letter in text]
        return AudioClip.from_samples(0.3 * np.concatenate(tones), self.rate, text)

    def close(self): ...


class HearsNoWords(Ears):
    def hear(self, clip):
        return "" if isinstance(heard := super().hear(clip), str) else heard


class HearsTheSame(Ears):
    def hear(self, clip):
        return "thank you for watching" if isinstance(heard := super().hear(clip), str) else heard


class RemembersTheLast(Ears):
    last = ""

    def hear(self, clip):
        before, self.last = self.last, super().hear(clip)
        return f"{before} {self.last}" if isinstance(self.last, str) else self.last


class MadeAtRandom(Ears):
    counter = itertools.count()

    def __init__(self):
        self.number = next(self.counter)

    def hear(self, clip):
        return f"{heard} {self.number}" if isinstance(heard := super().hear(clip), str) else heard


class LongestFirst(Ears):
    def transcribe(self, clips):
        return super().transcribe(sorted(clips, key=lambda clip: clip.seconds))


class PaddedBatch(Ears):
    def transcribe(self, clips):
        return [f"{heard} of {len(clips)}" for heard in super().transcribe(clips)]


class RaisesOnBad(Ears):
    def hear(self, clip):
        return f"{len(clip.samples())} samples"


class BadIsEmptyText(Ears):
    def hear(self, clip):
        return heard if isinstance(heard := super().hear(clip), str) else ""


class OneIsMissing(Ears):
    def transcribe(self, clips):
        return super().transcribe(clips)[:2]


class RateVaries(Mouth):
    def say(self, text):
        self.rate = 16_000 + 1_000 * (len(text) % 7)
        return super().say(text)


class Silent(Mouth):
    def say(self, text):
        return AudioClip.from_samples(np.zeros(800 * len(text)), self.rate, text)


class SpeaksNothing(Mouth):
    def speak(self, texts):
        return [self.say(text or "nothing") for text in texts]


CAUGHT = {
    HearsNoWords: "what it makes can be used",
    HearsTheSame: "what it makes can be used",
    RemembersTheLast: "equal input gives equal output",
    MadeAtRandom: "equal input gives equal output",
    LongestFirst: "order is kept",
    PaddedBatch: "order is kept",
    OneIsMissing: "order is kept",
    RaisesOnBad: "a bad one fails alone",
    BadIsEmptyText: "a bad one fails alone",
    RateVaries: "what it makes can be used",
    Silent: "what it makes can be used",
    SpeaksNothing: "a bad one fails alone",
}
LAST = "it can be closed and made again"


def found(service):
    kind = "voice" if issubclass(service, Mouth) else "transcriber"
    return list(examine(ServiceUnderTest(service, kind), SERVICE_CHECKS))


@pytest.mark.parametrize("service", [Ears, Mouth])
def test_a_good_service_passes(service):
    """Otherwise authors learn to ignore the kit."""
    assert [one.check for one in found(service) if one.outcome == "failed"] == []
    assert [one.outcome for one in found(service)].count("passed") == len(SERVICE_CHECKS) - 1


@pytest.mark.parametrize(
    ("service", "check"), CAUGHT.items(), ids=lambda value: getattr(value, "__name__", "")
)
def test_a_broken_service_is_caught_by_name(service, check):
    """Otherwise spoken replies are graded by words that nobody said."""
    failed = {one.check: one.why for one in found(service) if one.outcome == "failed"}
    # What another one makes shows again where it is made anew.
    assert [name for name in failed if name != LAST] == [check], failed
