"""Texts as speech: each spoken once ever, whoever asks, and a failure kept by nobody."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from speechzoo import AudioClip, Failure, Parameter, ServiceSpec
from speechzoo.errors import SetupError, SpeechzooError, StoreError
from speechzoo.loading import Component
from speechzoo.run.progress import Silent
from speechzoo.run.speak import SpeechCache, speak


class Mouth:
    """Logs what it says; ``log`` decides no sample, ``pitch`` does."""

    def __init__(self, setup, *, log, pitch):
        if pitch < 0:
            raise SetupError("the mouth is shut")
        self._log, self._pitch = log, pitch

    def speak(self, texts):
        if "die" in texts:
            os._exit(9)
        with Path(f"{self._log}.processes").open("a") as file:
            file.write(f"{os.getpid()}\n")
        with Path(self._log).open("a") as file:
            file.write("".join(f"{text}\n" for text in texts))
        if "explode" in texts:
            raise ValueError("the voice raised")
        return [self._speak(text) for text in texts]

    def _speak(self, text):
        if text == "shy":
            return Failure("unspeakable", "not in company")
        if text == "silly":
            return 42
        times = np.arange(1600 + 16 * len(text)) / 16_000
        samples = 0.3 * np.sin(2 * np.pi * 200 * self._pitch * times)
        return AudioClip.from_samples(samples.astype(np.float32), 16_000, text, language="xx")

    def close(self):
        pass


class Told(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []
        self.stages: list[tuple[str, int, int]] = []
        self.steps = 0

    def say(self, text: str) -> None:
        self.said.append(text)

    def stage(self, name: str, total: int, done: int) -> None:
        self.stages.append((name, total, done))

    def advance(self, steps: int) -> None:
        self.steps += steps


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPEECHZOO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def mouth(log: Path, pitch: float = 1.0) -> Component:
    spec = ServiceSpec(
        name="mouth",
        kind="voice",
        target=f"{__name__}:Mouth",
        summary="logs what it says",
        parameters={"log": Parameter("", "a file", decides=False), "pitch": Parameter(1.0, "of the tone")},
    )
    return Component("service", "mouth", spec, "tests 1", {"log": str(log), "pitch": pitch})


def said(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


def test_a_text_is_spoken_once_ever(log: Path) -> None:
    """Otherwise: every task, run and data set pays the voice again, hours on a large one."""
    told = Told()
    first = speak(mouth(log), ["one", "two", "one"], "cpu", told)
    assert list(first) == ["one", "two"] and said(log) == ["one", "two"]
    assert (told.stages, told.steps) == ([("speaking (mouth)", 2, 0)], 2)
    again = Told()
    second = speak(mouth(log), ["two", "one", "three"], "cpu", again)
    assert said(log) == ["one", "two", "three"] and again.stages == [("speaking (mouth)", 3, 2)]
    assert second["one"].digest == first["one"].digest and list(second) == ["two", "one", "three"]


def test_what_is_kept_equals_what_was_spoken(log: Path) -> None:
    """Otherwise: a run that is taken up again hears other clips, or clips that do not tell their words."""
    [fresh] = speak(mouth(log), ["hello"], "cpu", Silent()).values()
    [kept] = speak(mouth(log), ["hello"], "cpu", Silent()).values()
    assert isinstance(fresh, AudioClip) and isinstance(kept, AudioClip)
    assert (fresh.data, fresh.transcript, fresh.language) == (kept.data, kept.transcript, kept.language)
    assert np.array_equal(fresh.samples(), kept.samples()) and kept.transcript == "hello"


def test_the_voice_is_not_loaded_when_nothing_is_missing(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise: a finished data set needs the voice's package, files and card to be looked at."""
    speak(mouth(log), ["one"], "cpu", Silent())
    monkeypatch.setattr(f"{__name__}.Mouth", None)
    assert isinstance(speak(mouth(log), ["one"], "cpu", Silent())["one"], AudioClip)
    assert speak(mouth(log), [], "cpu", Silent()) == {}


def test_failures_are_told_and_tried_again(log: Path) -> None:
    """Otherwise: one bad night marks texts as unspeakable for good, or they are missing without a word."""
    for _ in range(2):
        told = Told()
        spoken = speak(mouth(log), ["fine", "shy", "silly"], "cpu", told)
        assert isinstance(spoken["fine"], AudioClip)
        reasons = {text: one.reason for text, one in spoken.items() if isinstance(one, Failure)}
        assert reasons == {"shy": "unspeakable", "silly": "wrong_answer_shape"}
        assert told.said == [
            "2 texts could not be spoken (1 unspeakable, 1 wrong_answer_shape): not in company"
        ]
    assert said(log) == ["fine", "shy", "silly", "shy", "silly"]


def test_a_text_that_makes_the_voice_raise_fails_alone(log: Path) -> None:
    """Otherwise: one text ends the work on all others."""
    spoken = speak(mouth(log), ["one", "explode", "two"], "cpu", Silent())
    failure = spoken.pop("explode")
    assert isinstance(failure, Failure) and failure.reason == "model_error"
    assert all(isinstance(clip, AudioClip) for clip in spoken.values())


