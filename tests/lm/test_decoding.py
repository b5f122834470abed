"""Replies of the tiny model."""

from dataclasses import replace

import pytest

from speechzoo import ReplyAsk, assistant, lm, user
from speechzoo.errors import SetupError
from speechzoo.lm.device import torch_device, torch_dtype

ASKS = [
    ReplyAsk((user(text),), max_tokens=limit)
    for text, limit in (("the cat", 8), ("a sun, a moon; ten stars and more", 5), ("9", 8))
]


def test_batched_replies_equal_single_ones(tiny):
    """Left padding gone wrong makes every reply of a batch but the longest worse."""
    single = [lm.reply(tiny, [ask], 1)[0] for ask in ASKS]
    assert lm.reply(tiny, ASKS, 10_000) == single
    assert lm.reply(tiny, ASKS[::-1], 10_000) == single[::-1]


def test_a_cut_reply_says_so(tiny):
    """A cut reply counted as whole would be judged as a bad answer."""
    [reply] = lm.reply(tiny, [replace(ASKS[0], max_tokens=1)], 100)
    assert reply.truncated


def test_an_ended_reply_is_not_truncated(tiny, monkeypatch):
    """And one that ended by itself must not be reported as cut, nor show its end token."""
    ask = replace(ASKS[0], max_tokens=5)
    [cut] = lm.reply(tiny, [ask], 100)
    prompt = tiny.embed_context(ask.dialogue, True)[None]
    third = int(tiny.model.generate(inputs_embeds=prompt, max_new_tokens=3)[0, 2])
    monkeypatch.setattr(tiny, "end_ids", [third])
    monkeypatch.setattr(tiny.model.generation_config, "eos_token_id", [third])
    [ended] = lm.reply(tiny, [ask], 100)
    assert (cut.truncated, ended.truncated) == (True, False)
    assert len(ended.text) < len(cut.text)


def test_sampling_depends_on_seed_and_ask_alone(tiny):
    """Sampled replies must be the same in a resumed or sharded run."""
    together = lm.reply(tiny, ASKS, 10_000, temperature=1.0, seed=3)
    assert [lm.reply(tiny, [ask], 10_000, temperature=1.0, seed=3)[0] for ask in ASKS] == together
    assert lm.reply(tiny, ASKS, 10_000, temperature=1.0, seed=4) != together


def test_too_long_prompts_are_refused(tiny):
    """A prompt cut from the left would lose the question without a word."""
    [failure] = lm.reply(tiny, [ReplyAsk((user("9" * 250),), max_tokens=8)], 100)
    assert failure.reason == "too_long"


def test_history_is_read(tiny):
    """Multi-turn tasks would measure single turns if the history were dropped."""
    [short] = lm.reply(tiny, [ASKS[0]], 100)
    [long] = lm.reply(tiny, [replace(ASKS[0], dialogue=(user("a"), assistant("b"), user("the cat")))], 100)
    assert short.text != long.text


def test_base_model_cannot_chat(tiny, monkeypatch):
    """Made-up formats would be measured instead of the model."""
    monkeypatch.setattr(tiny.tokenizer, "chat_template", None)
    with pytest.raises(SetupError, match="no chat template"):
        lm.reply(tiny, ASKS, 100)


@pytest.mark.parametrize("name", ["cuda:99", "cuda", "tpu", "cuda:x"])
def test_missing_devices_are_named(name, monkeypatch):
    """The user learns what is missing instead of reading a stack trace of torch."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(SetupError, match=name):
        torch_device(name)


def test_unknown_dtype_is_named():
    """As above."""
    with pytest.raises(SetupError, match="int3"):
        torch_dtype("int3")
