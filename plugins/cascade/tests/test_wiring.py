"""What the cascade does with its parts, on stand-ins for them."""

import os
import subprocess
import sys

import numpy as np
import pytest
from speechzoo_cascade.cascade import Cascade
from speechzoo_cascade.text_llm import TextLLM
from speechzoo_cascade.transcriber import WhisperTranscriber

from speechzoo import (
    AudioClip,
    ContinuationScore,
    Failure,
    ReplyAnswer,
    ReplyAsk,
    ScoreAnswer,
    ScoreAsk,
    Setup,
    assistant,
    raw,
    user,
)
from speechzoo.errors import SetupError
from speechzoo.lm.gguf import convert


def clip(level: float) -> AudioClip:
    return AudioClip.from_samples(np.full(1600, level, np.float32), 16_000)


class LoudnessTranscriber:
    """Hears how loud a clip is; zero is beyond it."""

    def __init__(self):
        self.heard = 0

    def transcribe(self, clips):
        self.heard += len(clips)
        levels = [float(c.samples().mean()) for c in clips]
        return [f"level {v:.1f}" if v else Failure("not_audio", "silent") for v in levels]

    def close(self): ...


class EchoLLM:
    """Scores by length and replies with all it was given."""

    def score(self, asks):
        return [ScoreAnswer(tuple(ContinuationScore(-len(c), 1) for c in a.continuations)) for a in asks]

    def reply(self, asks):
        return [ReplyAnswer("|".join(m.text for m in a.dialogue)) for a in asks]

    def close(self): ...


class ToneVoice:
    def speak(self, texts):
        return [clip(0.5) if text else Failure("nothing_to_say") for text in texts]

    def close(self): ...


def no_voice():
    raise AssertionError("the voice was loaded")


@pytest.fixture
def ears():
    return LoudnessTranscriber()


def cascade_of(ears, voice=ToneVoice) -> Cascade:
    return Cascade(Setup("cascade", parts={"transcriber": lambda: ears, "llm": EchoLLM, "voice": voice}))


def test_clips_become_words_also_in_the_history(ears):
    """A later turn refers to the first: without its words the model answers blindly."""
    dialogue = (user("hear: ", clip(0.1)), assistant("yes"), user(clip(0.2)))
    [answer] = cascade_of(ears, no_voice).reply([ReplyAsk(dialogue)])
    assert answer.text == "hear: level 0.1|yes|level 0.2"
    assert answer.heard == "level 0.1 level 0.2"
    assert set(answer.timings) == {"transcribe", "think"}


def test_equal_clips_are_heard_once(ears):
    """Four options about one question would otherwise be transcribed four times."""
    asks = [ScoreAsk(raw("p", clip(0.3)), (end,)) for end in ("a", "b", "c")]
    assert len(cascade_of(ears, no_voice).score(asks)) == 3
    assert ears.heard == 1


def test_a_bad_clip_fails_alone_and_in_place(ears, tmp_path):
    """One damaged file must not cost its neighbours their answers, nor shift them."""
    gone = AudioClip.from_file(tmp_path / "gone.wav")
    asks = [ReplyAsk((user(c),)) for c in (clip(0.1), clip(0.0), gone, clip(0.2))]
    first, silent, missing, last = cascade_of(ears, no_voice).reply(asks)
    assert (first.text, last.text) == ("level 0.1", "level 0.2")
    assert (silent.reason, missing.reason) == ("not_audio", "missing_file")


def test_speech_only_where_it_was_asked(ears):
    """A voice speaking replies nobody hears would double the time of a run."""
    asks = [ReplyAsk((user("a"),), speech=True), ReplyAsk((user("b"),)), ReplyAsk((user(""),), speech=True)]
    spoken, written, mute = cascade_of(ears).reply(asks)
    assert spoken.clip is not None
    assert set(spoken.timings) == {"think", "speak"}
    assert written.clip is None
    assert mute == Failure("nothing_to_say")
    assert ears.heard == 0


@pytest.mark.parametrize("role", ["transcriber", "llm"])
def test_broken_parts_show_when_the_cascade_is_made(role):
    """A run would otherwise be planned and its clips spoken before the machine turns out to lack a GPU."""

    def broken():
        raise SetupError("no GPU")

    parts = {"transcriber": LoudnessTranscriber, "llm": EchoLLM, "voice": no_voice, role: broken}
    with pytest.raises(SetupError, match="no GPU"):
        Cascade(Setup("cascade", parts=parts))


def test_a_missing_gpu_is_named_by_the_transcriber(tmp_path, monkeypatch):
    """The user reads which part asked for which device, not a stack trace of CTranslate2."""

    def no_driver(*_, **__):
        raise RuntimeError("CUDA driver version is insufficient")

    monkeypatch.setattr("speechzoo_cascade.transcriber.WhisperModel", no_driver)
    with pytest.raises(SetupError, match=r"ears cannot be loaded .* on cuda:0 in int8: CUDA driver"):
        WhisperTranscriber(Setup("ears", tmp_path, device="cuda:0"))


def test_a_folder_without_whisper_is_named(tmp_path):
    """As above, of a wrong folder."""
    with pytest.raises(SetupError, match=tmp_path.name):
        WhisperTranscriber(Setup("ears", tmp_path))


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system binds no process to CPUs")
def test_the_transcriber_uses_the_cpus_it_may_use(tmp_path, monkeypatch):
    """In a job of 2 CPUs on a machine of 64, 64 threads would fight for them and everything crawl."""
    made = {}
    monkeypatch.setattr("speechzoo_cascade.transcriber.WhisperModel", lambda *_, **given: made.update(given))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 5, 7})
    WhisperTranscriber(Setup("ears", tmp_path))
    assert made["cpu_threads"] == 3


def test_plugin_module_is_light():
    """`speechzoo list` must not take ten seconds to import torch."""
    code = "import sys, speechzoo_cascade.plugin; print([m for m in sys.modules if m in {'torch', 'numpy'}])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_conversion_leaves_other_folders_alone(tmp_path):
    """Files of a user's own checkpoint must not be touched."""
    (tmp_path / "config.json").write_text("{}")
    convert(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["config.json"]


def test_a_folder_that_is_no_checkpoint_is_named(tmp_path):
    """The user sees which folder is wrong, not a stack trace of transformers."""
    with pytest.raises(SetupError, match=r"no config\.json"):
        TextLLM(Setup("mine", tmp_path))
