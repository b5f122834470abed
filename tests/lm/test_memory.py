"""A device whose memory runs out: the tiny model, on one that holds so many tokens or clips at once."""

import logging

import pytest
import torch

from speechzoo import ReplyAsk, ScoreAsk, lm, raw, user
from tests.lm.conftest import TinySpeechLM


class SmallMemory(TinySpeechLM):
    """Forward passes that hold more tokens than ``tokens``, cache included, run out of memory."""

    tokens = 10_000
    clips = 10_000
    clips_at_once = 4

    def __init__(self, *parts):
        super().__init__(*parts)
        self.refused = 0

    def logits(self, embeddings, mask, positions, cache, last=0):
        cached = cache.get_seq_length() if cache is not None else 0
        self._take(len(embeddings) * (embeddings.shape[1] + cached), self.tokens)
        return super().logits(embeddings, mask, positions, cache, last)

    def embed_audio(self, features):
        self._take(len(features), self.clips)
        return super().embed_audio(features)

    def _take(self, wanted, there):
        if wanted > there:
            self.refused += 1
            raise torch.OutOfMemoryError(f"tried to allocate {wanted}")


@pytest.fixture
def small(tiny):
    return SmallMemory(tiny.model, tiny.tokenizer, "small")


def asks_of(clip, count=9):
    return [
        ScoreAsk(raw("the cat ", clip(200 + 40 * i, 0.3 + 0.2 * (i % 4))), (" sat on", " a", " moon; ten"))
        for i in range(count)
    ]


def close(answers, others):
    pairs = zip(answers, others, strict=True)
    scores = [(a, b) for one, other in pairs for a, b in zip(one.scores, other.scores, strict=True)]
    return all(a.log_likelihood == pytest.approx(b.log_likelihood, abs=1e-4) for a, b in scores)


@pytest.mark.parametrize("tokens", [25, 60, 100])
def test_scores_stay_the_same(tiny, small, clip, tokens):
    """A run that meets a smaller GPU must not end, nor end with other numbers."""
    small.tokens = tokens
    assert close(lm.score(small, asks_of(clip), 10_000), lm.score(tiny, asks_of(clip), 10_000))
    assert small.refused > 0


def test_the_smaller_budget_stays(small, clip, caplog):
    """A run of 19,000 items would run out of memory, and say so, in every one of its batches."""
    small.tokens = 100
    with caplog.at_level(logging.WARNING):
        first = lm.score(small, asks_of(clip), 10_000)
        refused, small.refused = small.refused, 0
        again = lm.score(small, asks_of(clip), 10_000)
    assert refused > 0
    assert small.refused == 0
    assert close(first, again)
    assert [record.getMessage() for record in caplog.records] == [
        "memory ran out with 351 tokens at once: batches are smaller from now on"
    ]


def test_what_does_not_fit_alone_fails_alone(tiny, small, clip):
    """One recording too long for the GPU must not cost the others their scores, nor be a zero."""
    small.tokens = 40
    [good] = lm.score(tiny, asks_of(clip, 1), 100)
    long_context = ScoreAsk(raw("9" * 60), (" sat",))
    long_ending = ScoreAsk(raw("the cat"), (" sat", "9" * 60))
    asks = [*asks_of(clip, 1), long_context, long_ending, *asks_of(clip, 1)]
    answers = lm.score(small, asks, 10_000)
    assert [answer.reason for answer in answers[1:3]] == ["out_of_memory"] * 2
    assert "60 context tokens" in answers[1].detail
    assert close(answers[::3], [good, good])


def test_clips_are_encoded_in_smaller_batches(tiny, small, clip, caplog):
    """As of tokens: an encoder that takes two clips at once must not be offered four for ever."""
    small.clips = 1
    with caplog.at_level(logging.WARNING):
        assert close(lm.score(small, asks_of(clip), 1000), lm.score(tiny, asks_of(clip), 1000))
        refused, small.refused = small.refused, 0
        lm.score(small, asks_of(clip), 1000)
    assert (refused, small.refused) == (2, 0)
    assert [record.getMessage() for record in caplog.records] == [
        "memory ran out with 4 clips at once: batches are smaller from now on"
    ]


def test_a_clip_that_does_not_fit_alone_is_named(small, clip):
    """The user reads which recording is at fault."""
    small.clips = 0
    for answer in lm.score(small, asks_of(clip, 3), 1000):
        assert answer.reason == "out_of_memory"
        assert answer.detail.startswith("clip of ")


def test_replies_stay_the_same(tiny, small, clip):
    """As of scores."""
    small.tokens = 60
    asks = [ReplyAsk((user("the ", clip(300 + 50 * i), " cat"),), max_tokens=4) for i in range(4)]
    too_long = ReplyAsk((user("9" * 70),), max_tokens=4)
    *answers, failure = lm.reply(small, [*asks, too_long], 10_000)
    assert answers == lm.reply(tiny, asks, 10_000)
    assert failure.reason == "out_of_memory"
    assert small.refused > 0
