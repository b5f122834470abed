"""Continuations that are clips, scored by the model's own audio tokens."""

import numpy as np
import pytest
import torch

from speechzoo import AudioClip, Failure, ScoreAnswer, ScoreAsk, lm, raw

CLOSE = 1e-4


def values(answer: ScoreAnswer | Failure) -> list[float]:
    assert isinstance(answer, ScoreAnswer), answer
    return [score.log_likelihood for score in answer.scores]


@pytest.mark.parametrize("budget", [1, 60, 10_000])
def test_scores_equal_the_plain_loop(tiny, clip, budget):
    """Which of two spoken endings a model prefers would depend on how the stories were batched."""
    endings = [clip(200 + 90 * i, 0.3 + 0.4 * i) for i in range(5)]
    asks = [
        ScoreAsk(raw("the cat", clip(700, 0.5 + 0.3 * i)), (endings[i], " sat on", endings[i + 1]))
        for i in range(4)
    ] + [ScoreAsk(raw(""), (endings[0], endings[4]))]
    for ask, answer in zip(asks, lm.score(tiny, asks, budget), strict=True):
        assert values(answer) == pytest.approx(values(lm.score_plainly(tiny, ask)), abs=CLOSE)
    assert len({value for answer in lm.score(tiny, asks, budget) for value in values(answer)}) > 10


def test_is_the_models_own_cross_entropy(tiny, clip):
    """The plain loop shares code with what it checks; here transformers itself is asked, with token ids."""
    [spoken] = tiny.audio_ids([clip(440, 1.5).samples(16_000)])
    before = tiny.ids("the cat")
    labels = torch.tensor([[-100] * len(before) + spoken])
    loss = tiny.model(input_ids=torch.tensor([before + spoken]), labels=labels).loss
    [answer] = lm.score(tiny, [ScoreAsk(raw("the cat"), (clip(440, 1.5),))], 100)
    assert answer.scores[0].tokens == len(spoken) == 12
    assert answer.scores[0].mean_nll == pytest.approx(loss.item(), abs=CLOSE)


def test_a_bad_clip_fails_alone(tiny, clip, tmp_path):
    """One damaged ending must not cost the other stories their scores, nor be compared."""
    bad = {
        "missing_file": AudioClip.from_file(tmp_path / "gone.wav"),
        "not_audio": AudioClip.from_bytes(b"<html>"),
        "silent": AudioClip.from_samples(np.zeros(8000, np.float32), 16_000),
        "too_long": clip(440, seconds=5.1),
        "too_short": clip(440, seconds=0.11),
    }
    asks = [ScoreAsk(raw("the cat"), (clip(300), end)) for one in bad.values() for end in (one, clip(900))]
    answers = lm.score(tiny, asks, 1000)
    assert [answer.reason for answer in answers[::2]] == list(bad)
    assert [lm.score_plainly(tiny, ask).reason for ask in asks[::2]] == list(bad)
    for answer in answers[1::2]:
        assert values(answer) == pytest.approx(values(lm.score_plainly(tiny, asks[1])), abs=CLOSE)


def test_models_without_audio_tokens_say_so(tiny, clip):
    """Somebody who sees no score must read that the model cannot give one, not that the item is bad."""
    text_only = lm.CausalLM(tiny.model, tiny.tokenizer, "text only")
    ask = ScoreAsk(raw("the cat"), (clip(300),))
    [failure] = lm.score(text_only, [ask], 100)
    assert failure == lm.score_plainly(text_only, ask)
    assert failure == Failure("speech_not_scored", "text only has no audio tokens to score")