def test_a_voice_that_cannot_be_loaded_ends_the_command(log: Path) -> None:
    """Otherwise: a missing file shows as thousands of texts that cannot be spoken."""
    with pytest.raises(SetupError, match="the mouth is shut"):
        speak(mouth(log, pitch=-1.0), ["one"], "cpu", Silent())


def test_another_voice_has_a_cache_of_its_own(log: Path) -> None:
    """Otherwise: a run with another voice, speed or device is evaluated on the speech of the first."""
    folders = {
        SpeechCache(mouth(log, pitch), device).folder for pitch in (1.0, 1.1) for device in ("cpu", "cuda")
    }
    assert len(folders) == 4
    assert SpeechCache(mouth(log), "cuda:0").folder == SpeechCache(mouth(log), "cuda:1").folder
    assert SpeechCache(mouth(log), "cpu").folder == SpeechCache(mouth(log / "other"), "cpu").folder


def _speak_all(log: Path, first: int) -> None:
    speak(mouth(log), [f"text {number}" for number in range(first, first + 30)], "cpu", Silent())


def test_two_at_the_same_time_share_a_cache(log: Path) -> None:
    """Otherwise: two jobs of one array overwrite each other's clips half-way."""
    context = multiprocessing.get_context("fork")
    jobs = [context.Process(target=_speak_all, args=(log, first)) for first in (0, 10, 20)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    assert [job.exitcode for job in jobs] == [0] * 3
    before = len(said(log))
    spoken = speak(mouth(log), [f"text {number}" for number in range(50)], "cpu", Silent())
    assert len(said(log)) == before
    for text, clip in spoken.items():
        assert isinstance(clip, AudioClip) and len(clip.samples()) == 1600 + 16 * len(text)


def test_what_a_kill_leaves_is_not_taken_for_a_clip(log: Path) -> None:
    """Otherwise: a clip that was cut short is asked about ever after."""
    cache = SpeechCache(mouth(log), "cpu")
    [clip] = speak(mouth(log), ["one"], "cpu", Silent()).values()
    assert isinstance(clip, AudioClip) and isinstance(clip.data, Path)
    draft = clip.data.with_name(f".{clip.data.name}")
    draft.write_bytes(clip.data.read_bytes()[:100])
    clip.data.unlink()
    assert cache.read("one") is None
    [again] = speak(mouth(log), ["one"], "cpu", Silent()).values()
    assert isinstance(again, AudioClip) and again.samples().size and not draft.exists()


def test_a_cache_that_cannot_be_written_is_named(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise: a full or read-only cache ends in a traceback."""
    (log.parent / "file").write_text("in the way")
    monkeypatch.setenv("SPEECHZOO_CACHE", str(log.parent / "file"))
    with pytest.raises(StoreError, match=r"speech.*cannot be written"):
        speak(mouth(log), ["one"], "cpu", Silent())


TEXTS = [f"text {number}" for number in range(20)]


def test_several_jobs_say_the_same(log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise: what is heard depends on how many processes spoke, or they speak one after the other."""
    alone = speak(mouth(log), [*TEXTS, "shy"], "cpu", Silent())
    monkeypatch.setenv("SPEECHZOO_CACHE", str(tmp_path / "another"))
    told = Told()
    together = speak(mouth(tmp_path / "jobs"), [*TEXTS, "shy"], "cpu", told, jobs=2)
    assert list(together) == list(alone) and together["shy"] == alone["shy"]
    for text in TEXTS:
        one, other = alone[text], together[text]
        assert isinstance(one, AudioClip) and isinstance(other, AudioClip) and one.digest == other.digest
    processes = set((tmp_path / "jobs.processes").read_text().split())
    assert len(processes) == 2 and str(os.getpid()) not in processes
    assert (told.stages, told.steps) == ([("speaking (mouth)", 21, 0)], 21)
    assert len(told.said) == 1 and "1 unspeakable" in told.said[0]


def test_jobs_that_cannot_go_on_say_why(log: Path) -> None:
    """Otherwise: a missing file, or a machine without memory, ends in a traceback or waits for ever."""
    with pytest.raises(SetupError, match="the mouth is shut"):
        speak(mouth(log, pitch=-1.0), TEXTS, "cpu", Silent(), jobs=2)
    with pytest.raises(SpeechzooError, match=r"a process of mouth died.* fewer jobs"):
        speak(mouth(log), [*TEXTS, "die"], "cpu", Silent(), jobs=2)


def _speak_for_long(log: Path) -> None:
    speak(mouth(log), [f"text {number}" for number in range(20_000)], "cpu", Silent(), jobs=2)


def test_jobs_end_with_a_command_that_is_killed(log: Path) -> None:
    """Otherwise: each killed command leaves processes behind that hold a voice, or a card, for ever."""
    command = multiprocessing.get_context("fork").Process(target=_speak_for_long, args=(log,))
    command.start()
    processes = log.with_name("log.processes")
    until = time.monotonic() + 60
    while not processes.exists() or len(set(processes.read_text().split())) < 2:
        assert time.monotonic() < until and command.is_alive()
        time.sleep(0.05)
    assert command.pid is not None
    os.kill(command.pid, signal.SIGKILL)
    command.join()
    while any(Path(f"/proc/{number}").exists() for number in set(processes.read_text().split())):
        assert time.monotonic() < until
        time.sleep(0.05)
