"""The whole model: scores, written and spoken replies, streams, dialogues."""

import numpy as np
import pytest
import torch
from speechzoo_echox.echox import EchoX
from speechzoo_echox.prompt import prompt
from speechzoo_echox.tiny import PLAIN_PIECES, build

from speechzoo import AudioClip, DialogueAsk, Failure, ItemError, ReplyAsk, ScoreAsk, Setup, lm, raw, user
from speechzoo.run.execute import answer_batch

ENDS = (" yes", " no, not at all", ".")


def contexts(clips):
    """Of many lengths, with and without clips."""
    return [
        (user(clips[0]),),
        (user("What is the capital of France?"),),
        (user(clips[2], "Say it again."),),
        (user("hi"),),
    ]


def score(answer):
    return np.array([s.log_likelihood for s in answer.scores])


@pytest.mark.parametrize("chat", [True, False])
def test_scores_in_a_batch_are_those_of_the_plain_way(echox, clips, chat):
    """Padding, shared prefixes and masked ends of turns must not move a score."""
    asks = [ScoreAsk(context, ENDS, chat) for context in contexts(clips)]
    for ask, answer in zip(asks, echox.score(asks), strict=True):
        plain = lm.score_plainly(echox._lm, echox._in_format(ask))
        assert np.abs(score(answer) - score(plain)).max() < 1e-4
        [alone] = echox.score([ask])
        assert np.abs(score(answer) - score(alone)).max() < 1e-4


@torch.inference_mode()
@pytest.mark.parametrize("with_clip", [True, False])
def test_scores_are_those_of_the_llm_with_the_reference_s_mask(echox, clips, with_clip):
    """Ends of turns are masked as keys beside a clip, seen without one, and keep their places."""
    model = echox._lm
    context = (user(clips[0], "Go on."), user("Well?")) if with_clip else (user("Go on."), user("Well?"))
    heard = lm.hear(model, [context])
    ids, embedded = [], []
    for item in prompt(context, model.tokens, model.ids):
        vectors = heard[item.digest] if isinstance(item, AudioClip) else model.embed(torch.tensor([item]))
        ids += [item if isinstance(item, int) else -1] * len(vectors)
        embedded.append(vectors)
    scored = [model.tokens.bos, *model.ids(" yes")]
    given = torch.cat([*embedded, model.embed(torch.tensor(scored))])[None]
    mask = torch.tensor([i != model.tokens.pad or not with_clip for i in ids] + [True] * len(scored))[None]
    assert (not mask.all()) == with_clip
    output = model.model(
        inputs_embeds=given, attention_mask=mask.long(), position_ids=torch.arange(given.shape[1])[None]
    )
    likely = torch.log_softmax(output.logits[0], -1)
    expected = sum(likely[len(ids) + n, token] for n, token in enumerate(scored[1:]))
    [answer] = echox.score([ScoreAsk(context, (" yes",), chat=True)])
    assert abs(answer.scores[0].log_likelihood - float(expected)) < 1e-4
    assert answer.scores[0].tokens == len(scored) - 1


def test_what_stands_around_a_scored_answer(folder, echox):
    """Both are options, as nobody has seen the training data: each must do what it says."""

    def plain(text):
        return lm.score_plainly(echox._lm, ScoreAsk((user("hi"),), (text,), chat=True)).scores[0]

    ask = ScoreAsk((user("hi"),), (" yes",), chat=True)
    [after_bos] = echox.score([ask])
    begin, begun = plain("<|begin_of_text|>"), plain("<|begin_of_text|> yes")
    assert after_bos.scores[0].tokens == 4
    assert abs(after_bos.scores[0].log_likelihood - (begun.log_likelihood - begin.log_likelihood)) < 1e-4
    [ended] = EchoX(Setup("bare", folder), answer_bos=False, score_eot=True).score([ask])
    assert ended.scores[0].tokens == 5
    assert abs(ended.scores[0].log_likelihood - plain(" yes<|eot_id|>").log_likelihood) < 1e-4


def test_replies_in_a_batch_are_those_alone(echox, clips):
    """Otherwise results change with the size of the batch."""
    asks = [
        ReplyAsk(context, speech=bool(n % 2), max_tokens=10 + 15 * n)
        for n, context in enumerate(contexts(clips))
    ]
    for ask, answer in zip(asks, echox.reply(asks), strict=True):
        [alone] = echox.reply([ask])
        assert (answer.text, answer.truncated) == (alone.text, alone.truncated)
        assert (answer.clip is not None) == ask.speech
        if ask.speech:
            assert np.abs(answer.clip.samples() - alone.clip.samples()).max() < 1e-3


def test_written_replies_are_those_of_speechzoo_s_own_decoding(echox, clips):
    """Two ways to decode must agree, or text and speech replies come from different models."""
    asks = [ReplyAsk(context, max_tokens=20) for context in contexts(clips)]
    ours, theirs = echox.reply(asks), lm.reply(echox._lm, asks, 2048)
    assert [(a.text, a.truncated) for a in ours] == [(a.text, a.truncated) for a in theirs]


def test_a_stream_adds_up_to_the_reply(echox):
    """Latency would otherwise be measured on another answer than the one that is graded."""
    ask = ReplyAsk((user("What is the capital of France?"),), speech=True, max_tokens=70)
    pieces = list(echox.stream(ask))
    [answer] = echox.reply([ask])
    assert "".join(piece.text for piece in pieces) == answer.text
    spoken = [n for n, piece in enumerate(pieces) if piece.clip is not None]
    assert len(spoken) > 1
    assert any(piece.text for piece in pieces[spoken[0] :]), "speech begins before the text has ended"
    samples = np.concatenate([pieces[n].clip.samples() for n in spoken])
    assert np.abs(samples - answer.clip.samples()).max() < 1e-3
    assert pieces[-1].truncated == answer.truncated


