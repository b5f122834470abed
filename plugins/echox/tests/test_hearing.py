"""From clips to vectors: what the reference does, and what it must not depend on."""

import numpy as np
import pytest
import torch
from speechzoo_echox.audio_adapter import first_of_runs

from speechzoo import AudioClip, lm, user
from speechzoo.audio import silence


@pytest.fixture(scope="module")
def frames(echox, clips):
    ears = echox._lm.ears
    return ears.whisper.encode(ears.log_mel(clips[1].samples(16_000)))


@torch.inference_mode()
def test_frames_do_not_see_each_other_before_the_look_back(echox, frames):
    """The adapter was trained with time and batch confused; attention over time gives other vectors."""
    adapter = echox._lm.ears.adapter
    order = torch.randperm(750, generator=torch.Generator().manual_seed(0))
    pairs = frames.reshape(750, 2, -1)
    shuffled = adapter.adapted(pairs[order].reshape(1500, -1))
    assert torch.equal(shuffled, adapter.adapted(frames)[order])


@torch.inference_mode()
def test_dropped_frames_are_not_looked_back_at(echox, frames):
    """They were masked in training: a frame that was dropped must not change those kept."""
    adapter = echox._lm.ears.adapter
    adapted = adapter.adapted(frames)
    kept = first_of_runs(adapter.labels(adapted))
    assert 1 < int(kept.sum()) < 750
    masked = adapter.lbm.encoder_attn(
        adapted[kept][None], adapted[None], adapted[None], key_padding_mask=~kept[None], need_weights=False
    )[0][0]
    reference = adapter.lbm.atten_layer_norm(masked + adapted[kept])
    assert torch.allclose(adapter(frames), reference, atol=1e-5)


def test_the_first_frame_of_each_run_is_kept():
    """A run of one label is one vector, blanks included; frames of their own would be too many."""
    labels = torch.tensor([7, 7, 0, 0, 7, 7, 7, 3])
    assert first_of_runs(labels).tolist() == [True, False, True, False, True, False, False, True]
    assert first_of_runs(labels[:1]).tolist() == [True]


def test_what_a_clip_becomes_does_not_depend_on_others(echox, clips):
    """Near ties of CTC labels fall differently when sums are rounded differently."""
    together = lm.hear(echox._lm, [(user(clip),) for clip in clips])
    for clip in clips:
        alone = lm.hear(echox._lm, [(user(clip),)])
        assert torch.equal(alone[clip.digest], together[clip.digest])


def test_silence_and_speech_become_different_vectors(echox, clips):
    """Otherwise the model does not hear at all, and every score under audio is that of none."""
    quiet = silence(1.0)
    heard = lm.hear(echox._lm, [(user(clips[1]),), (user(quiet),)])
    assert heard[clips[1].digest].shape != heard[quiet.digest].shape


def test_more_than_30_seconds_fail_and_are_not_cut(echox):
    """The reference cuts without a word: the answer would be about half of the question."""
    long = AudioClip.from_samples(np.zeros(31 * 16_000, np.float32), 16_000)
    heard = lm.hear(echox._lm, [(user(long),)])
    assert heard[long.digest].reason == "too_long"
