"""Continuations spoken by a voice, made once."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from speechzoo import AudioClip, Condition, Failure, ItemError, Setup
from speechzoo.catalogue import open_catalogue
from speechzoo.loading import fetch, load

from speechzoo_s2sbench.speech import Speaker
from speechzoo_s2sbench.task import S2SBench


class ToneVoice:
    """Says every text as a tone whose length tells the text's and whose loudness is its own."""

    def __init__(self, loudness: float) -> None:
        self.loudness = loudness
        self.said: list[str] = []

    def speak(self, texts: Sequence[str]) -> list[AudioClip | Failure]:
        self.said += texts
        return [self._speak(text) for text in texts]

    def _speak(self, text: str) -> AudioClip | Failure:
        if "…" in text:
            return Failure("nothing_to_say", f"{text!r} has no letter")
        samples = np.full(2000 + len(text), self.loudness, np.float32)
        return AudioClip.from_samples(samples, 16_000)

    def close(self) -> None: ...


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPEECHZOO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def setup(voice: ToneVoice, folder: Path | None = None) -> Setup:
    return Setup("s2sbench", folder, parts={"voice": lambda: voice})


def test_a_text_is_spoken_once() -> None:
    """Otherwise every run would synthesise thousands of endings again."""
    first, again = ToneVoice(0.1), ToneVoice(0.1)
    spoken = Speaker(setup(first)).speak("Hello.", "en")
    found = Speaker(setup(again)).speak("Hello.", "en")
    assert "Hello." in first.said and "Hello." not in again.said
    assert (found.digest, found.transcript) == (spoken.digest, "Hello.")


def test_two_voices_of_one_name_are_never_mixed() -> None:
    """Otherwise a run with another speed or other files would hear the old ones' speech."""
    one = Speaker(setup(ToneVoice(0.1))).speak("Hello.", "en")
    two = Speaker(setup(ToneVoice(0.2))).speak("Hello.", "en")
    assert one.samples()[0] == pytest.approx(0.1, abs=1e-3)
    assert two.samples()[0] == pytest.approx(0.2, abs=1e-3)


def test_what_cannot_be_said_is_told_and_not_kept(cache: Path) -> None:
    """Otherwise one item's silence would be scored, now and in every later run."""
    with pytest.raises(ItemError, match="nothing_to_say"):
        Speaker(setup(ToneVoice(0.1))).speak("…", "zh")
    assert not list(cache.rglob("*.audio"))


def test_a_voice_opens_speech_after_speech(folder: Path) -> None:
    """Otherwise the two conditions would need recordings that nobody has."""
    voice = ToneVoice(0.1)
    assert S2SBench(Setup("s2sbench", folder)).conditions == (Condition.T2T, Condition.S2T)
    made = S2SBench(setup(voice, folder), subset="sstorycloze")
    assert made.conditions == tuple(Condition)
    assert voice.said == []
    made.ask(made.items()[0], Condition.S2T)
    assert voice.said == []
    ask = made.ask(made.items()[0], Condition.T2S)
    assert [part.transcript for part in ask.continuations] == ["end  0.", "end wrong 0."]
    assert [part.language for part in ask.continuations] == ["en", "en"]
    assert voice.said[1:] == ["end  0.", "end wrong 0."]


@pytest.mark.stack
def test_piper_speaks_the_endings_of_the_small_set(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """Otherwise the way that is documented, a voice by its name, would not work."""
    monkeypatch.delenv("SPEECHZOO_CACHE")
    fetch(open_catalogue().service("piper-joe"), print)
    component = open_catalogue().task("s2sbench-mini/stories", {"voice": "piper-joe"})
    task = load(component)
    monkeypatch.setenv("SPEECHZOO_CACHE", str(cache))
    ask = task.ask(task.items()[0], Condition.S2S)
    assert all(0.5 < part.seconds < 10 for part in ask.continuations)
    assert len(list(cache.rglob("*.audio"))) == 2
