"""Shared-prefix scoring against the plain teacher-forced loop."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import Gemma2Config, Gemma2ForCausalLM

from speechzoo import Failure, ScoreAnswer, ScoreAsk, lm, raw

CLOSE = 1e-4

texts = st.text(st.sampled_from("the cat sun 019,é好"), max_size=12)
continuations = st.lists(texts.filter(bool), min_size=1, max_size=4).map(tuple)
asked = st.builds(
    lambda parts, ends, chat: ScoreAsk(raw(*parts), ends, chat),
    st.lists(texts, max_size=3),
    continuations,
    st.booleans(),
)
several = st.lists(asked, min_size=1, max_size=6)
hypothesis_settings = settings(
    max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


def values(answer: ScoreAnswer | Failure) -> list[float]:
    assert isinstance(answer, ScoreAnswer)
    return [score.log_likelihood for score in answer.scores]


@hypothesis_settings
@given(asks=several, budget=st.sampled_from([1, 40, 200, 10_000]))
def test_equals_the_plain_loop_whatever_the_batch(tiny, asks, budget):
    """Without it, a published accuracy would depend on how the items happened to be batched."""
    for ask, answer in zip(asks, lm.score(tiny, asks, budget), strict=True):
        plain = lm.score_plainly(tiny, ask)
        assert values(answer) == pytest.approx(values(plain), abs=CLOSE)
        assert [s.tokens for s in answer.scores] == [s.tokens for s in plain.scores]
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
