"""Shared-prefix scoring against the plain teacher-forced loop."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import Gemma2Config, Gemma2ForCausalLM

from speechzoo import Failure, ScoreAnswer, ScoreAsk, lm, raw
from tests.lm.conftest import clip_of

CLOSE = 1e-4

CLIPS = [clip_of(pitch, seconds) for pitch, seconds in ((300, 0.4), (500, 1.0), (900, 2.5), (300, 0.4))]

texts = st.text(st.sampled_from("the cat sun 019,é好"), max_size=12)
clips = st.sampled_from(CLIPS)
continuations = st.lists(
    clips | st.text(st.sampled_from("the cat sun 019,"), min_size=1, max_size=20), min_size=1, max_size=5
).map(tuple)
contexts = st.tuples(st.lists(texts | clips, max_size=3).map(lambda parts: raw(*parts)), st.booleans())
several = contexts.flatmap(
    lambda shared: st.lists(
        st.builds(
            lambda context, ends: ScoreAsk(context[0], ends, context[1]),
            st.just(shared) | contexts,
            continuations,
        ),
        min_size=1,
        max_size=6,
    )
)
hypothesis_settings = settings(
    max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


def values(answer: ScoreAnswer | Failure) -> list[float]:
    assert isinstance(answer, ScoreAnswer)
    return [score.log_likelihood for score in answer.scores]


def counts(answer: ScoreAnswer) -> list[tuple[int, int | None]]:
    return [(score.tokens, score.audio_tokens) for score in answer.scores]


@hypothesis_settings
@given(asks=several, budget=st.sampled_from([1, 40, 200, 10_000]))
def test_equals_the_plain_loop_whatever_the_batch(tiny, asks, budget):
    """Without it, a published accuracy would depend on how the items happened to be batched."""
    for ask, answer in zip(asks, lm.score(tiny, asks, budget), strict=True):
        plain = lm.score_plainly(tiny, ask)
        assert values(answer) == pytest.approx(values(plain), abs=CLOSE)
        assert counts(answer) == counts(plain)
        best = max(values(plain))
        assert values(plain)[int(np.argmax(values(answer)))] == pytest.approx(best, abs=CLOSE)


@hypothesis_settings
@given(asks=several, seed=st.randoms(use_true_random=False))
def test_order_does_not_matter(tiny, asks, seed):
    """Without it, resuming a run or sharding it over machines would change the result."""
    order = list(range(len(asks)))
    seed.shuffle(order)
    straight = lm.score(tiny, asks, 300)
    shuffled = lm.score(tiny, [asks[i] for i in order], 300)
    for place, i in enumerate(order):
        assert values(shuffled[place]) == pytest.approx(values(straight[i]), abs=CLOSE)


def test_is_the_models_own_cross_entropy(tiny):
    """The oracle shares code with what it checks; here transformers itself is asked, with token ids."""
    ids = tiny.ids("the cat") + tiny.ids(" sat on")
    labels = torch.tensor([[-100] * len(tiny.ids("the cat")) + tiny.ids(" sat on")])
    loss = tiny.model(input_ids=torch.tensor([ids]), labels=labels).loss
    [answer] = lm.score(tiny, [ScoreAsk(raw("the cat"), (" sat on",))], 100)
    assert answer.scores[0].mean_nll == pytest.approx(loss.item(), abs=CLOSE)


def test_pieces_are_tokenized_apart(tiny):
    """A merge across the boundary would score other tokens than the reference protocol does."""
    together = tiny.ids("the cat")
    apart = tiny.ids("th") + tiny.ids("e cat")
    assert together != apart
    embedded = tiny.embed_context(raw("th", "e cat"), False, {})
    assert torch.equal(embedded, tiny.embed(torch.tensor(apart)))


def test_one_context_is_prefilled_once(tiny, monkeypatch):
    """Four options as four asks would otherwise cost four prefills."""
    prefilled = []
    logits = tiny.logits

    def counted(embeddings, mask, positions, cache, last=0):
        if cache is None:
            prefilled.append(len(embeddings))
        return logits(embeddings, mask, positions, cache, last)

    monkeypatch.setattr(tiny, "logits", counted)
    lm.score(tiny, [ScoreAsk(raw("the cat"), (end,)) for end in (" a", " b cat", " c", " a")], 10_000)
    assert prefilled == [1]


def test_equal_continuations_are_tokenized_once(tiny, clip, monkeypatch):
    """The letters A to D after each of 19,000 questions would be tokenized 76,000 times."""
    tokenized = []
    ids = tiny.ids
    monkeypatch.setattr(tiny, "ids", lambda text: tokenized.append(text) or ids(text))
    monkeypatch.setattr(tiny, "tokenized", [])
    options = (" A", " B", clip(300), clip(300))
    asks = [ScoreAsk(raw(clip(300 + 100 * i)), options) for i in range(3)]
    lm.score(tiny, asks, 1000)
    assert tokenized == [" A", " B"]
    assert tiny.tokenized == [1]


@pytest.mark.parametrize(("contexts", "masked"), [(("the cat", "the cat"), 0), (("the cat", "the c"), 2)])
def test_equal_lengths_need_no_mask(tiny, monkeypatch, contexts, masked):
    """With a mask, attention cannot take its fastest way, even if nothing is padded."""
    masks = []
    logits = tiny.logits

    def noted(embeddings, mask, positions, cache, last=0):
        masks.append(mask)
        return logits(embeddings, mask, positions, cache, last)

    monkeypatch.setattr(tiny, "logits", noted)
    asks = [ScoreAsk(raw(f"{i}", text), (" a b", " b c d")) for i, text in enumerate(contexts)]
    answers = lm.score(tiny, asks, 10_000)
    assert len(masks) == 2
    assert sum(mask is not None for mask in masks) == masked
    for ask, answer in zip(asks, answers, strict=True):
        assert values(answer) == pytest.approx(values(lm.score_plainly(tiny, ask)), abs=CLOSE)


def test_many_logits_are_taken_in_pieces(tiny, monkeypatch):
    """The pieces that keep memory small must be put together again in order."""
    asks = [ScoreAsk(raw(str(i)), (" a sun, a moon", " cat")) for i in range(5)]
    whole = [values(answer) for answer in lm.score(tiny, asks, 1000)]
    monkeypatch.setattr("speechzoo.lm.scoring._LOGITS_AT_ONCE", 3 * 300)
    assert [values(answer) for answer in lm.score(tiny, asks, 1000)] == [
        pytest.approx(one, abs=1e-5) for one in whole
    ]


def test_empty_context_is_the_beginning_token(tiny):
    """The context-free prior must be a defined number for every model."""
    [prior] = lm.score(tiny, [ScoreAsk(raw(""), (" cat",))], 100)
    [spelled] = lm.score(tiny, [ScoreAsk(raw("<s>"), (" cat",))], 100)
    assert values(prior) == pytest.approx(values(spelled), abs=1e-6)


def test_bad_asks_fail_alone_and_say_why(tiny):
    """One bad item must cost itself, not its neighbours, and never be cut silently."""
    good = ScoreAsk(raw("the cat"), (" sat",))
    [alone] = lm.score(tiny, [good], 500)
    asks = [
        replace(good, continuations=(" sat", "")),
        good,
        ScoreAsk(raw("9" * 300), (" sat",)),
    ]
    empty, same, long = lm.score(tiny, asks, 500)
    assert [f.reason for f in (empty, long)] == ["empty_continuation", "too_long"]
    assert "256" in long.detail
    assert values(same) == pytest.approx(values(alone), abs=CLOSE)


def test_sliding_windows_and_capped_logits(tiny, redraw):
    """Models whose head is more than a matrix, or whose cache forgets, need the same numbers."""
    config = Gemma2Config(
        vocab_size=300,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        sliding_window=6,
        final_logit_softcapping=5.0,
    )
    model = Gemma2ForCausalLM(config)
    redraw(model)
    gemma = lm.CausalLM(model, tiny.tokenizer, "tiny gemma")
    asks = [
        ScoreAsk(raw(context), (" cat sat on", " a", " 0123456789"))
        for context in ("the", "the cat sat on the mat and the dog", "a sun, a moon")
    ]
    for ask, answer in zip(asks, lm.score(gemma, asks, 1000), strict=True):
        assert values(answer) == pytest.approx(values(lm.score_plainly(gemma, ask)), abs=CLOSE)
