"""Replies of the tiny model."""

from dataclasses import replace

import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from speechzoo import ReplyAsk, assistant, lm, user
from speechzoo.errors import SetupError
from speechzoo.lm.device import torch_device, torch_dtype

ASKS = [
    ReplyAsk((user(text),), max_tokens=limit)
    for text, limit in (("the cat", 8), ("a sun, a moon; ten stars and more", 5), ("9", 8))
]


def prompt_of(model, ask):
    return model.embed_context(ask.dialogue, True, {})


def of_transformers(model, prompts, **options):
    """What transformers' own ``generate`` makes of a left-padded batch."""
    lengths = torch.tensor([len(prompt) for prompt in prompts])
    return model.model.generate(
        inputs_embeds=pad_sequence(prompts, batch_first=True, padding_side="left"),
        attention_mask=(torch.arange(max(lengths)) >= max(lengths) - lengths[:, None]).long(),
        max_new_tokens=12,
        pad_token_id=0,
        **options,
    ).tolist()


def upto_end(row, ends):
    return row[: next((i + 1 for i, token in enumerate(row) if token in ends), None)]


@pytest.mark.parametrize("ends", [[], [24, 109], list(range(2, 300, 9))])
def test_tokens_are_those_of_transformers(tiny, monkeypatch, ends):
    """Replies of another loop could not be compared with those anybody else gets from the model."""
    monkeypatch.setattr(tiny, "end_ids", ends)
    prompts = [prompt_of(tiny, ask) for ask in ASKS]
    theirs = of_transformers(tiny, prompts, do_sample=False, eos_token_id=ends or [-1])
    assert lm.generate(tiny, prompts, [12] * 3) == [upto_end(row, ends) for row in theirs]


def test_draws_are_those_of_transformers(tiny):
    """Sampled replies would come from another distribution than the temperature says."""
    prompts = [prompt_of(tiny, ASKS[0])]
    torch.manual_seed(5)
    theirs = of_transformers(tiny, prompts, do_sample=True, temperature=0.7, top_k=0, eos_token_id=1)
    before = torch.random.get_rng_state()
    assert lm.generate(tiny, prompts, [12], temperature=0.7, state=5) == [upto_end(theirs[0], [1])]
    assert torch.equal(torch.random.get_rng_state(), before)


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
    third = lm.generate(tiny, [prompt_of(tiny, ask)], [3])[0][2]
    monkeypatch.setattr(tiny, "end_ids", [third])
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