def test_a_stream_of_half_characters_waits(echox):
    """A character of several tokens would be shown as replacement signs that later change."""
    pieces = [piece.text for piece in echox.stream(ReplyAsk((user("hi"),), max_tokens=40))]
    [answer] = echox.reply([ReplyAsk((user("hi"),), max_tokens=40)])
    assert "".join(pieces) == answer.text
    assert not any(piece.endswith("\ufffd") for piece in pieces[:-1])


def test_no_state_passes_from_call_to_call(echox, clips):
    """The reference's mask stays behind: a text-only request after one with a clip has other logits."""
    text, spoken = ScoreAsk((user("hi"),), ENDS, True), ScoreAsk((user(clips[2]),), ENDS, True)
    [before] = echox.score([text])
    echox.score([spoken])
    echox.reply([ReplyAsk((user(clips[0]),), max_tokens=3)])
    [after] = echox.score([text])
    assert np.array_equal(score(before), score(after))


def test_dialogues_with_several_clips(echox, clips):
    """Each turn is heard with all before it: clips must be matched to their own turns."""
    turns = (user(clips[0]), user("And then?"), user(clips[1]))
    [answer] = answer_batch(echox, [DialogueAsk(turns, max_tokens=8)])
    assert len(answer.replies) == 3
    [swapped] = answer_batch(echox, [DialogueAsk((turns[2], turns[1], turns[0]), max_tokens=8)])
    assert answer.replies[0].text != swapped.replies[0].text


def test_drawn_replies_depend_on_seed_and_ask_alone(folder, clips):
    """Otherwise a run at a temperature cannot be repeated."""
    asks = [ReplyAsk(context, max_tokens=12) for context in contexts(clips)]
    drawing = EchoX(Setup("drawing", folder), temperature=2.0, top_p=0.99)
    together = [answer.text for answer in drawing.reply(asks)]
    assert together == [drawing.reply([ask])[0].text for ask in asks]
    assert together[1] == "".join(piece.text for piece in drawing.stream(asks[1]))
    other = EchoX(Setup("drawing", folder, seed=1), temperature=2.0, top_p=0.99)
    assert together != [answer.text for answer in other.reply(asks)]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_low_precision_hears_writes_and_speaks(folder, clips, dtype):
    """A tensor left in float32 breaks the first request on a GPU, after an hour of loading."""
    echox = EchoX(Setup("low", folder, dtype=dtype), max_unit_tokens=8)
    [answer] = echox.reply([ReplyAsk((user(clips[1]),), speech=True, max_tokens=6)])
    assert answer.clip is not None
    asks = [ScoreAsk(context, ENDS, chat=True) for context in contexts(clips)]
    assert all(np.isfinite(score(answer)).all() for answer in echox.score(asks))


def test_a_bad_clip_fails_alone(echox, clips, tmp_path):
    """One damaged file must not cost its neighbours their answers."""
    gone = AudioClip.from_file(tmp_path / "gone.wav")
    asks = [ReplyAsk((user(c),), speech=True, max_tokens=4) for c in (clips[0], gone, clips[1])]
    first, missing, last = echox.reply(asks)
    assert missing.reason == "missing_file"
    assert first.clip is not None
    assert last.clip is not None
    with pytest.raises(ItemError, match="missing_file"):
        next(echox.stream(asks[1]))


def test_a_reply_without_units_is_no_silence(tmp_path):
    """Graded as silence it would look like an answer; it is none."""
    letters = [f"{a}{b}" for a in "abcdefgh" for b in "vwxyz"]
    build(tmp_path, pieces=letters)
    mute = EchoX(Setup("mute", tmp_path), unit_tokens_only=True, max_unit_tokens=8)
    [answer] = mute.reply([ReplyAsk((user("hi"),), speech=True, max_tokens=5)])
    assert isinstance(answer, Failure)
    assert answer.reason == "no_speech"
    with pytest.raises(ItemError, match="no_speech"):
        list(mute.stream(ReplyAsk((user("hi"),), speech=True, max_tokens=5)))


def test_unit_tokens_that_do_not_end_are_told(echox):
    """A reply whose speech was cut must not pass as a whole one."""
    [answer] = echox.reply([ReplyAsk((user("hi"),), speech=True, max_tokens=200)])
    assert answer.truncated


def test_plain_unit_tokens_and_tied_weights(tmp_path, clips):
    """EchoX-3B has no head of its own, and not every checkpoint joins units to words."""
    build(tmp_path, tied=True, pieces=PLAIN_PIECES)
    echox = EchoX(Setup("3B", tmp_path), max_unit_tokens=12)
    llama, echo = echox._lm.model, echox._speaker.echo
    assert torch.equal(llama.lm_head.weight, llama.model.embed_tokens.weight)
    assert echo.lm_head.weight.shape == (307, 64)
    [answer] = echox.reply([ReplyAsk((user(clips[1]),), speech=True, max_tokens=6)])
    assert answer.clip is not None
    [scored] = echox.score([ScoreAsk(raw("a context"), ENDS)])
    assert np.isfinite(score(scored)).all()
