"""speechzoo's own questions to every model, on its tiny checkpoint."""

import json
import shutil

import pytest
import torch
from speechzoo_hf_speech.tiny import BUILDERS

from speechzoo import Capability, Condition, ReplyAsk, ScoreAnswer, loading, testing, user
from speechzoo.asks import score_asks
from speechzoo.catalogue import open_catalogue
from speechzoo.errors import SetupError
from speechzoo.testing import probes

SHORT = {
    "qwen2.5-omni": {"max_speech_tokens": 24},
    "qwen3-omni": {"max_speech_tokens": 24},
    "moshi": {"seconds": 2.0},
}
"""Spoken replies."""


@pytest.fixture(scope="module")
def model_under_test(adapter, folder):
    subject = testing.model(f"{adapter}@{folder}", SHORT.get(adapter))
    yield subject
    subject.close()


@pytest.fixture(scope="module")
def plugin_under_test():
    return testing.plugin("hf-speech")


def test_the_model_conforms(adapter, model_check):
    """Otherwise numbers of this model are not comparable with those of others."""
    model_check()


def test_tiny_weights_do_not_depend_on_what_was_drawn_before(adapter, folder, tmp_path):
    """Otherwise a test passes or fails by the tests that ran before it."""
    torch.rand(1)
    BUILDERS[adapter](tmp_path)
    files = [file.relative_to(folder) for file in folder.rglob("*.safetensors")]
    assert files
    assert [file for file in files if (folder / file).read_bytes() != (tmp_path / file).read_bytes()] == []


def test_the_plugin_conforms(plugin_check):
    """Otherwise the plugin is set aside, or breaks the commands of others."""
    plugin_check()


def test_a_real_task_can_be_asked_in_both_arms(adapter, model_under_test):
    """Otherwise the adapter passes every small question and fails on the first data set."""
    if not model_under_test.can(Capability.SCORE_UNDER_AUDIO):
        pytest.skip("it has no scores")
    task = loading.load(open_catalogue().task("s2sbench-mini"))
    items = list(task.items())[:6]
    for condition in (Condition.T2T, Condition.S2T):
        asks = [task.ask(item, condition) for item in items]
        answers = model_under_test.answers([one for ask in asks for one in score_asks(ask)])
        assert len(answers) >= len(items)
        for answer in answers:
            assert isinstance(answer, ScoreAnswer), answer
            heard = answer.scores[0].audio_tokens
            assert bool(heard) == condition.speech_in


@pytest.mark.parametrize("adapter", ["granite-speech", "phi-4-multimodal"], indirect=True)
def test_lora_is_on_only_where_audio_is_heard(adapter, folder, tmp_path):
    """Otherwise the text arm is not the base LLM's, or the speech arm hears without its LoRA."""
    bare = shutil.copytree(
        folder, tmp_path / "bare", ignore=shutil.ignore_patterns("adapter_*", "speech-lora")
    )
    config = json.loads((bare / "config.json").read_text())
    (bare / "config.json").write_text(json.dumps({**config, "has_lora_adapter": False}))
    asks = [probes.score(probes.MIDDLE), probes.score(probes.HARBOUR), probes.score(probes.SHORT)]
    read, heard, read_after = testing.model(f"{adapter}@{folder}").answers(asks)
    bare_read, bare_heard, bare_after = testing.model(f"{adapter}@{bare}").answers(asks)
    assert total(read) == pytest.approx(total(bare_read), abs=1e-4)
    assert total(read_after) == pytest.approx(total(bare_after), abs=1e-4)
    assert abs(total(heard) - total(bare_heard)) > 0.1


def total(answer):
    return answer.scores[0].log_likelihood


@pytest.mark.parametrize("adapter", ["granite-speech"], indirect=True)
def test_a_missing_lora_is_named(adapter, folder, tmp_path):
    """Otherwise speech is heard with weights that were never trained for it, and the gap is huge."""
    bare = shutil.copytree(folder, tmp_path / "bare", ignore=shutil.ignore_patterns("adapter_*"))
    with pytest.raises(SetupError, match="lacks its LoRA"):
        testing.model(f"{adapter}@{bare}").renew()


@pytest.mark.parametrize("adapter", ["qwen2.5-omni"], indirect=True)
def test_a_missing_speaker_file_or_speaker_is_named(adapter, folder, tmp_path):
    """Otherwise the user reads that a file of the hub is missing, or a reply fails after an hour."""
    mute = shutil.copytree(folder, tmp_path / "mute", ignore=shutil.ignore_patterns("spk_dict.pt"))
    with pytest.raises(SetupError, match=r"lacks spk_dict\.pt"):
        testing.model(f"{adapter}@{mute}").renew()
    with pytest.raises(SetupError, match="it has Chelsie"):
        testing.model(f"{adapter}@{folder}", {"speaker": "Nobody"}).renew()


@pytest.mark.parametrize("adapter", ["qwen2.5-omni", "qwen3-omni"], indirect=True)
def test_speech_that_does_not_end_is_truncated(adapter, folder):
    """Otherwise half a sentence is graded as the whole reply."""
    subject = testing.model(f"{adapter}@{folder}", SHORT[adapter])
    reply = subject.answer(ReplyAsk((user(probes.HARBOUR, " Who?"),), speech=True, max_tokens=4))
    assert reply.truncated
    assert reply.clip.header.rate == 24_000


@pytest.mark.parametrize("adapter", ["audio-flamingo-3"], indirect=True)
def test_an_extractor_for_another_rate_is_refused(adapter, folder, tmp_path):
    """Otherwise speech is heard at the wrong pitch and every score is a little wrong."""
    other = shutil.copytree(folder, tmp_path / "other")
    file = other / "processor_config.json"
    file.write_text(file.read_text().replace("16000", "24000"))
    with pytest.raises(SetupError, match="24000 Hz"):
        testing.model(f"{adapter}@{other}").renew()
